/* The mailbox list driver: looking mailboxes up, deleting and renaming them.
   Knows nothing of their mails. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "hostpid.h"
#include "pgbox-compat.h"
#include "pgbox-storage.h"
#include "pgbox-list-private.h"

/* Rows of an iteration may be that old when they answer for one mailbox */
#define PGBOX_LIST_ITER_MAX_AGE_MSECS 1000

#define GLOBAL_TEMP_PREFIX ".temp."

static struct mailbox_list *pgbox_list_alloc(void)
{
	struct pgbox_mailbox_list *list;
	pool_t pool;

	pool = pool_alloconly_create("pgbox list", 1024);
	list = p_new(pool, struct pgbox_mailbox_list, 1);
	list->list = pgbox_mailbox_list;
	list->list.pool = pool;
	list->temp_prefix = p_strconcat(pool, GLOBAL_TEMP_PREFIX, my_hostname,
					".", my_pid, ".", NULL);
	list->last_pool = pool_alloconly_create("pgbox list last row", 256);
	return &list->list;
}

/* Namespaces with the same root directory share a storage, and with it the
   account and the directories of the mailboxes. */
static int
pgbox_list_check_account(struct mailbox_list *list, const char *account,
			 const char **error_r)
{
	struct mail_storage *storage = list->ns->user->storages;
	const char *root;

	if (!PGBOX_COMPAT_LIST_ROOT_PATH(list, MAILBOX_LIST_PATH_TYPE_DIR,
					 &root))
		root = "";
	for (; storage != NULL; storage = storage->next) {
		if (strcmp(storage->name, PGBOX_STORAGE_NAME) != 0 ||
		    strcmp(storage->unique_root_dir, root) != 0 ||
		    strcmp(PGBOX_STORAGE(storage)->account_name, account) == 0)
			continue;
		*error_r = t_strdup_printf(
			PGBOX_COMPAT_PATH_SETTING" of namespace %s must have a "
			"directory of its own: '%s' is that of account %s, and "
			"the namespace shows account %s", list->ns->prefix, root,
			PGBOX_STORAGE(storage)->account_name, account);
		return -1;
	}
	return 0;
}

static int pgbox_list_init(struct mailbox_list *list, const char **error_r)
{
	const char *account;

	/* As if it were always locked: the database locks what is changed. A
	   lock file would need the directory of the cache. */
	list->lock_refcount = 1;
	if (pgbox_settings_get_account(list, &account, error_r) < 0)
		return -1;
	return pgbox_list_check_account(list, account, error_r);
}

static void pgbox_list_deinit(struct mailbox_list *_list)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(_list);

	i_assert(list->iter_count == 0);
	pgbox_list_rows_unref(&list->rows);
	pool_unref(&list->last_pool);
	pool_unref(&list->list.pool);
}

static char pgbox_list_get_hierarchy_sep(struct mailbox_list *list ATTR_UNUSED)
{
	return PGBOX_HIERARCHY_SEP;
}

static const char *
pgbox_list_get_temp_prefix(struct mailbox_list *list, bool global)
{
	return global ? GLOBAL_TEMP_PREFIX :
		PGBOX_MAILBOX_LIST(list)->temp_prefix;
}

static const char *
pgbox_list_join_refpattern(struct mailbox_list *list ATTR_UNUSED,
			   const char *ref, const char *pattern)
{
	/* as LAYOUT=fs: such a pattern is absolute */
	if (*pattern == '/' || *pattern == '~')
		return pattern;
	return t_strconcat(ref, pattern, NULL);
}

bool pgbox_list_name_is_valid(const char *name, const char **error_r)
{
	size_t len = strlen(name);

	if (len == 0) {
		*error_r = "The namespace's prefix can't be a mailbox";
		return FALSE;
	}
	if (len > PGBOX_MAILBOX_NAME_MAX_BYTES) {
		*error_r = "Mailbox name too long";
		return FALSE;
	}
	if (!pgbox_db_text_is_valid(name, len)) {
		*error_r = "Mailbox name is not valid UTF-8";
		return FALSE;
	}
	return TRUE;
}

