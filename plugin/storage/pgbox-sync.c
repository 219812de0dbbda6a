/* Brings a local index to the state of the database: asks for what has changed,
   takes the index's lock when there is something, and begins anew when the
   index does not fit. How rows become index records is in pgbox-sync-apply.c.
   Knows nothing of message bytes. */

#include "lib.h"
#include "array.h"
#include "str-sanitize.h"
#include "mail-index-modseq.h"
#include "mail-index-sync-private.h"
#include "mail-index-view-private.h"
#include "index-sync-private.h"
#include "pgbox-notify.h"
#include "pgbox-query-mailbox.h"
#include "pgbox-query-session.h"
#include "pgbox-sync-log.h"
#include "pgbox-sync-private.h"

/* How often a sync begins anew because an epoch is lost, the mailbox entered
   another one or the index had to be reset; each of these needs it once. */
#define PGBOX_SYNC_MAX_ROUNDS 6

/* Returns TRUE if the database gave \Recent of mails to this session, which the
   index still has to be told. */
static bool sync_has_recent(const struct pgbox_sync_context *ctx)
{
	return array_is_created(&ctx->recent_uids) &&
		array_count(&ctx->recent_uids) > 0;
}

/* Returns FALSE if the index is of another mailbox with the same GUID. */
static bool
sync_read_header(struct pgbox_mailbox *mbox, struct mail_index_view *view,
		 struct pgbox_index_header *hdr_r)
{
	const void *data;
	size_t size;

	i_zero(hdr_r);
	mail_index_get_header_ext(view, mbox->hdr_ext_id, &data, &size);
	if (size > 0)
		memcpy(hdr_r, data, I_MIN(size, sizeof(*hdr_r)));
	if (hdr_r->mailbox_id == 0 ||
	    hdr_r->mailbox_id == (uint64_t)mbox->known.id.mailbox_id)
		return TRUE;
	i_zero(hdr_r);
	return FALSE;
}

static void
sync_read_position(struct pgbox_sync_context *ctx, struct mail_index_view *view)
{
	const struct mail_index_header *hdr = mail_index_get_header(view);
	struct pgbox_index_header pgbox_hdr;

	/* what is in another mailbox's index fits nothing */
	ctx->uid_validity = sync_read_header(ctx->mbox, view, &pgbox_hdr) ?
		hdr->uid_validity : 0;
	i_zero(&ctx->position);
	ctx->position.epoch = pgbox_hdr.epoch;
	ctx->position.modseq = pgbox_hdr.modseq;
	ctx->mbox->epoch = pgbox_hdr.epoch;
	ctx->keywords = pgbox_hdr.keywords;
	ctx->index_flags = pgbox_hdr.flags;
	ctx->digest = pgbox_hdr.digest;
	ctx->position_is_sound = pgbox_hdr.checksum ==
		pgbox_sync_header_checksum(ctx, &pgbox_hdr, hdr->uid_validity,
					   hdr->next_uid);
	ctx->position.uid_next = hdr->next_uid;
	ctx->position.keywords = array_count(&ctx->mbox->keywords);
	ctx->first_recent_uid = hdr->first_recent_uid;
}

/* \Recent is given to one session: the database told which UIDs are ours. */
static void sync_take_recent(struct pgbox_sync_context *ctx)
{
	/* another session may have been faster */
	if (ctx->rows.taken_recent_uid < ctx->rows.uid_next) {
		seq_range_array_add_range(&ctx->recent_uids,
					  ctx->rows.taken_recent_uid,
					  ctx->rows.uid_next - 1);
	}
	ctx->rows.first_recent_uid = ctx->rows.uid_next;
}

