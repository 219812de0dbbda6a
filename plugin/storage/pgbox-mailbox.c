/* The mailbox vtable: opening, closing, status. Knows nothing of the content of
   mails. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "mail-cache.h"
#include "mail-index-modseq.h"
#include "pgbox-compat.h"
#include "pgbox-destination.h"
#include "pgbox-list-private.h"
#include "pgbox-mail-window.h"
#include "pgbox-query-text.h"
#include "pgbox-search.h"
#include "pgbox-storage.h"

#define PGBOX_INDEX_HEADER_NAME "pgbox"
#define PGBOX_CACHE_ENVELOPE "pgbox.envelope"

/* lib-storage wants a path before it has the mailbox opened, which sees to it
   that it is right. */
static void pgbox_mailbox_set_known_path(struct pgbox_mailbox *mbox)
{
	guid_128_t guid;

	if ((mbox->box.flags & MAILBOX_FLAG_SAVEONLY) == 0)
		return;
	T_BEGIN {
		if (pgbox_destination_get_guid(mbox, guid)) {
			mbox->box._path = p_strdup(mbox->box.pool,
				pgbox_list_get_mailbox_path(mbox->box.list,
							    guid));
		}
	} T_END;
}

struct mailbox *
pgbox_mailbox_alloc(struct mail_storage *storage, struct mailbox_list *list,
		    const char *vname, enum mailbox_flags flags)
{
	struct pgbox_mailbox *mbox;
	pool_t pool;

	pool = pool_alloconly_create("pgbox mailbox", 1024 * 3);
	mbox = p_new(pool, struct pgbox_mailbox, 1);
	mbox->box = pgbox_mailbox;
	mbox->box.pool = pool;
	mbox->box.storage = storage;
	mbox->box.list = list;
	mbox->box.mail_vfuncs = &pgbox_mail_vfuncs;
	mbox->storage = PGBOX_STORAGE(storage);
	mbox->guard_fd = -1;
	p_array_init(&mbox->keywords, pool, 8);

	index_storage_mailbox_alloc(&mbox->box, vname, flags,
				    MAIL_INDEX_PREFIX);
	pgbox_mailbox_set_known_path(mbox);
	return &mbox->box;
}

static int
pgbox_mailbox_exists(struct mailbox *box, bool auto_boxes,
		     enum mailbox_existence *existence_r)
{
	const struct pgbox_mailbox_row *row;
	struct pgbox_list_rows *rows;
	int ret;

	if (auto_boxes && mailbox_is_autocreated(box)) {
		*existence_r = MAILBOX_EXISTENCE_SELECT;
		return 0;
	}
	if (*box->name == '\0') {
		/* the namespace's prefix */
		*existence_r = MAILBOX_EXISTENCE_NOSELECT;
		return 0;
	}
	/* A LIST asks for INBOX before anything else: the rows that it needs
	   next know that, too. A CREATE asks later. */
	if (box->inbox_user && !pgbox_list_was_looked_up(box->list) &&
	    pgbox_list_rows_get(box->list, &rows) == 0)
		pgbox_list_rows_unref(&rows);
	ret = pgbox_list_lookup(box->list, box->name, TRUE, &row);
	if (ret < 0) {
		mail_storage_copy_list_error(box->storage, box->list);
		return -1;
	}
	if (ret == 0)
		*existence_r = MAILBOX_EXISTENCE_NONE;
	else if (row->selectable)
		*existence_r = MAILBOX_EXISTENCE_SELECT;
	else
		*existence_r = MAILBOX_EXISTENCE_NOSELECT;
	return 0;
}

/*
 * Opening and closing
 */

/* Dovecot's default is not to cache ENVELOPE (mail_never_cache_fields), because
   it caches the headers that it is made of. We have no header at hand, so then it
   goes into a field of ours. */
static void pgbox_mailbox_register_envelope(struct pgbox_mailbox *mbox)
{
	struct mail_cache *cache = mbox->box.cache;
	struct mail_cache_field field = {
		.name = PGBOX_CACHE_ENVELOPE,
		.type = MAIL_CACHE_FIELD_STRING,
	};
	unsigned int idx;

	idx = mail_cache_register_lookup(cache, "imap.envelope");
	if (idx == UINT_MAX || mail_cache_field_get_decision(cache, idx) ==
	    (MAIL_CACHE_DECISION_NO | MAIL_CACHE_DECISION_FORCED)) {
		PGBOX_COMPAT_CACHE_REGISTER_FIELD(cache, &field);
		idx = field.idx;
	}
	mbox->envelope_field = idx;
}

/* mail_fsync=always would flush each record of a cache. "optimized" only takes
   care that files which are written anew are whole after a crash of the host;
   changes that are lost are read from the database again. */
