/* Brings the rows of a sync into the local index. What becomes of modseqs and
   expunges in the transaction log is in pgbox-sync-log.c. Knows nothing of
   connections and locks. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "crc32.h"
#include "seq-range-array.h"
#include "str-sanitize.h"
#include "mail-index-modseq.h"
#include "mail-index-sync-private.h"
#include "mail-index-view-private.h"
#include "mailbox-recent-flags.h"
#include "pgbox-sync-log.h"
#include "pgbox-sync-private.h"

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

static void sync_digest_begin(struct pgbox_sync_context *ctx)
{
	ctx->layout = pgbox_sync_layout_init(ctx->pool, ctx->view);
	if (ctx->rows.full)
		ctx->digest = 0;
	else if ((ctx->index_flags & PGBOX_INDEX_FLAG_DIGEST) == 0)
		ctx->digest = pgbox_sync_digest_index(ctx->view);
}

/* Initializes keywords_r from the data stack. */
static void
sync_get_keywords(struct pgbox_sync_context *ctx,
		  const struct pgbox_sync_mail *mail,
		  ARRAY_TYPE(keyword_indexes) *keywords_r)
{
	unsigned int i, idx;

	t_array_init(keywords_r, 8);
	for (i = 0; i < mail->keyword_count; i++) {
		int64_t id = array_idx_elem(&ctx->rows.keyword_ids,
					    mail->keyword_idx + i);

		/* what is not known is a row's that makes no sense */
		if (id > (int64_t)array_count(&ctx->mbox->keywords))
			continue;
		mail_index_keyword_lookup_or_create(ctx->mbox->box.index,
			array_idx_elem(&ctx->mbox->keywords, id - 1), &idx);
		array_push_back(keywords_r, &idx);
	}
}

static void
sync_apply_change(struct pgbox_sync_context *ctx,
		  const struct pgbox_sync_mail *mail, uint32_t seq)
{
	ARRAY_TYPE(keyword_indexes) keywords;

	sync_get_keywords(ctx, mail, &keywords);
	pgbox_sync_change_mail(ctx, seq, (enum mail_flags)mail->flags,
			       mail->modseq, &keywords);
}

static void
sync_append_mail(struct pgbox_sync_context *ctx,
		 const struct pgbox_sync_mail *mail)
{
	ARRAY_TYPE(keyword_indexes) keywords;
	ARRAY_TYPE(seq_range) *uids;
	const unsigned int *idx;
	uint32_t seq;

	mail_index_append(ctx->trans, mail->uid, &seq);
	if (mail->flags != 0) {
		mail_index_update_flags(ctx->trans, seq, MODIFY_REPLACE,
					(enum mail_flags)mail->flags);
	}
	sync_get_keywords(ctx, mail, &keywords);
	array_foreach(&keywords, idx) {
		uids = array_idx_get_space(&ctx->new_keyword_uids, *idx);
		if (!array_is_created(uids))
			p_array_init(uids, ctx->pool, 4);
		seq_range_array_add(uids, mail->uid);
	}
	ctx->digest += pgbox_sync_digest_mail(ctx->mbox->box.index, mail->uid,
					      mail->flags, mail->modseq,
					      &keywords);
}

/* Keywords that new mails came with are no change of theirs. */
static void sync_apply_new_keywords(struct pgbox_sync_context *ctx)
{
	const ARRAY_TYPE(seq_range) *uids;

	array_foreach(&ctx->new_keyword_uids, uids) {
		if (!array_is_created(uids))
			continue;
		pgbox_sync_log_new_keyword(ctx->log,
			array_idx_elem(&ctx->mbox->box.index->keywords,
				array_foreach_idx(&ctx->new_keyword_uids,
						  uids)),
			uids);
	}
}

