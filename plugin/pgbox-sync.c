/* Brings a local index to the state of the database. What is asked for and
   applied is what has changed; what a change looks like in the transaction log
   is in pgbox-sync-log.c. Knows nothing of message bytes. */

#include "lib.h"
#include "array.h"
#include "seq-range-array.h"
#include "mail-index-modseq.h"
#include "mail-index-sync-private.h"
#include "mail-index-view-private.h"
#include "mailbox-recent-flags.h"
#include "index-sync-private.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-sync-log.h"

/* How often a sync begins anew because the mailbox entered an epoch or the
   index had to be reset; each of these needs it once. */
#define PGBOX_SYNC_MAX_ROUNDS 4

struct pgbox_sync_context {
	struct pgbox_mailbox *mbox;
	enum mailbox_sync_flags flags;
	/* MODSEQ of the caller's own change, or 0 */
	uint64_t own_modseq;
	pool_t pool;

	/* what the index has */
	struct pgbox_sync_position position;
	uint32_t uid_validity, first_recent_uid;
	/* what the database has more */
	struct pgbox_sync_rows rows;

	/* while the index is locked: */
	struct mail_index_sync_ctx *sync_ctx;
	struct mail_index_view *view;
	struct mail_index_transaction *trans;
	struct pgbox_sync_log *log;
};

enum pgbox_sync_result {
	PGBOX_SYNC_FAILED = -1,
	PGBOX_SYNC_DONE = 0,
	/* something else has to be done first, or was: begin anew */
	PGBOX_SYNC_AGAIN,
	/* the index does not fit the mailbox: reset it and begin anew */
	PGBOX_SYNC_RESET,
};

static void sync_get_id(struct pgbox_mailbox *mbox, struct pgbox_mailbox_id *id_r)
{
	id_r->account_id = mbox->storage->account_id;
	id_r->mailbox_id = mbox->mailbox_id;
}

static void
sync_read_position(struct pgbox_sync_context *ctx, struct mail_index_view *view)
{
	const struct mail_index_header *hdr = mail_index_get_header(view);
	const struct pgbox_index_header *pgbox_hdr;
	const void *data;
	size_t size;

	i_zero(&ctx->position);
	mail_index_get_header_ext(view, ctx->mbox->hdr_ext_id, &data, &size);
	if (size >= sizeof(*pgbox_hdr)) {
		pgbox_hdr = data;
		ctx->position.epoch = pgbox_hdr->epoch;
		ctx->position.modseq = pgbox_hdr->modseq;
	}
	ctx->position.uid_next = hdr->next_uid;
	ctx->position.keywords = array_count(&ctx->mbox->keywords);
	ctx->uid_validity = hdr->uid_validity;
	ctx->first_recent_uid = hdr->first_recent_uid;
}

bool pgbox_sync_is_behind(struct pgbox_mailbox *mbox)
{
	struct pgbox_sync_context ctx = { .mbox = mbox };
	struct mail_index_view *view = mail_index_view_open(mbox->box.index);

	sync_read_position(&ctx, view);
	mail_index_view_close(&view);
	return ctx.position.modseq < mbox->modseq ||
		ctx.position.uid_next < mbox->uid_next ||
		ctx.uid_validity != mbox->uid_validity;
}