static int sync_ask(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_db_failure failure;

	/* before the query: what it does not see is newer */
	pgbox_moment_set(&ctx->asked_at, mbox->storage->notify);
	if (pgbox_run_sync(mbox->storage->db, &mbox->known.id, &ctx->position,
			   pgbox_sync_drops_recent(ctx), ctx->pool,
			   &ctx->rows, &failure) < 0) {
		if (failure.error == PGBOX_DB_ERROR_NOT_FOUND)
			pgbox_mailbox_set_gone(mbox);
		else
			pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	if (!ctx->rows.exists) {
		pgbox_mailbox_set_gone(mbox);
		return -1;
	}
	if (ctx->rows.taken_recent_uid != 0)
		sync_take_recent(ctx);
	return 0;
}

static int sync_query(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	const char *name;

	if (sync_ask(ctx) < 0)
		return -1;
	if (ctx->rows.epoch_pending)
		return 0;
	if (ctx->rows.epoch != mbox->keywords_epoch &&
	    ctx->position.keywords > 0) {
		/* another history may have numbered them in another way */
		array_clear(&mbox->keywords);
		ctx->position.keywords = 0;
		if (sync_ask(ctx) < 0)
			return -1;
	}
	mbox->keywords_epoch = ctx->rows.epoch;
	mbox->known.uid_next = ctx->rows.uid_next;
	mbox->known.modseq = ctx->rows.modseq;
	array_foreach_elem(&ctx->rows.new_keywords, name) {
		unsigned int idx;

		name = p_strdup(mbox->box.pool, name);
		array_push_back(&mbox->keywords, &name);
		mail_index_keyword_lookup_or_create(mbox->box.index, name,
						    &idx);
	}
	return 0;
}

/* Returns TRUE if the index has all of it already. */
static bool sync_is_unneeded(struct pgbox_sync_context *ctx)
{
	const struct pgbox_sync_rows *rows = &ctx->rows;

	if (rows->full || rows->modseq != ctx->position.modseq ||
	    rows->uid_next != ctx->position.uid_next ||
	    rows->uid_validity != ctx->uid_validity)
		return FALSE;
	return pgbox_sync_drops_recent(ctx) ?
		rows->first_recent_uid >= rows->uid_next &&
		!sync_has_recent(ctx) :
		rows->first_recent_uid <= ctx->first_recent_uid;
}

/* Returns FALSE if something has changed the index's mails that was no sync. */
static bool sync_digest_fits(const struct pgbox_sync_context *ctx,
			     struct mail_index_view *view)
{
	return (ctx->index_flags & PGBOX_INDEX_FLAG_DIGEST) == 0 ||
		ctx->digest == pgbox_sync_digest_index(view);
}

/* Returns FALSE if an index that claims to have the state of the row can't have
   it. */
static bool
sync_row_fits(const struct pgbox_sync_context *ctx,
	      const struct pgbox_mailbox_row *row, struct mail_index_view *view)
{
	const struct mail_index_header *hdr = mail_index_get_header(view);
	uint32_t last_uid = 0;
	unsigned int keywords = 0;

	if (ctx->position.epoch != row->epoch ||
	    ctx->position.modseq != row->modseq ||
	    ctx->position.uid_next != row->uid_next)
		return TRUE;
	if (hdr->messages_count > 0)
		mail_index_lookup_uid(view, hdr->messages_count, &last_uid);
	if (array_is_created(&view->map->keyword_idx_map))
		keywords = array_count(&view->map->keyword_idx_map);
	if (last_uid >= hdr->next_uid || keywords < ctx->keywords)
		return FALSE;
	return (ctx->index_flags & PGBOX_INDEX_FLAG_DAMAGED_ROWS) != 0 ||
		(hdr->messages_count == row->messages &&
		 hdr->messages_count - hdr->seen_messages_count == row->unseen);
}

bool pgbox_sync_check_row(struct pgbox_mailbox *mbox,
			  const struct pgbox_mailbox_row *row,
			  const struct pgbox_moment *read_at)
{
	struct pgbox_sync_context ctx = {
		.mbox = mbox,
		.rows = {
			.epoch = row->epoch,
			.uid_validity = row->uid_validity,
			.uid_next = row->uid_next,
			.first_recent_uid = row->first_recent_uid,
			.modseq = row->modseq,
		},
	};
	struct mail_index_view *view = mail_index_view_open(mbox->box.index);

	sync_read_position(&ctx, view);
	if (mbox->index_replaceable &&
	    (!sync_row_fits(&ctx, row, view) || !sync_digest_fits(&ctx, view)))
		mbox->index_broken = "don't fit the database";
	mail_index_view_close(&view);
	if (ctx.position.epoch == row->epoch && ctx.keywords == row->keywords &&
	    sync_is_unneeded(&ctx)) {
		mbox->synced_at = *read_at;
		return TRUE;
	}
	return ctx.position.modseq >= row->modseq &&
		ctx.position.uid_next >= row->uid_next &&
		ctx.uid_validity == row->uid_validity;
}

/* Returns TRUE if the rows are what the caller has done itself, and nothing else:
   nothing before it, which a mail's row doesn't tell apart, and nothing after
   it. */
static bool sync_is_only_own(const struct pgbox_sync_context *ctx)
{
	const struct pgbox_sync_own *own = ctx->own;

	return own != NULL && own->result->known &&
		ctx->position.modseq == own->result->old_modseq &&
		ctx->rows.modseq == own->result->modseq;
}

/* The local index failed, not the database. */
static void sync_set_index_failed(struct pgbox_sync_context *ctx)
{
	struct mailbox *box = &ctx->mbox->box;

	/* a process that deletes the mailbox has marked it */
	if (!mail_index_is_deleted(box->index))
		ctx->mbox->index_broken = "are damaged";
	mailbox_set_index_error(box);
}

static int sync_commit(struct pgbox_sync_context *ctx)
{
	enum mailbox_transaction_flags flags =
		sync_is_only_own(ctx) ? ctx->own->flags : 0;
	uint32_t file_seq;
	uoff_t offset, size;

	if ((flags & MAILBOX_TRANSACTION_FLAG_SYNC) != 0)
		pgbox_sync_log_set_dsync(ctx->log);
	if (mail_index_sync_commit(&ctx->sync_ctx) < 0) {
		sync_set_index_failed(ctx);
		return -1;
	}
	if ((flags & MAILBOX_TRANSACTION_FLAG_HIDE) != 0 &&
	    pgbox_sync_log_get_area(ctx->log, &file_seq, &offset, &size)) {
		mail_index_view_add_hidden_transaction(ctx->mbox->box.view,
						       file_seq, offset, size);
	}
	return 0;
}

static enum pgbox_sync_result sync_locked(struct pgbox_sync_context *ctx)
{
	struct mailbox *box = &ctx->mbox->box;
	struct pgbox_sync_position old_position = ctx->position;
	enum mail_index_sync_flags sync_flags;
	enum pgbox_sync_result result = PGBOX_SYNC_DONE;

	sync_flags = index_storage_get_sync_flags(box) &
		ENUM_NEGATE(MAIL_INDEX_SYNC_FLAG_DROP_RECENT |
			    MAIL_INDEX_SYNC_FLAG_REQUIRE_CHANGES);
	if (mail_index_sync_begin(box->index, &ctx->sync_ctx, &ctx->view,
				  &ctx->trans, sync_flags) < 0) {
		sync_set_index_failed(ctx);
		return PGBOX_SYNC_FAILED;
	}
	sync_read_position(ctx, ctx->view);
	if (ctx->position.modseq != old_position.modseq ||
	    ctx->position.epoch != old_position.epoch ||
	    ctx->position.uid_next != old_position.uid_next) {
		/* another process was faster: ask for what is still missing */
		if (ctx->own_rows)
			result = PGBOX_SYNC_AGAIN;
		else if (sync_query(ctx) < 0)
			result = PGBOX_SYNC_FAILED;
		else if (ctx->rows.epoch_pending)
			result = PGBOX_SYNC_AGAIN;
	}
	if (result == PGBOX_SYNC_DONE && !sync_is_unneeded(ctx))
		result = pgbox_sync_apply(ctx);

	if (result != PGBOX_SYNC_DONE || ctx->log == NULL)
		mail_index_sync_rollback(&ctx->sync_ctx);
	else if (sync_commit(ctx) < 0)
		result = PGBOX_SYNC_FAILED;
	pgbox_sync_log_free(&ctx->log);
	return result;
}

/* Empties the index. Open views of it become inconsistent, so that clients
   reconnect. */
static int sync_reset_index(struct pgbox_sync_context *ctx)
{
	struct mail_index *index = ctx->mbox->box.index;
	struct mail_index_modseq_header modseq_hdr;
	struct mail_index_transaction *trans;
	struct mail_index_view *view;
	int ret;

	view = mail_index_view_open(index);
	trans = mail_index_transaction_begin(view,
					     MAIL_INDEX_TRANSACTION_FLAG_EXTERNAL);
	mail_index_reset(trans);
	mail_index_update_header(trans,
		offsetof(struct mail_index_header, uid_validity),
		&ctx->rows.uid_validity, sizeof(ctx->rows.uid_validity), TRUE);
	/* the reset removed the extension, but the index remembers that it has
	   enabled modseqs */
	i_zero(&modseq_hdr);
	mail_index_update_header_ext(trans, index->modseq_ext_id, 0,
				     &modseq_hdr, sizeof(modseq_hdr));
	ret = mail_index_transaction_commit(&trans);
	mail_index_view_close(&view);
	if (ret < 0)
		sync_set_index_failed(ctx);
	return ret;
}

/* All mails get a new MODSEQ, above all that the index can have. */
static int sync_restart(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_db_failure failure;

	if (pgbox_run_restart(mbox->storage->db, &mbox->known.id,
			      &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	return sync_reset_index(ctx);
}

/* For force-resync: the rows of the mailbox may make no sense either. */
static int sync_repair(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_db_failure failure;
	ARRAY_TYPE(const_string) problems;
	const char *problem;

	if (pgbox_run_repair(mbox->storage->db, &mbox->known.id, ctx->pool,
			     &problems, &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	array_foreach_elem(&problems, problem) {
		e_warning(mbox->box.event, "Repaired: %s",
			  str_sanitize_utf8(problem, 500));
	}
	return 0;
}

static int sync_read_current_position(struct pgbox_sync_context *ctx)
{
	struct mail_index *index = ctx->mbox->box.index;
	struct mail_index_view *view;

	if (mail_index_refresh(index) < 0) {
		sync_set_index_failed(ctx);
		return -1;
	}
	view = mail_index_view_open(index);
	sync_read_position(ctx, view);
	mail_index_view_close(&view);
	return 0;
}

/* Returns TRUE if the index has seen more than there is: commits were lost. If what
   it says is damaged, it is reset later, and nobody else has to care. */
static bool sync_history_is_lost(const struct pgbox_sync_context *ctx)
{
	return ctx->position_is_sound &&
		ctx->position.epoch == ctx->rows.epoch &&
		ctx->uid_validity == ctx->rows.uid_validity &&
		(ctx->position.modseq > ctx->rows.modseq ||
		 ctx->position.uid_next > ctx->rows.uid_next);
}

static enum pgbox_sync_result sync_begin_history(struct pgbox_sync_context *ctx)
{
	struct pgbox_db_failure failure;

	e_error(ctx->mbox->box.event,
		"The database has lost changes that were seen here "
		"(HIGHESTMODSEQ %llu of %llu, UIDNEXT %u of %u): "
		"a new epoch begins",
		(unsigned long long)ctx->rows.modseq,
		(unsigned long long)ctx->position.modseq,
		ctx->rows.uid_next, ctx->position.uid_next);
	if (pgbox_run_history_lost(ctx->mbox->storage->db, ctx->rows.epoch,
				   &failure) < 0) {
		pgbox_mailbox_set_failure(ctx->mbox, &failure);
		return PGBOX_SYNC_FAILED;
	}
	return PGBOX_SYNC_AGAIN;
}

static enum pgbox_sync_result sync_round(struct pgbox_sync_context *ctx)
{
	struct pgbox_db_failure failure;

	if (sync_read_current_position(ctx) < 0 || sync_query(ctx) < 0)
		return PGBOX_SYNC_FAILED;
	if (ctx->rows.epoch_pending) {
		if (pgbox_run_enter_epoch(ctx->mbox->storage->db,
					  &ctx->mbox->known.id,
					  &failure) < 0) {
			pgbox_mailbox_set_failure(ctx->mbox, &failure);
			return PGBOX_SYNC_FAILED;
		}
		return PGBOX_SYNC_AGAIN;
	}
	if (sync_history_is_lost(ctx))
		return sync_begin_history(ctx);
	if (sync_is_unneeded(ctx))
		return PGBOX_SYNC_DONE;
	return sync_locked(ctx);
}

/* The index does not fit. */
static int sync_reset(struct pgbox_sync_context *ctx, bool again)
{
	struct pgbox_mailbox *mbox = ctx->mbox;

	if (ctx->uid_validity != ctx->rows.uid_validity)
		return sync_reset_index(ctx);
	if (mbox->index_replaceable || again) {
		mbox->index_broken = "don't fit the database";
		mail_storage_set_internal_error(mbox->box.storage);
		return -1;
	}
	e_warning(mbox->box.event, "Local index does not fit the database, "
		  "reading the mailbox anew");
	return sync_restart(ctx);
}

static int sync_run(struct pgbox_sync_context *ctx)
{
	bool fscked = mail_index_reset_fscked(ctx->mbox->box.index);
	bool restarted = FALSE;
	unsigned int round;

	if ((ctx->flags & MAILBOX_SYNC_FLAG_FORCE_RESYNC) != 0) {
		if (sync_repair(ctx) < 0 || sync_query(ctx) < 0 ||
		    sync_restart(ctx) < 0)
			return -1;
	} else if (fscked) {
		sync_set_index_failed(ctx);
		return -1;
	}
	for (round = 0; round < PGBOX_SYNC_MAX_ROUNDS; round++) {
		switch (sync_round(ctx)) {
		case PGBOX_SYNC_FAILED:
			return -1;
		case PGBOX_SYNC_DONE:
			return 0;
		case PGBOX_SYNC_AGAIN:
			break;
		case PGBOX_SYNC_RESET:
			if (sync_reset(ctx, restarted) < 0)
				return -1;
			restarted = TRUE;
			break;
		}
	}
	ctx->mbox->index_broken = "can't be synced";
	mailbox_set_critical(&ctx->mbox->box,
			     "Index sync did not end after %u rounds", round);
	return -1;
}

static void
sync_begin(struct pgbox_sync_context *ctx, struct pgbox_mailbox *mbox,
	   const struct pgbox_sync_own *own)
{
	i_zero(ctx);
	ctx->mbox = mbox;
	ctx->own = own;
	ctx->pool = pool_alloconly_create(MEMPOOL_GROWING"pgbox sync", 1024);
	p_array_init(&ctx->recent_uids, ctx->pool, 2);
	mail_index_modseq_enable(mbox->box.index);
}

static void sync_end(struct pgbox_sync_context *ctx, bool success)
{
	pool_unref(&ctx->pool);
	if (success) {
		ctx->mbox->sync_wanted = FALSE;
		ctx->mbox->synced_at = ctx->asked_at;
	}
}

int pgbox_sync(struct pgbox_mailbox *mbox, enum mailbox_sync_flags flags)
{
	struct pgbox_sync_context ctx;
	int ret;

	sync_begin(&ctx, mbox, NULL);
	ctx.flags = flags;
	T_BEGIN {
		ret = sync_run(&ctx);
	} T_END;
	sync_end(&ctx, ret == 0);
	return ret;
}

int pgbox_sync_refresh(struct pgbox_mailbox *mbox, bool as_notified)
{
	if (pgbox_moment_is_same_command(&mbox->synced_at))
		return 0;
	if (as_notified && !mbox->sync_wanted &&
	    pgbox_moment_is_unchanged(&mbox->synced_at, mbox->storage->notify,
				      mbox->known.guid))
		return 0;
	if (pgbox_sync(mbox, 0) == 0)
		return 0;
	/* An index that makes no sense is not the command's fault: the sync at
	   its end drops the files. */
	return mbox->index_broken != NULL ? 0 : -1;
}

uint64_t pgbox_sync_get_modseq(struct pgbox_mailbox *mbox)
{
	struct pgbox_sync_context ctx = { .mbox = mbox };
	struct mail_index_view *view = mail_index_view_open(mbox->box.index);

	sync_read_position(&ctx, view);
	mail_index_view_close(&view);
	return ctx.position.modseq;
}

/* Without asking, if nothing else was new. Returns FALSE if something was. */
static bool sync_own_run(struct pgbox_sync_context *ctx)
{
	if (sync_read_current_position(ctx) < 0 || !pgbox_sync_own_fits(ctx))
		return FALSE;
	ctx->mbox->known.modseq = ctx->own->result->modseq;
	if (!ctx->own->result->changed)
		return TRUE;
	pgbox_sync_own_get_rows(ctx);
	ctx->own_rows = TRUE;
	return sync_locked(ctx) == PGBOX_SYNC_DONE;
}

void pgbox_sync_own(struct pgbox_mailbox *mbox,
		    const ARRAY_TYPE(pgbox_mail_change) *changes,
		    const struct pgbox_change_result *result,
		    const struct pgbox_moment *asked_at,
		    enum mailbox_transaction_flags flags)
{
	const struct pgbox_sync_own own = {
		.changes = changes,
		.result = result,
		.flags = flags,
	};
	struct pgbox_sync_context ctx;
	bool success;

	sync_begin(&ctx, mbox, &own);
	ctx.asked_at = *asked_at;
	pgbox_moment_add_own_changes(&ctx.asked_at);
	T_BEGIN {
		success = sync_own_run(&ctx);
		if (!success) {
			/* The next command has to see it, pipelined or not. A
			   failure is not one of the change. */
			mbox->sync_wanted = TRUE;
			ctx.own_rows = FALSE;
			success = result->changed && sync_run(&ctx) == 0;
		}
	} T_END;
	sync_end(&ctx, success);
}

static bool failure_is_temporary(struct mailbox *box)
{
	enum mail_error error;

	(void)mailbox_get_last_error(box, &error);
	return error == MAIL_ERROR_TEMP || error == MAIL_ERROR_UNAVAILABLE;
}

/* Returns 0 if the index is as new as a sync with these flags wants it, -1 with the
   storage's error set. */
static int
sync_as_wanted(struct pgbox_mailbox *mbox, enum mailbox_sync_flags flags)
{
	struct mailbox *box = &mbox->box;
	bool full = index_mailbox_want_full_sync(box, flags);

	if ((flags & MAILBOX_SYNC_FLAG_FORCE_RESYNC) != 0)
		return pgbox_sync(mbox, flags);
	/* Who only saves needs to see only what it has saved. */
	if (!full && !mbox->sync_wanted &&
	    (box->flags & MAILBOX_FLAG_SAVEONLY) != 0)
		return 0;
	/* A fast sync is that at the end of a command which only reads. */
	return pgbox_sync_refresh(mbox, !full);
}

struct mailbox_sync_context *
pgbox_storage_sync_init(struct mailbox *box, enum mailbox_sync_flags flags)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	int ret = sync_as_wanted(mbox, flags);

	if (mbox->index_broken != NULL) {
		pgbox_mailbox_index_drop(mbox);
		ret = -1;
	}
	if (ret < 0 && mbox->watch != NULL && !mbox->index_dropped &&
	    failure_is_temporary(box)) {
		/* After a failure in IDLE Dovecot would stop waiting, without
		   telling the client. */
		pgbox_watch_retry(mbox->watch);
		ret = 0;
	}
	return index_mailbox_sync_init(box, flags, ret < 0);
}
