/* The storage class: an account of the database as a namespace sees it. Knows
   nothing of single mailboxes. */

#include "pgbox-config.h"
#include "lib.h"
#include "mailbox-list-private.h"
#include "pgbox-compat.h"
#include "pgbox-history.h"
#include "pgbox-list-private.h"
#include "pgbox-mail.h"
#include "pgbox-notify.h"
#include "pgbox-query-session.h"
#include "pgbox-storage.h"

/* Messages that one call of the purge removes: a short transaction */
#define PGBOX_PURGE_BATCH 500

static struct event_category event_category_pgbox = {
	.name = PGBOX_STORAGE_NAME,
	.parent = &event_category_storage,
};

static struct mail_storage *pgbox_storage_alloc(void)
{
	struct pgbox_storage *storage;
	pool_t pool;

	pool = pool_alloconly_create("pgbox storage", 1024);
	storage = p_new(pool, struct pgbox_storage, 1);
	storage->storage = pgbox_storage;
	storage->storage.pool = pool;
	return &storage->storage;
}

/* Where a file that all sessions of this host use can be, or at least those of the
   user; NULL if there is no such place. */
static const char *
storage_get_host_dir(struct pgbox_storage *storage,
		     struct mailbox_list *list)
{
	const char *dir;

	dir = pgbox_notify_get_dir(storage->notify);
	if (dir != NULL)
		return dir;
	return PGBOX_COMPAT_LIST_ROOT_PATH(list, MAILBOX_LIST_PATH_TYPE_INDEX,
					   &dir) ? dir : NULL;
}

static void
pgbox_storage_open_db(struct pgbox_storage *storage, struct mailbox_list *list)
{
	const char *host_dir = storage_get_host_dir(storage, list);
	const struct pgbox_db_settings db_set = {
		.conninfo = storage->set->dsn,
		.query_timeout_msecs = storage->set->query_timeout_msecs,
		.connect_timeout_msecs = storage->set->connect_timeout_msecs,
		.idle_disconnect_msecs = storage->set->idle_disconnect_msecs,
		.host_dir = host_dir,
	};

	/* The connection lives longer than the user, where a process serves
	   several: its event can't be below ours. */
	storage->db = pgbox_db_ref(&db_set, NULL);
	pgbox_query_session_init(storage->db,
		pgbox_history_get(storage->set->dsn, host_dir));
}

static int
pgbox_storage_create(struct mail_storage *_storage, struct mail_namespace *ns,
		     const char **error_r)
{
	struct pgbox_storage *storage = PGBOX_STORAGE(_storage);
	const char *account, *root;

	if (strcmp(ns->list->name, PGBOX_LIST_NAME) != 0) {
		*error_r = t_strdup_printf(
			PGBOX_COMPAT_LAYOUT_SETTING
			"%s can't be used, leave it out",
			ns->list->name);
		return -1;
	}
	if (pgbox_settings_get(ns->list, _storage->pool, &storage->set,
			       error_r) < 0 ||
	    pgbox_settings_get_account(ns->list, &account, error_r) < 0)
		return -1;
	storage->account_name = p_strdup(_storage->pool, account);
	storage->account_foreign = ns->owner != NULL && ns->owner != ns->user;
	storage->account_public = ns->owner == NULL;
	storage->account_inbox = (ns->flags & NAMESPACE_FLAG_INBOX_ANY) != 0;

	/* Namespaces with the same directory share the storage.
	   pgbox_list_init() refuses if their accounts differ. */
	if (!PGBOX_COMPAT_LIST_ROOT_PATH(ns->list, MAILBOX_LIST_PATH_TYPE_DIR,
					 &root))
		root = "";
	_storage->unique_root_dir = p_strdup(_storage->pool, root);
	_storage->nonbody_access_fields = PGBOX_MAIL_NONBODY_FIELDS;

	storage->notify = pgbox_notify_init(_storage->pool, _storage->user,
					    storage->set, account);
	pgbox_storage_open_db(storage, ns->list);
	return 0;
}

static void pgbox_storage_destroy(struct mail_storage *_storage)
{
	struct pgbox_storage *storage = PGBOX_STORAGE(_storage);

	pgbox_notify_deinit(&storage->notify);
	if (storage->db != NULL)
		pgbox_db_unref(&storage->db);
	index_storage_destroy(_storage);
}