/* Returns FALSE if the index does not fit. */
static bool sync_apply_mails(struct pgbox_sync_context *ctx)
{
	const struct pgbox_sync_mail *mail;
	bool fits = TRUE;

	p_array_init(&ctx->new_keyword_uids, ctx->pool, 8);
	array_foreach(&ctx->rows.mails, mail) T_BEGIN {
		uint32_t seq;

		if (mail->uid >= ctx->position.uid_next)
			sync_append_mail(ctx, mail);
		else if (mail_index_lookup_seq(ctx->view, mail->uid, &seq))
			sync_apply_change(ctx, mail, seq);
		else
			fits = FALSE;
	} T_END;
	sync_apply_new_keywords(ctx);
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

static int
sync_tombstone_modseq_cmp(const struct pgbox_sync_tombstone *tombstone1,
			  const struct pgbox_sync_tombstone *tombstone2)
{
	if (tombstone1->modseq != tombstone2->modseq)
		return tombstone1->modseq < tombstone2->modseq ? -1 : 1;
	return tombstone1->uid < tombstone2->uid ? -1 : 1;
}

static void sync_apply_expunge(struct pgbox_sync_context *ctx,
			       const struct pgbox_sync_tombstone *tombstone)
{
	guid_128_t guid;
	uint32_t seq;

	mail_generate_guid_128_hash(tombstone->guid, guid);
	pgbox_sync_log_expunge(ctx->log, tombstone->uid, guid,
			       tombstone->modseq);
	if (mail_index_lookup_seq(ctx->view, tombstone->uid, &seq))
		pgbox_sync_digest_remove(ctx, seq);
}

/* Writes all modseqs and expunges in the order in which they happened. */
static void sync_apply_modseqs(struct pgbox_sync_context *ctx)
{
	struct pgbox_sync_rows *rows = &ctx->rows;
	const struct pgbox_sync_mail *mails;
	const struct pgbox_sync_tombstone *tombstones;
	unsigned int mail_count, tombstone_count, m = 0, t = 0;
	ARRAY_TYPE(seq_range) gaps;

	t_array_init(&gaps, 32);
	if (rows->full && rows->tombstones_after > 0)
		sync_get_gaps(ctx, &gaps);

	array_sort(&rows->mails, sync_mail_modseq_cmp);
	if (rows->damaged > 0)
		array_sort(&rows->tombstones, sync_tombstone_modseq_cmp);
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
			sync_apply_expunge(ctx, &tombstones[t]);
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

static void sync_set_recent(struct pgbox_sync_context *ctx)
{
	struct mail_index_view *view;
	const struct seq_range *range;
	uint32_t seq1, seq2;

	view = mail_index_transaction_open_updated_view(ctx->trans);
	array_foreach(&ctx->recent_uids, range) {
		if (mail_index_lookup_seq_range(view, range->seq1, range->seq2,
						&seq1, &seq2)) {
			mailbox_recent_flags_set_seqs(&ctx->mbox->box, view,
						      seq1, seq2);
		}
	}
	mail_index_view_close(&view);
}

static void sync_apply_recent(struct pgbox_sync_context *ctx)
{
	if (array_count(&ctx->recent_uids) > 0)
		sync_set_recent(ctx);
	if (ctx->rows.first_recent_uid > ctx->first_recent_uid) {
		mail_index_update_header(ctx->trans,
			offsetof(struct mail_index_header, first_recent_uid),
			&ctx->rows.first_recent_uid,
			sizeof(ctx->rows.first_recent_uid), FALSE);
	}
}

unsigned int
pgbox_sync_header_checksum(const struct pgbox_sync_context *ctx,
			   const struct pgbox_index_header *hdr,
			   uint32_t uid_validity, uint32_t uid_next)
{
	const uint32_t numbers[] = {
		hdr->keywords, hdr->flags, uid_validity, uid_next,
	};
	uint32_t crc;

	crc = crc32_data(ctx->mbox->known.guid,
			 sizeof(ctx->mbox->known.guid));
	crc = crc32_data_more(crc, &hdr->epoch, sizeof(hdr->epoch));
	crc = crc32_data_more(crc, &hdr->modseq, sizeof(hdr->modseq));
	return crc32_data_more(crc, numbers, sizeof(numbers)) & 0xffffff;
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
	ctx->mbox->epoch = pgbox_hdr.epoch = ctx->rows.epoch;
	pgbox_hdr.modseq = ctx->rows.modseq;
	pgbox_hdr.digest = ctx->digest;
	if (ctx->own_rows) {
		pgbox_hdr.keywords = ctx->keywords;
		pgbox_hdr.flags = ctx->index_flags;
	} else {
		pgbox_hdr.keywords = array_count(&ctx->mbox->keywords);
		if (!ctx->rows.pop3_values)
			pgbox_hdr.flags |= PGBOX_INDEX_FLAG_NO_POP3_VALUES;
	}
	pgbox_hdr.flags |= PGBOX_INDEX_FLAG_DIGEST;
	if (ctx->rows.damaged > 0)
		pgbox_hdr.flags |= PGBOX_INDEX_FLAG_DAMAGED_ROWS;
	else if (!ctx->rows.full) {
		pgbox_hdr.flags |=
			ctx->index_flags & PGBOX_INDEX_FLAG_DAMAGED_ROWS;
	}
	pgbox_hdr.mailbox_id = ctx->mbox->known.id.mailbox_id;
	pgbox_hdr.checksum =
		pgbox_sync_header_checksum(ctx, &pgbox_hdr,
					   ctx->rows.uid_validity,
					   ctx->rows.uid_next);
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
	if (ctx->position.uid_next > ctx->rows.uid_next ||
	    (ctx->position.modseq > ctx->rows.modseq &&
	     ctx->position.epoch == ctx->rows.epoch))
		return FALSE;
	if (ctx->rows.full) {
		/* nothing, or all of it is older than what comes */
		return highest <= 1 || highest < ctx->rows.tombstones_after ||
			(ctx->uid_validity == 0 &&
			 highest < PGBOX_MODSEQ_GAP);
	}
	return highest < ctx->position.modseq + PGBOX_MODSEQ_GAP;
}

static void sync_log_damage(struct pgbox_sync_context *ctx)
{
	struct mailbox *box = &ctx->mbox->box;

	if (ctx->rows.damaged == 0)
		return;
	e_error(box->event, "%u rows of the database make no sense, the first: "
		"%s. \"doveadm force-resync -u %s '%s'\" mends them",
		ctx->rows.damaged, str_sanitize(ctx->rows.damage, 200),
		box->storage->user->username, box->vname);
}

enum pgbox_sync_result pgbox_sync_apply(struct pgbox_sync_context *ctx)
{
	struct mail_index_sync_rec rec;

	if (!sync_position_fits(ctx))
		return PGBOX_SYNC_RESET;
	/* nothing should be there: what changes mails goes to the database
	   first */
	while (mail_index_sync_next(ctx->sync_ctx, &rec)) ;

	ctx->log = pgbox_sync_log_begin(ctx->trans);
	sync_digest_begin(ctx);
	if (ctx->position.epoch != 0 &&
	    ctx->position.epoch != ctx->rows.epoch) {
		/* commits were lost: UIDs may belong to other messages */
		pgbox_mailbox_index_drop_cache(ctx->mbox, ctx->trans);
	}
	if (ctx->own_rows) {
		if (!pgbox_sync_own_apply(ctx))
			return PGBOX_SYNC_RESET;
	} else {
		sync_apply_keyword_names(ctx);
		if (!sync_apply_mails(ctx))
			return PGBOX_SYNC_RESET;
	}
	sync_apply_modseqs(ctx);
	sync_apply_header(ctx);
	sync_apply_recent(ctx);
	sync_notify_expunges(ctx);
	sync_log_damage(ctx);
	return PGBOX_SYNC_DONE;
}