static int sync_query(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_mailbox_id id;
	struct pgbox_db_failure failure;
	const char *name;

	sync_get_id(mbox, &id);
	if (pgbox_run_sync(mbox->storage->db, &id, &ctx->position, ctx->pool,
			   &ctx->rows, &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	if (!ctx->rows.exists) {
		pgbox_mailbox_set_gone(mbox);
		return -1;
	}
	if (!ctx->rows.epoch_pending) {
		mbox->uid_next = ctx->rows.uid_next;
		mbox->modseq = ctx->rows.modseq;
		array_foreach_elem(&ctx->rows.new_keywords, name) {
			unsigned int idx;

			name = p_strdup(mbox->box.pool, name);
			array_push_back(&mbox->keywords, &name);
			mail_index_keyword_lookup_or_create(mbox->box.index,
							    name, &idx);
		}
	}
	return 0;
}

static bool sync_drops_recent(struct pgbox_sync_context *ctx)
{
	return (ctx->mbox->box.flags & MAILBOX_FLAG_DROP_RECENT) != 0;
}

/* Returns TRUE if the index has all of it already. */
static bool sync_is_unneeded(struct pgbox_sync_context *ctx)
{
	const struct pgbox_sync_rows *rows = &ctx->rows;

	if (rows->full || rows->modseq > ctx->position.modseq ||
	    rows->uid_next > ctx->position.uid_next ||
	    rows->uid_validity != ctx->uid_validity)
		return FALSE;
	return sync_drops_recent(ctx) ?
		rows->first_recent_uid >= rows->uid_next :
		rows->first_recent_uid <= ctx->first_recent_uid;
}

/* ---- applying the rows ---- */

/* Keywords whose names the index file has not got yet, in their order. */
static void sync_apply_keyword_names(struct pgbox_sync_context *ctx)
{
	struct mail_index *index = ctx->mbox->box.index;
	const struct mail_index_map *map = ctx->view->map;
	const unsigned int *file_idx;
	const char *name;

	array_foreach_elem(&ctx->mbox->keywords, name) {
		unsigned int idx;
		bool found = FALSE;

		mail_index_keyword_lookup_or_create(index, name, &idx);
		if (array_is_created(&map->keyword_idx_map)) {
			array_foreach(&map->keyword_idx_map, file_idx) {
				if (*file_idx == idx)
					found = TRUE;
			}
		}
		if (!found)
			pgbox_sync_log_keyword(ctx->log, name);
	}
}

static void
sync_apply_keywords(struct pgbox_sync_context *ctx,
		    const struct pgbox_sync_mail *mail, uint32_t seq, bool is_new)
{
	struct mail_index *index = ctx->mbox->box.index;
	ARRAY_TYPE(keyword_indexes) indexes;
	struct mail_keywords *keywords;
	unsigned int i, idx;

	if (mail->keyword_count == 0 && is_new)
		return;
	t_array_init(&indexes, 8);
	for (i = 0; i < mail->keyword_count; i++) {
		const int64_t *id = array_idx(&ctx->rows.keyword_ids,
					      mail->keyword_idx + i);
		if (*id > (int64_t)array_count(&ctx->mbox->keywords))
			continue;
		mail_index_keyword_lookup_or_create(index,
			array_idx_elem(&ctx->mbox->keywords, *id - 1), &idx);
		array_push_back(&indexes, &idx);
	}
	keywords = mail_index_keywords_create_from_indexes(index, &indexes);
	mail_index_update_keywords(ctx->trans, seq, MODIFY_REPLACE, keywords);
	mail_index_keywords_unref(&keywords);
}

/* Returns FALSE if the index does not fit. */
static bool sync_apply_mails(struct pgbox_sync_context *ctx)
{
	const struct pgbox_sync_mail *mail;
	bool fits = TRUE;

	array_foreach(&ctx->rows.mails, mail) T_BEGIN {
		bool is_new = mail->uid >= ctx->position.uid_next;
		uint32_t seq = 0;

		if (is_new)
			mail_index_append(ctx->trans, mail->uid, &seq);
		else if (!mail_index_lookup_seq(ctx->view, mail->uid, &seq))
			fits = FALSE;
		if (seq != 0) {
			if (!is_new || mail->flags != 0) {
				mail_index_update_flags(ctx->trans, seq,
					MODIFY_REPLACE,
					(enum mail_flags)mail->flags);
			}
			sync_apply_keywords(ctx, mail, seq, is_new);
		}
	} T_END;
	return fits;
}

/* The UIDs of which nothing is known but that they are gone: all below
   UIDNEXT that are neither mails nor have a tombstone. */
static void
sync_get_gaps(struct pgbox_sync_context *ctx, ARRAY_TYPE(seq_range) *gaps)
{
	const struct pgbox_sync_mail *mail;
	const struct pgbox_sync_tombstone *tombstone;
	ARRAY_TYPE(seq_range) known;
	const struct seq_range *range;
	uint32_t next = 1;

	t_array_init(&known, 32);
	array_foreach(&ctx->rows.mails, mail)
		seq_range_array_add(&known, mail->uid);
	array_foreach(&ctx->rows.tombstones, tombstone)
		seq_range_array_add(&known, tombstone->uid);
	array_foreach(&known, range) {
		if (range->seq1 > next) {
			seq_range_array_add_range(gaps, next,
						  range->seq1 - 1);
		}
		next = range->seq2 + 1;
	}
	if (ctx->rows.uid_next > next)
		seq_range_array_add_range(gaps, next, ctx->rows.uid_next - 1);
}

static int
sync_mail_modseq_cmp(const struct pgbox_sync_mail *mail1,
		     const struct pgbox_sync_mail *mail2)
{
	if (mail1->modseq != mail2->modseq)
		return mail1->modseq < mail2->modseq ? -1 : 1;
	return mail1->uid < mail2->uid ? -1 : 1;
}

/* Writes all modseqs and expunges in the order in which they happened. */
static void sync_apply_modseqs(struct pgbox_sync_context *ctx)
{
	struct pgbox_sync_rows *rows = &ctx->rows;
	const struct pgbox_sync_mail *mails;
	const struct pgbox_sync_tombstone *tombstones;
	unsigned int mail_count, tombstone_count, m = 0, t = 0;
	ARRAY_TYPE(seq_range) gaps;
	guid_128_t guid;

	t_array_init(&gaps, 32);
	if (rows->full && rows->tombstones_after > 0)
		sync_get_gaps(ctx, &gaps);

	array_sort(&rows->mails, sync_mail_modseq_cmp);
	mails = array_get(&rows->mails, &mail_count);
	tombstones = array_get(&rows->tombstones, &tombstone_count);

	while (m < mail_count && mails[m].modseq < rows->tombstones_after &&
	       rows->full) {
		pgbox_sync_log_modseq(ctx->log, mails[m].uid, mails[m].modseq);
		m++;
	}
	if (array_count(&gaps) > 0) {
		pgbox_sync_log_expunge_ranges(ctx->log, &gaps,
					      rows->tombstones_after);
	}
	while (m < mail_count || t < tombstone_count) {
		if (t < tombstone_count &&
		    (m == mail_count ||
		     tombstones[t].modseq <= mails[m].modseq)) {
			mail_generate_guid_128_hash(tombstones[t].guid, guid);
			pgbox_sync_log_expunge(ctx->log, tombstones[t].uid,
					       guid, tombstones[t].modseq);
			t++;
		} else {
			pgbox_sync_log_modseq(ctx->log, mails[m].uid,
					      mails[m].modseq);
			m++;
		}
	}
	pgbox_sync_log_highest_modseq(ctx->log, rows->modseq);
}

static void sync_notify_expunge(struct pgbox_sync_context *ctx, uint32_t uid)
{
	uint32_t seq;

	if (mail_index_lookup_seq(ctx->view, uid, &seq)) {
		mailbox_sync_notify(&ctx->mbox->box, uid,
				    MAILBOX_SYNC_TYPE_EXPUNGE);
	}
}

/* Tells plugins what disappears, while the index still has it. */
static void sync_notify_expunges(struct pgbox_sync_context *ctx)
{
	struct mailbox *box = &ctx->mbox->box;
	const struct pgbox_sync_mail *mail;
	const struct pgbox_sync_tombstone *tombstone;
	ARRAY_TYPE(seq_range) live;
	uint32_t seq, uid, count;

	/* plugins expect a mailbox that is open */
	if (!box->opened)
		return;
	box->tmp_sync_view = ctx->view;
	if (!ctx->rows.full) {
		array_foreach(&ctx->rows.tombstones, tombstone)
			sync_notify_expunge(ctx, tombstone->uid);
	} else {
		t_array_init(&live, 32);
		array_foreach(&ctx->rows.mails, mail)
			seq_range_array_add(&live, mail->uid);
		count = mail_index_view_get_messages_count(ctx->view);
		for (seq = 1; seq <= count; seq++) {
			mail_index_lookup_uid(ctx->view, seq, &uid);
			if (!seq_range_exists(&live, uid))
				sync_notify_expunge(ctx, uid);
		}
	}
	mailbox_sync_notify(box, 0, 0);
	box->tmp_sync_view = NULL;
}

/* \Recent is given to one session: the database tells which UIDs are ours. */
static int sync_apply_recent(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_mailbox_id id;
	struct pgbox_db_failure failure;
	struct mail_index_view *view;
	uint32_t first_uid = ctx->rows.first_recent_uid;
	uint32_t seq1, seq2;

	if (sync_drops_recent(ctx) && first_uid < ctx->rows.uid_next) {
		sync_get_id(mbox, &id);
		if (pgbox_run_claim_recent(mbox->storage->db, &id,
					   ctx->rows.uid_next, &first_uid,
					   &failure) < 0) {
			pgbox_mailbox_set_failure(mbox, &failure);
			return -1;
		}
		view = mail_index_transaction_open_updated_view(ctx->trans);
		/* another session may have been faster */
		if (first_uid < ctx->rows.uid_next &&
		    mail_index_lookup_seq_range(view, first_uid,
						ctx->rows.uid_next - 1,
						&seq1, &seq2)) {
			mailbox_recent_flags_set_seqs(&mbox->box, view,
						      seq1, seq2);
		}
		mail_index_view_close(&view);
		first_uid = ctx->rows.uid_next;
	}
	if (first_uid > ctx->first_recent_uid) {
		mail_index_update_header(ctx->trans,
			offsetof(struct mail_index_header, first_recent_uid),
			&first_uid, sizeof(first_uid), FALSE);
	}
	return 0;
}

static void sync_apply_header(struct pgbox_sync_context *ctx)
{
	struct pgbox_index_header pgbox_hdr;

	if (ctx->uid_validity == 0) {
		mail_index_update_header(ctx->trans,
			offsetof(struct mail_index_header, uid_validity),
			&ctx->rows.uid_validity,
			sizeof(ctx->rows.uid_validity), TRUE);
	}
	if (ctx->rows.uid_next > ctx->position.uid_next) {
		mail_index_update_header(ctx->trans,
			offsetof(struct mail_index_header, next_uid),
			&ctx->rows.uid_next, sizeof(ctx->rows.uid_next),
			FALSE);
	}
	i_zero(&pgbox_hdr);
	pgbox_hdr.epoch = ctx->rows.epoch;
	pgbox_hdr.modseq = ctx->rows.modseq;
	mail_index_update_header_ext(ctx->trans, ctx->mbox->hdr_ext_id, 0,
				     &pgbox_hdr, sizeof(pgbox_hdr));
}

/* Returns FALSE if the index has mails or modseqs that the database can't
   have had: it was restored from elsewhere, or damaged. */
static bool sync_position_fits(struct pgbox_sync_context *ctx)
{
	uint64_t highest = mail_index_modseq_get_highest(ctx->view);

	if (ctx->uid_validity != 0 &&
	    ctx->uid_validity != ctx->rows.uid_validity)
		return FALSE;
	if (ctx->position.uid_next > ctx->rows.uid_next)
		return FALSE;
	if (ctx->rows.full) {
		/* nothing, or all of it is older than what comes */
		return highest <= 1 || highest < ctx->rows.tombstones_after ||
			(ctx->uid_validity == 0 &&
			 highest < PGBOX_MODSEQ_GAP);
	}
	return highest < ctx->position.modseq + PGBOX_MODSEQ_GAP;
}

static enum pgbox_sync_result sync_apply(struct pgbox_sync_context *ctx)
{
	struct mail_index_sync_rec rec;

	if (!sync_position_fits(ctx))
		return PGBOX_SYNC_RESET;
	/* nothing should be there: what changes mails goes to the database
	   first */
	while (mail_index_sync_next(ctx->sync_ctx, &rec)) ;

	ctx->log = pgbox_sync_log_begin(ctx->trans);
	sync_apply_keyword_names(ctx);
	if (!sync_apply_mails(ctx))
		return PGBOX_SYNC_RESET;
	sync_apply_modseqs(ctx);
	sync_apply_header(ctx);
	if (sync_apply_recent(ctx) < 0)
		return PGBOX_SYNC_FAILED;
	sync_notify_expunges(ctx);
	return PGBOX_SYNC_DONE;
}

/* Hides what the caller has done itself, if nothing else was in the rows. */
static void sync_hide_own_change(struct pgbox_sync_context *ctx)
{
	const struct pgbox_sync_mail *mail;
	const struct pgbox_sync_tombstone *tombstone;
	uint32_t file_seq;
	uoff_t offset, size;

	if (ctx->own_modseq == 0)
		return;
	array_foreach(&ctx->rows.mails, mail) {
		if (mail->modseq != ctx->own_modseq)
			return;
	}
	array_foreach(&ctx->rows.tombstones, tombstone) {
		if (tombstone->modseq != ctx->own_modseq)
			return;
	}
	if (pgbox_sync_log_get_area(ctx->log, &file_seq, &offset, &size)) {
		mail_index_view_add_hidden_transaction(ctx->mbox->box.view,
						       file_seq, offset, size);
	}
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
		if (mail_index_is_deleted(box->index))
			mailbox_set_deleted(box);
		else
			mailbox_set_index_error(box);
		return PGBOX_SYNC_FAILED;
	}
	sync_read_position(ctx, ctx->view);
	if (ctx->position.modseq != old_position.modseq ||
	    ctx->position.epoch != old_position.epoch ||
	    ctx->position.uid_next != old_position.uid_next) {
		/* another process was faster: ask for what is still missing */
		if (sync_query(ctx) < 0)
			result = PGBOX_SYNC_FAILED;
		else if (ctx->rows.epoch_pending)
			result = PGBOX_SYNC_AGAIN;
	}
	if (result == PGBOX_SYNC_DONE && !sync_is_unneeded(ctx))
		result = sync_apply(ctx);

	if (result != PGBOX_SYNC_DONE || ctx->log == NULL)
		mail_index_sync_rollback(&ctx->sync_ctx);
	else if (mail_index_sync_commit(&ctx->sync_ctx) < 0) {
		mailbox_set_index_error(box);
		result = PGBOX_SYNC_FAILED;
	} else {
		sync_hide_own_change(ctx);
	}
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
		mailbox_set_index_error(&ctx->mbox->box);
	return ret;
}

/* All mails get a new MODSEQ, above all that the index can have. */
static int sync_restart(struct pgbox_sync_context *ctx)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_mailbox_id id;
	struct pgbox_db_failure failure;

	sync_get_id(mbox, &id);
	if (pgbox_run_restart(mbox->storage->db, &id, &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	return sync_reset_index(ctx);
}

static enum pgbox_sync_result sync_round(struct pgbox_sync_context *ctx)
{
	struct mail_index *index = ctx->mbox->box.index;
	struct mail_index_view *view;
	struct pgbox_mailbox_id id;
	struct pgbox_db_failure failure;

	if (mail_index_refresh(index) < 0) {
		mailbox_set_index_error(&ctx->mbox->box);
		return PGBOX_SYNC_FAILED;
	}
	view = mail_index_view_open(index);
	sync_read_position(ctx, view);
	mail_index_view_close(&view);

	if (sync_query(ctx) < 0)
		return PGBOX_SYNC_FAILED;
	if (ctx->rows.epoch_pending) {
		sync_get_id(ctx->mbox, &id);
		if (pgbox_run_enter_epoch(ctx->mbox->storage->db, &id,
					  &failure) < 0) {
			pgbox_mailbox_set_failure(ctx->mbox, &failure);
			return PGBOX_SYNC_FAILED;
		}
		return PGBOX_SYNC_AGAIN;
	}
	if (sync_is_unneeded(ctx))
		return PGBOX_SYNC_DONE;
	return sync_locked(ctx);
}

static int sync_run(struct pgbox_sync_context *ctx)
{
	unsigned int round;

	if ((ctx->flags & MAILBOX_SYNC_FLAG_FORCE_RESYNC) != 0 ||
	    mail_index_reset_fscked(ctx->mbox->box.index)) {
		if (sync_query(ctx) < 0 || sync_restart(ctx) < 0)
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
			if (ctx->uid_validity == ctx->rows.uid_validity) {
				e_warning(ctx->mbox->box.event,
					  "Local index does not fit the "
					  "database, reading the mailbox anew");
				if (sync_restart(ctx) < 0)
					return -1;
			} else if (sync_reset_index(ctx) < 0) {
				return -1;
			}
			break;
		}
	}
	mailbox_set_critical(&ctx->mbox->box,
			     "Index sync did not end after %u rounds", round);
	return -1;
}

int pgbox_sync(struct pgbox_mailbox *mbox, enum mailbox_sync_flags flags,
	       uint64_t own_modseq)
{
	struct pgbox_sync_context ctx;
	int ret;

	i_zero(&ctx);
	ctx.mbox = mbox;
	ctx.flags = flags;
	ctx.own_modseq = own_modseq;
	ctx.pool = pool_alloconly_create(MEMPOOL_GROWING"pgbox sync", 1024);
	mail_index_modseq_enable(mbox->box.index);
	T_BEGIN {
		ret = sync_run(&ctx);
	} T_END;
	pool_unref(&ctx.pool);
	if (ret == 0)
		mbox->sync_wanted = FALSE;
	return ret;
}

struct mailbox_sync_context *
pgbox_storage_sync_init(struct mailbox *box, enum mailbox_sync_flags flags)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	int ret = 0;

	if (index_mailbox_want_full_sync(box, flags) || mbox->sync_wanted)
		ret = pgbox_sync(mbox, flags, 0);
	return index_mailbox_sync_init(box, flags, ret < 0);
}