/*
 * The account
 */

int pgbox_list_open_account(struct mailbox_list *list,
			    struct pgbox_storage **storage_r)
{
	struct mail_storage *storage =
		mail_namespace_get_default_storage(list->ns);
	struct pgbox_db_failure failure;

	/* pgbox_storage_create() sees to it that our storage has our list;
	   the other way round nobody does */
	if (storage == NULL || strcmp(storage->name, PGBOX_STORAGE_NAME) != 0) {
		mailbox_list_set_critical(list, PGBOX_COMPAT_LAYOUT_SETTING
			PGBOX_LIST_NAME" needs "PGBOX_COMPAT_DRIVER_SETTING
			PGBOX_STORAGE_NAME);
		return -1;
	}
	*storage_r = PGBOX_STORAGE(storage);
	if (pgbox_storage_try_open_account(*storage_r, &failure) < 0) {
		pgbox_list_set_failure(list, &failure);
		return -1;
	}
	return 0;
}

/*
 * Looking up
 */

void pgbox_list_changed(struct mailbox_list *_list)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(_list);

	pgbox_list_rows_unref(&list->rows);
	list->last_valid = FALSE;
}

static bool
pgbox_list_rows_are_usable(const struct pgbox_mailbox_list *list, bool fresh)
{
	if (list->rows == NULL)
		return FALSE;
	if (pgbox_moment_is_same_command(&list->rows->read_at))
		return TRUE;
	return !fresh && list->iter_count > 0 &&
		pgbox_moment_age_msecs(&list->rows->read_at) <
			PGBOX_LIST_ITER_MAX_AGE_MSECS;
}

void pgbox_list_rows_unref(struct pgbox_list_rows **_rows)
{
	struct pgbox_list_rows *rows = *_rows;

	*_rows = NULL;
	if (rows == NULL)
		return;
	i_assert(rows->refcount > 0);
	if (--rows->refcount == 0)
		pool_unref(&rows->pool);
}

static int
pgbox_list_rows_read(struct mailbox_list *list, struct pgbox_list_rows *rows)
{
	struct pgbox_storage *storage;
	struct pgbox_db_failure failure;

	if (pgbox_list_open_account(list, &storage) < 0) {
		/* another user who has no mail here */
		return mailbox_list_get_last_mail_error(list) ==
			MAIL_ERROR_NOTFOUND ? 0 : -1;
	}
	/* before the query: what it does not see is newer */
	pgbox_moment_set(&rows->read_at, storage->notify);
	if (pgbox_run_mailbox_list(storage->db, storage->account_id,
				   rows->pool, &rows->rows, &failure) < 0) {
		pgbox_list_set_failure(list, &failure);
		return -1;
	}
	return 0;
}

int pgbox_list_rows_get(struct mailbox_list *_list,
			struct pgbox_list_rows **rows_r)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(_list);
	struct pgbox_list_rows *rows;
	pool_t pool;
	int ret;

	if (!pgbox_list_rows_are_usable(list, FALSE)) {
		pgbox_list_rows_unref(&list->rows);

		pool = pool_alloconly_create("pgbox list rows", 4096);
		rows = p_new(pool, struct pgbox_list_rows, 1);
		rows->refcount = 1;
		rows->pool = pool;
		p_array_init(&rows->rows, pool, 32);
		T_BEGIN {
			ret = pgbox_list_rows_read(_list, rows);
		} T_END;
		if (ret < 0) {
			pgbox_list_rows_unref(&rows);
			return -1;
		}
		list->rows = rows;
	}
	list->rows->refcount++;
	*rows_r = list->rows;
	return 0;
}

unsigned int pgbox_list_rows_find(const struct pgbox_list_rows *rows,
				  const char *name)
{
	const struct pgbox_mailbox_row *row;
	unsigned int left = 0, right = array_count(&rows->rows), idx;

	while (left < right) {
		idx = left + (right - left) / 2;
		row = array_idx(&rows->rows, idx);
		if (strcmp(row->name, name) < 0)
			left = idx + 1;
		else
			right = idx;
	}
	return left;
}