static void pgbox_mailbox_set_fsync_mode(struct mailbox *box)
{
	if (box->storage->set->parsed_fsync_mode == FSYNC_MODE_ALWAYS) {
		mail_index_set_fsync_mode(box->index, FSYNC_MODE_OPTIMIZED,
					  0);
	}
}

/* Brings the opened index up to date. If that can't be, mbox->index_broken says
   why. */
static void
pgbox_mailbox_open_sync(struct pgbox_mailbox *mbox,
			const struct pgbox_mailbox_row *row)
{
	struct mailbox *box = &mbox->box;

	if (mbox->index_replaceable && pgbox_mailbox_index_failed(mbox))
		mbox->index_broken = "are damaged";
	else if ((box->flags & MAILBOX_FLAG_SAVEONLY) == 0 &&
		 !pgbox_sync_check_row(mbox, row,
			&PGBOX_MAILBOX_LIST(box->list)->answer_read_at)) {
		/* There are readers that never sync, such as the URLs of
		   CATENATE. If this fails, so does the sync of the others. */
		(void)pgbox_sync(mbox, 0);
		mail_index_view_close(&box->view);
		box->view = mail_index_view_open(box->index);
		if (mbox->index_replaceable && mbox->index_broken == NULL &&
		    pgbox_mailbox_index_failed(mbox))
			mbox->index_broken = "are damaged";
	}
}

static int pgbox_mailbox_try_open(struct pgbox_mailbox *mbox)
{
	struct mailbox *box = &mbox->box;
	struct pgbox_mailbox_row row;
	guid_128_t old_guid;
	int ret;

	/* also when it was looked up before: it may be gone since */
	guid_128_copy(old_guid, mbox->known.guid);
	if (pgbox_mailbox_open_row(mbox, &row) <= 0)
		return -1;
	if (!guid_128_equals(old_guid, mbox->known.guid))
		pgbox_mailbox_index_forget(box);
	pgbox_list_set_opening(box->list, box->name, mbox->known.guid);
	pgbox_mailbox_index_place(mbox);
	pgbox_mailbox_index_guard(mbox);
	if (box->index != NULL)
		mail_index_reset_error(box->index);
	ret = index_storage_mailbox_open(box, FALSE);
	if (ret == 0)
		pgbox_mailbox_create_control_dir(box);
	pgbox_list_set_opening(box->list, NULL, mbox->known.guid);
	if (ret < 0) {
		pgbox_mailbox_index_guard_end(mbox);
		if (box->index != NULL)
			mbox->index_broken = "can't be opened";
		return -1;
	}

	mbox->hdr_ext_id =
		mail_index_ext_register(box->index, PGBOX_INDEX_HEADER_NAME,
					sizeof(struct pgbox_index_header),
					0, 0);
	mail_index_modseq_enable(box->index);
	pgbox_mailbox_register_envelope(mbox);
	pgbox_mailbox_set_fsync_mode(box);
	pgbox_mailbox_open_sync(mbox, &row);
	return 0;
}

static int pgbox_mailbox_open(struct mailbox *box)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	int ret;

	mbox->index_broken = NULL;
	mbox->index_replaceable = TRUE;
	ret = pgbox_mailbox_try_open(mbox);
	mbox->index_replaceable = FALSE;
	if (mbox->index_broken != NULL) {
		pgbox_mailbox_index_drop(mbox);
		mailbox_close(box);
		pgbox_mailbox_index_forget(box);
		ret = pgbox_mailbox_try_open(mbox);
		mbox->index_broken = NULL;
	}
	return ret;
}

static void pgbox_mailbox_close(struct mailbox *box)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);

	pgbox_mailbox_index_guard_end(mbox);
	pgbox_mailbox_notify_end(mbox);
	pgbox_mail_window_free(mbox);
	/* a command found it that no sync followed */
	if (mbox->index_broken != NULL)
		pgbox_mailbox_index_drop(mbox);
	index_storage_mailbox_close(box);
	if (mbox->index_dropped)
		pgbox_mailbox_index_forget(box);
	/* Opened again, it may be another mailbox of the same name. */
	i_zero(&mbox->known.id);
	i_zero(&mbox->synced_at);
	mbox->text_uid = 0;
	array_clear(&mbox->keywords);
}

/*
 * Status
 */

/* These need the index, that is an opened mailbox. */
#define PGBOX_STATUS_OPEN_ITEMS \
	(STATUS_KEYWORDS | STATUS_FIRST_UNSEEN_SEQ | \
	 STATUS_HIGHESTPVTMODSEQ | PGBOX_COMPAT_STATUS_INDEXED)