static int
pgbox_storage_ask_account(struct pgbox_storage *storage,
			  struct pgbox_db_failure *failure_r)
{
	bool create = storage->set->account_create &&
		!storage->account_foreign;

	if (pgbox_run_account_open(storage->db, storage->account_name, create,
				   storage->account_inbox,
				   storage->account_public,
				   &storage->account_id, failure_r) == 0)
		return 0;

	if (failure_r->error == PGBOX_DB_ERROR_NOT_FOUND &&
	    !storage->account_foreign) {
		/* not what a user can do something about */
		failure_r->error = PGBOX_DB_ERROR_CONFIG;
		failure_r->message = t_strdup_printf(
			"Account %s doesn't exist, and pgbox_account_create "
			"= no", storage->account_name);
	}
	return -1;
}

int pgbox_storage_try_open_account(struct pgbox_storage *storage,
				   struct pgbox_db_failure *failure_r)
{
	return storage->account_id != 0 ? 0 :
		pgbox_storage_ask_account(storage, failure_r);
}

int pgbox_storage_open_account(struct pgbox_storage *storage)
{
	return storage->account_id != 0 ? 0 :
		pgbox_storage_reopen_account(storage);
}

int pgbox_storage_reopen_account(struct pgbox_storage *storage)
{
	struct pgbox_db_failure failure;

	if (pgbox_storage_ask_account(storage, &failure) < 0) {
		pgbox_storage_set_failure(&storage->storage, &failure);
		return -1;
	}
	return 0;
}

void pgbox_storage_changed(struct pgbox_storage *storage, const guid_128_t guid)
{
	pgbox_moment_changed();
	pgbox_notify_changed(storage->notify, guid);
}

#ifdef PGBOX_COMPAT_GET_LIST_SETTINGS
static void
pgbox_storage_get_list_settings(const struct mail_namespace *ns ATTR_UNUSED,
				struct mailbox_list_settings *set)
{
	if (set->layout == NULL)
		set->layout = PGBOX_LIST_NAME;
	if (*set->mailbox_dir_name == '\0')
		set->mailbox_dir_name = "mailboxes";
	set->utf8 = TRUE;
}
#endif

static int pgbox_storage_purge(struct mail_storage *_storage)
{
	struct pgbox_storage *storage = PGBOX_STORAGE(_storage);
	struct pgbox_db_failure failure;
	uint64_t removed;

	if (pgbox_storage_open_account(storage) < 0)
		return -1;
	do {
		if (pgbox_run_purge(storage->db, storage->account_id,
				    storage->set->expunge_retention_secs,
				    PGBOX_PURGE_BATCH, &removed,
				    &failure) < 0) {
			pgbox_storage_set_failure(_storage, &failure);
			return -1;
		}
	} while (removed > 0);
	return 0;
}

/* HAVE_MAIL_GUID128 is left out: GUIDs given by dsync or a COPY from another
   storage are any strings. Without BINARY_DATA plugins for compression and
   encryption stay away: SQL could not read what they would have us store.
   NO_ROOT: mail_location needs no directory, and what is in it is no mail.
   SECONDARY_INDEX: index files may be lost, the database has everything. */
struct mail_storage pgbox_storage = {
	.name = PGBOX_STORAGE_NAME,
	.class_flags = MAIL_STORAGE_CLASS_FLAG_UNIQUE_ROOT |
		MAIL_STORAGE_CLASS_FLAG_NO_ROOT |
		MAIL_STORAGE_CLASS_FLAG_HAVE_MAIL_GUIDS |
		MAIL_STORAGE_CLASS_FLAG_HAVE_MAIL_SAVE_GUIDS |
		MAIL_STORAGE_CLASS_FLAG_SECONDARY_INDEX,
	.event_category = &event_category_pgbox,
#ifdef PGBOX_COMPAT_SET_INFO
	.set_info = &pgbox_setting_parser_info,
#endif

	.v = {
		.alloc = pgbox_storage_alloc,
		.create = pgbox_storage_create,
		.destroy = pgbox_storage_destroy,
#ifdef PGBOX_COMPAT_GET_LIST_SETTINGS
		.get_list_settings = pgbox_storage_get_list_settings,
#endif
		.mailbox_alloc = pgbox_mailbox_alloc,
		.purge = pgbox_storage_purge,
	},
};