static int
pgbox_list_lookup_in_rows(struct pgbox_mailbox_list *list, const char *name,
			  const struct pgbox_mailbox_row **row_r)
{
	unsigned int idx = pgbox_list_rows_find(list->rows, name);

	if (idx == array_count(&list->rows->rows))
		return 0;
	*row_r = array_idx(&list->rows->rows, idx);
	return strcmp((*row_r)->name, name) == 0 ? 1 : 0;
}

static bool pgbox_list_last_is_new(const struct pgbox_mailbox_list *list)
{
	return list->last_valid &&
		pgbox_moment_is_same_command(&list->last_read_at);
}

bool pgbox_list_was_looked_up(struct mailbox_list *list)
{
	return pgbox_list_last_is_new(PGBOX_MAILBOX_LIST(list));
}

static bool
pgbox_list_last_is(const struct pgbox_mailbox_list *list, const char *name)
{
	return pgbox_list_last_is_new(list) &&
		strcmp(list->last_row.name, name) == 0;
}

static int
pgbox_list_lookup_in_db(struct pgbox_mailbox_list *list, const char *name)
{
	struct pgbox_storage *storage;
	struct pgbox_db_failure failure;
	int ret;

	list->last_valid = FALSE;
	p_clear(list->last_pool);
	if (pgbox_list_open_account(&list->list, &storage) < 0) {
		return mailbox_list_get_last_mail_error(&list->list) ==
			MAIL_ERROR_NOTFOUND ? 0 : -1;
	}
	pgbox_moment_set(&list->last_read_at, storage->notify);
	ret = pgbox_run_mailbox_by_name(storage->db, storage->account_id, name,
					list->last_pool, &list->last_row,
					&failure);
	if (ret < 0)
		pgbox_list_set_failure(&list->list, &failure);
	list->last_valid = ret > 0;
	return ret;
}

int pgbox_list_lookup(struct mailbox_list *_list, const char *name, bool fresh,
		      const struct pgbox_mailbox_row **row_r)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(_list);
	const char *error;
	int ret;

	if (pgbox_list_rows_are_usable(list, fresh)) {
		list->answer_read_at = list->rows->read_at;
		return pgbox_list_lookup_in_rows(list, name, row_r);
	}
	if (list->iter_count == 0)
		pgbox_list_rows_unref(&list->rows);
	if (!pgbox_list_last_is(list, name)) {
		if (!pgbox_list_name_is_valid(name, &error))
			return 0;
		T_BEGIN {
			ret = pgbox_list_lookup_in_db(list, name);
		} T_END;
		if (ret <= 0)
			return ret;
	}
	list->answer_read_at = list->last_read_at;
	*row_r = &list->last_row;
	return 1;
}

/*
 * Changes
 */

static void pgbox_list_set_not_found(struct mailbox_list *list,
				     const char *name)
{
	mailbox_list_set_error(list, MAIL_ERROR_NOTFOUND,
			       T_MAILBOX_LIST_ERR_NOT_FOUND(list, name));
}

/* Looks up by name what became of a mailbox when nobody knows whether the
   database deleted it. Returns 1 if it is gone, 0 if not, -1 on error. */
static int
pgbox_list_is_deleted(struct mailbox_list *list, const char *name,
		      int64_t mailbox_id)
{
	const struct pgbox_mailbox_row *row;
	int ret;

	pgbox_list_changed(list);
	if ((ret = pgbox_list_lookup(list, name, TRUE, &row)) < 0)
		return -1;
	return ret == 0 || row->mailbox_id != mailbox_id ? 1 : 0;
}