static void
pgbox_mailbox_status_from_row(struct mailbox *box,
			      enum mailbox_status_items items,
			      const struct pgbox_mailbox_row *row,
			      struct mailbox_status *status_r)
{
	status_r->messages = row->messages;
	status_r->recent = row->recent;
	status_r->unseen = row->unseen;
	status_r->uidvalidity = row->uid_validity;
	status_r->uidnext = row->uid_next;
	status_r->first_recent_uid = row->first_recent_uid;
	status_r->highest_modseq = row->modseq;
	if ((items & STATUS_PERMANENT_FLAGS) != 0) {
		status_r->flags = MAIL_FLAGS_NONRECENT;
		if (!mailbox_is_readonly(box)) {
			status_r->permanent_flags = MAIL_FLAGS_NONRECENT;
			status_r->permanent_keywords = TRUE;
			status_r->allow_new_keywords =
				!box->disallow_new_keywords;
		}
	}
}

static bool
pgbox_mailbox_status_needs_open(struct mailbox *box,
				enum mailbox_status_items items)
{
	if ((items & PGBOX_STATUS_OPEN_ITEMS) != 0)
		return TRUE;
	/* with INDEXPVT each user of a shared mailbox has his own \Seen */
	return (items & STATUS_UNSEEN) != 0 &&
		(mailbox_get_private_flags_mask(box) & MAIL_SEEN) != 0;
}

/* Returns 1 if the mailbox was opened, as it had to be created first or is
   needed open, 0 if row_r says all, -1 on error. */
static int
pgbox_mailbox_open_or_get_row(struct pgbox_mailbox *mbox, bool want_open,
			      const struct pgbox_mailbox_row **row_r)
{
	struct mailbox *box = &mbox->box;
	int ret;

	if (!want_open) {
		if ((ret = pgbox_mailbox_get_row(mbox, FALSE, row_r)) > 0)
			return 0;
		if (ret < 0 || !mailbox_is_autocreated(box))
			return -1;
	}
	if (mailbox_open(box) < 0 ||
	    mailbox_sync(box, MAILBOX_SYNC_FLAG_FAST) < 0)
		return -1;
	return 1;
}