static int
pgbox_list_delete_row(struct mailbox_list *list, const char *name,
		      int64_t mailbox_id, const guid_128_t guid)
{
	struct pgbox_storage *storage;
	struct pgbox_db_failure failure;
	int ret;

	if (pgbox_list_open_account(list, &storage) < 0)
		return -1;
	ret = pgbox_run_mailbox_delete(storage->db, storage->account_id,
				       mailbox_id, name, &failure);
	if (ret < 0 && failure.error == PGBOX_DB_ERROR_UNCERTAIN) {
		if ((ret = pgbox_list_is_deleted(list, name, mailbox_id)) < 0)
			return -1;
		ret = ret > 0 ? 0 : -1;
	}
	pgbox_list_changed(list);
	if (ret == 0) {
		pgbox_storage_changed(storage, guid);
		return 0;
	}

	if (failure.error == PGBOX_DB_ERROR_NOT_FOUND)
		pgbox_list_set_not_found(list, name);
	else if (failure.error == PGBOX_DB_ERROR_EXISTS) {
		mailbox_list_set_error(list, MAIL_ERROR_EXISTS,
			"Mailbox has children, delete them first");
	} else {
		pgbox_list_set_failure(list, &failure);
	}
	return -1;
}

/* Looks up what is to be deleted. Returns 0 and the row, or -1 with the list's
   error set if there is none, or on failure. */
static int
list_get_deleted(struct mailbox_list *list, const char *name,
		 const struct pgbox_mailbox_row **row_r)
{
	int ret = pgbox_list_lookup(list, name, TRUE, row_r);

	if (ret == 0)
		pgbox_list_set_not_found(list, name);
	return ret > 0 ? 0 : -1;
}

static int
pgbox_list_delete_mailbox(struct mailbox_list *list, const char *name)
{
	const struct pgbox_mailbox_row *row;
	guid_128_t guid;

	if (list_get_deleted(list, name, &row) < 0)
		return -1;
	guid_128_copy(guid, row->guid);
	if (pgbox_list_delete_row(list, name, row->mailbox_id, guid) < 0)
		return -1;
	pgbox_list_delete_local(list, guid);
	return 0;
}

static int pgbox_list_delete_dir(struct mailbox_list *list, const char *name)
{
	const struct pgbox_mailbox_row *row;
	guid_128_t dir_sha128;

	if (list_get_deleted(list, name, &row) < 0)
		return -1;
	if (row->selectable) {
		/* not only a directory */
		mailbox_list_set_error(list, MAIL_ERROR_EXISTS,
			"Mailbox has children, delete them first");
		return -1;
	}
	if (pgbox_list_delete_row(list, name, row->mailbox_id, NULL) < 0)
		return -1;

	mailbox_name_get_sha128(name, dir_sha128);
	mailbox_list_add_change(list, MAILBOX_LOG_RECORD_DELETE_DIR,
				dir_sha128);
	return 0;
}

static int
pgbox_list_delete_symlink(struct mailbox_list *list,
			  const char *name ATTR_UNUSED)
{
	mailbox_list_set_error(list, MAIL_ERROR_NOTPOSSIBLE, "Not supported");
	return -1;
}

static void
pgbox_list_set_rename_failure(struct mailbox_list *list, const char *name,
			      const struct pgbox_db_failure *failure)
{
	if (failure->error == PGBOX_DB_ERROR_NOT_FOUND)
		pgbox_list_set_not_found(list, name);
	else if (failure->error == PGBOX_DB_ERROR_EXISTS) {
		mailbox_list_set_error(list, MAIL_ERROR_EXISTS,
				       "Target mailbox already exists");
	} else if (failure->error == PGBOX_DB_ERROR_NOT_POSSIBLE) {
		mailbox_list_set_error(list, MAIL_ERROR_NOTPOSSIBLE,
			"Can't rename mailbox under its own child.");
	} else if (failure->error == PGBOX_DB_ERROR_LIMIT) {
		mailbox_list_set_error(list, MAIL_ERROR_PARAMS,
				       "Mailbox or child name too long");
	} else {
		pgbox_list_set_failure(list, failure);
	}
}

/* RENAME of INBOX leaves an empty one (RFC 3501 6.3.5). */
static bool
pgbox_list_leaves_empty(struct mailbox_list *list, const char *old_name)
{
	return (list->ns->flags & NAMESPACE_FLAG_INBOX_ANY) != 0 &&
		strcmp(old_name, "INBOX") == 0;
}

/* Nobody knows whether the database did it. Returns 1 if it looks done. */
static int
pgbox_list_is_renamed(struct mailbox_list *list, const char *old_name,
		      const char *new_name)
{
	const struct pgbox_mailbox_row *row;
	int ret = 0;

	pgbox_list_changed(list);
	if (!pgbox_list_leaves_empty(list, old_name) &&
	    (ret = pgbox_list_lookup(list, old_name, TRUE, &row)) < 0)
		return -1;
	return ret > 0 ? 0 : pgbox_list_lookup(list, new_name, TRUE, &row);
}

static int
pgbox_list_rename_mailbox(struct mailbox_list *oldlist, const char *oldname,
			  struct mailbox_list *newlist, const char *newname)
{
	struct pgbox_storage *storage, *new_storage;
	struct pgbox_db_failure failure;
	const char *error;
	int ret;

	if (!pgbox_list_name_is_valid(newname, &error)) {
		mailbox_list_set_error(oldlist, MAIL_ERROR_PARAMS, error);
		return -1;
	}
	if (pgbox_list_open_account(oldlist, &storage) < 0)
		return -1;
	if (pgbox_list_open_account(newlist, &new_storage) < 0 ||
	    storage != new_storage) {
		mailbox_list_set_error(oldlist, MAIL_ERROR_NOTPOSSIBLE,
			"Can't rename mailboxes across accounts");
		return -1;
	}
	ret = pgbox_run_mailbox_rename(storage->db, storage->account_id,
				       oldname, newname,
				       pgbox_list_leaves_empty(oldlist, oldname),
				       &failure);
	if (ret < 0 && failure.error == PGBOX_DB_ERROR_UNCERTAIN) {
		ret = pgbox_list_is_renamed(oldlist, oldname, newname);
		if (ret < 0)
			return -1;
		ret = ret > 0 ? 0 : -1;
	}
	pgbox_list_changed(oldlist);
	pgbox_list_changed(newlist);
	if (ret < 0)
		pgbox_list_set_rename_failure(oldlist, oldname, &failure);
	else
		pgbox_storage_changed(storage, NULL);
	return ret;
}

struct mailbox_list pgbox_mailbox_list = {
	.name = PGBOX_LIST_NAME,
	.props = MAILBOX_LIST_PROP_NO_MAILDIR_NAME |
		MAILBOX_LIST_PROP_NO_ALT_DIR |
		MAILBOX_LIST_PROP_NO_ROOT |
		MAILBOX_LIST_PROP_AUTOCREATE_DIRS |
		MAILBOX_LIST_PROP_NO_LIST_INDEX |
		MAILBOX_LIST_PROP_NO_INTERNAL_NAMES,
	.mailbox_name_max_length = MAILBOX_LIST_NAME_MAX_LENGTH,

	.v = {
		.alloc = pgbox_list_alloc,
		.init = pgbox_list_init,
		.deinit = pgbox_list_deinit,
		.get_storage = PGBOX_COMPAT_LIST_GET_STORAGE,
		.get_hierarchy_sep = pgbox_list_get_hierarchy_sep,
		.get_vname = mailbox_list_default_get_vname,
		.get_storage_name = mailbox_list_default_get_storage_name,
		.get_path = pgbox_list_get_path,
		.get_temp_prefix = pgbox_list_get_temp_prefix,
		.join_refpattern = pgbox_list_join_refpattern,
		.iter_init = pgbox_list_iter_init,
		.iter_next = pgbox_list_iter_next,
		.iter_deinit = pgbox_list_iter_deinit,
		.subscriptions_refresh = pgbox_list_subscriptions_refresh,
		.set_subscribed = pgbox_list_set_subscribed,
		.delete_mailbox = pgbox_list_delete_mailbox,
		.delete_dir = pgbox_list_delete_dir,
		.delete_symlink = pgbox_list_delete_symlink,
		.rename_mailbox = pgbox_list_rename_mailbox,
		.notify_init = pgbox_list_notify_init,
		.notify_next = pgbox_list_notify_next,
		.notify_deinit = pgbox_list_notify_deinit,
		.notify_wait = pgbox_list_notify_wait,
		.notify_flush = pgbox_list_notify_flush,
	},
};