/* "doveadm index" leaves mails alone that are in the cache file. */
static int
pgbox_mailbox_want_index(struct pgbox_mailbox *mbox, bool *want_index_r)
{
	const struct pgbox_settings *set = mbox->storage->set;
	struct pgbox_db_failure failure;

	*want_index_r = FALSE;
	if (set->search_text == PGBOX_SEARCH_TEXT_NO)
		return 0;
	if (pgbox_run_text_queued(mbox->storage->db, &mbox->known.id,
				  set->search_text == PGBOX_SEARCH_TEXT_YES,
				  want_index_r, &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	return 0;
}

static int
pgbox_mailbox_get_status(struct mailbox *box, enum mailbox_status_items items,
			 struct mailbox_status *status_r)
{
	const struct pgbox_mailbox_row *row;
	bool want_index = FALSE;
	int ret = 1;

	/* the quota plugin looks at the last of them */
	if ((items & ~STATUS_CHECK_OVER_QUOTA) == 0)
		return 0;
	if (!box->opened) {
		ret = pgbox_mailbox_open_or_get_row(PGBOX_MAILBOX(box),
			pgbox_mailbox_status_needs_open(box, items), &row);
		if (ret < 0)
			return -1;
	}
	if (ret == 0) {
		pgbox_mailbox_status_from_row(box, items, row, status_r);
		return 0;
	}
	index_storage_get_open_status(box, items, status_r);
	/* also when the index is in memory: they are the database's */
	status_r->nonpermanent_modseqs = FALSE;
	if ((items & PGBOX_COMPAT_STATUS_INDEXED) != 0 &&
	    pgbox_mailbox_want_index(PGBOX_MAILBOX(box), &want_index) < 0)
		return -1;
	if (want_index)
		PGBOX_COMPAT_STATUS_SET_NOT_INDEXED(status_r);
	return 0;
}

#define PGBOX_METADATA_ROW_ITEMS \
	(MAILBOX_METADATA_GUID | MAILBOX_METADATA_VIRTUAL_SIZE | \
	 MAILBOX_METADATA_PHYSICAL_SIZE | MAILBOX_METADATA_FIRST_SAVE_DATE)

static int
pgbox_mailbox_get_row_metadata(struct mailbox *box,
			       enum mailbox_metadata_items items,
			       struct mailbox_metadata *metadata_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	const struct pgbox_mailbox_row *row;
	struct pgbox_db_failure failure;
	int ret;

	if (box->opened && items == MAILBOX_METADATA_GUID) {
		guid_128_copy(metadata_r->guid, mbox->known.guid);
		return 0;
	}
	ret = pgbox_mailbox_get_row(mbox, FALSE, &row);
	if (ret == 0 && !box->opened && mailbox_is_autocreated(box)) {
		if (mailbox_open(box) < 0)
			return -1;
		ret = pgbox_mailbox_get_row(mbox, TRUE, &row);
	}
	if (ret <= 0)
		return -1;

	guid_128_copy(metadata_r->guid, row->guid);
	/* lines end with CRLF */
	metadata_r->virtual_size = row->bytes;
	metadata_r->physical_size = row->bytes;
	if ((items & MAILBOX_METADATA_FIRST_SAVE_DATE) != 0 &&
	    pgbox_run_mailbox_first_saved(mbox->storage->db,
					  mbox->storage->account_id,
					  row->mailbox_id,
					  &metadata_r->first_save_date,
					  &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	return 0;
}

static int
pgbox_mailbox_get_metadata(struct mailbox *box,
			   enum mailbox_metadata_items items,
			   struct mailbox_metadata *metadata_r)
{
	enum mailbox_metadata_items row_items =
		items & PGBOX_METADATA_ROW_ITEMS;

	if (row_items != 0 &&
	    pgbox_mailbox_get_row_metadata(box, row_items, metadata_r) < 0)
		return -1;
	return index_mailbox_get_metadata(box, items & ~row_items,
					  metadata_r);
}

/*
 * Changes of mails, which change the counters of the mailbox, too
 */

static struct mailbox_sync_context *
pgbox_mailbox_sync_init(struct mailbox *box, enum mailbox_sync_flags flags)
{
	struct mailbox_sync_context *ctx = pgbox_storage_sync_init(box, flags);

	/* it may have claimed recent mails */
	pgbox_list_changed(box->list);
	return ctx;
}

static int
pgbox_mailbox_sync_deinit(struct mailbox_sync_context *ctx,
			  struct mailbox_sync_status *status_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(ctx->box);
	int ret = index_mailbox_sync_deinit(ctx, status_r);

	if (ret == 0)
		pgbox_mailbox_index_guard_end(mbox);
	return ret;
}

/* Ends the session: its next one has a new index. */
static bool pgbox_mailbox_is_inconsistent(struct mailbox *box)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);

	return mbox->index_broken != NULL || mbox->index_dropped ||
		index_storage_is_inconsistent(box);
}

static int
pgbox_mailbox_transaction_commit(struct mailbox_transaction_context *t,
			struct mail_transaction_commit_changes *changes_r)
{
	struct mailbox_list *list = t->box->list;
	int ret = pgbox_transaction_commit(t, changes_r);

	pgbox_list_changed(list);
	return ret;
}

struct mailbox pgbox_mailbox = {
	.v = {
		.is_readonly = index_storage_is_readonly,
		.enable = index_storage_mailbox_enable,
		.exists = pgbox_mailbox_exists,
		.open = pgbox_mailbox_open,
		.close = pgbox_mailbox_close,
		.free = index_storage_mailbox_free,
		.create_box = pgbox_mailbox_create,
		.update_box = pgbox_mailbox_update,
		.delete_box = pgbox_mailbox_delete,
		.rename_box = index_storage_mailbox_rename,
		.get_status = pgbox_mailbox_get_status,
		.get_metadata = pgbox_mailbox_get_metadata,
		.set_subscribed = index_storage_set_subscribed,
		.attribute_set = pgbox_attribute_set,
		.attribute_get = pgbox_attribute_get,
		.attribute_iter_init = pgbox_attribute_iter_init,
		.attribute_iter_next = pgbox_attribute_iter_next,
		.attribute_iter_deinit = pgbox_attribute_iter_deinit,
		.sync_init = pgbox_mailbox_sync_init,
		.sync_next = index_mailbox_sync_next,
		.sync_deinit = pgbox_mailbox_sync_deinit,
		.notify_changes = pgbox_mailbox_notify_changes,
		.transaction_begin = pgbox_transaction_begin,
		.transaction_commit = pgbox_mailbox_transaction_commit,
		.transaction_rollback = pgbox_transaction_rollback,
		.mail_alloc = pgbox_mail_alloc,
		.search_init = pgbox_search_init,
		.search_deinit = pgbox_search_deinit,
		.search_next_nonblock = pgbox_search_next_nonblock,
		.search_next_update_seq = pgbox_search_next_update_seq,
		.search_next_match_mail = pgbox_search_next_match_mail,
		.save_alloc = pgbox_save_alloc,
		.save_begin = pgbox_save_begin,
		.save_continue = pgbox_save_continue,
		.save_finish = pgbox_save_finish,
		.save_cancel = pgbox_save_cancel,
		.copy = pgbox_copy,
		.transaction_save_commit_pre =
			pgbox_transaction_save_commit_pre,
		.transaction_save_commit_post =
			pgbox_transaction_save_commit_post,
		.transaction_save_rollback = pgbox_transaction_save_rollback,
		.is_inconsistent = pgbox_mailbox_is_inconsistent,
	},
};
