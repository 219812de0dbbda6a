/* The flags and keywords that this process has just changed in the database, for
   an index that had everything before: what has become of the mails is known
   without asking. Knows nothing of connections. */

#include "lib.h"
#include "array.h"
#include "mail-index-private.h"
#include "pgbox-sync-private.h"

bool pgbox_sync_own_fits(const struct pgbox_sync_context *ctx)
{
	const struct pgbox_change_result *result = ctx->own->result;

	return result->known &&
		ctx->position.epoch == result->epoch &&
		ctx->position.modseq == result->old_modseq &&
		ctx->position.uid_next == result->uid_next &&
		ctx->uid_validity == result->uid_validity &&
		ctx->keywords == result->keywords &&
		(pgbox_sync_drops_recent(ctx) ?
		 result->first_recent_uid >= result->uid_next :
		 result->first_recent_uid <= ctx->first_recent_uid);
}

void pgbox_sync_own_get_rows(struct pgbox_sync_context *ctx)
{
	const struct pgbox_change_result *result = ctx->own->result;
	struct pgbox_sync_rows *rows = &ctx->rows;

	i_zero(rows);
	rows->exists = TRUE;
	rows->epoch = result->epoch;
	rows->uid_validity = result->uid_validity;
	rows->uid_next = result->uid_next;
	rows->first_recent_uid = result->first_recent_uid;
	rows->modseq = result->modseq;
	p_array_init(&rows->mails, ctx->pool,
		     array_count(ctx->own->changes) + 1);
	p_array_init(&rows->tombstones, ctx->pool,
		     array_count(&result->expunged) + 1);
	array_append_array(&rows->tombstones, &result->expunged);
}

/* Keywords after the change; they are those before when it is called. */
static void
own_change_keywords(struct mail_index *index,
		    const struct pgbox_mail_change *change,
		    ARRAY_TYPE(keyword_indexes) *indexes)
{
	const struct pgbox_keyword_change *keyword;
	unsigned int i, idx;

	if (change->keywords_clear)
		array_clear(indexes);
	if (!array_is_created(&change->keywords))
		return;
	array_foreach(&change->keywords, keyword) {
		mail_index_keyword_lookup_or_create(index, keyword->name, &idx);
		for (i = 0; i < array_count(indexes); i++) {
			if (*array_idx(indexes, i) == idx)
				array_delete(indexes, i--, 1);
		}
		if (keyword->add)
			array_push_back(indexes, &idx);
	}
}

static void
own_apply_change(struct pgbox_sync_context *ctx, uint32_t seq,
		 const struct pgbox_mail_change *change)
{
	const struct mail_index_record *rec =
		mail_index_lookup(ctx->view, seq);
	unsigned int flags = rec->flags & MAIL_FLAGS_NONRECENT;
	ARRAY_TYPE(keyword_indexes) keywords;

	flags = (flags | change->flags_add) & ~change->flags_remove;
	t_array_init(&keywords, 8);
	mail_index_lookup_keywords(ctx->view, seq, &keywords);
	own_change_keywords(ctx->mbox->box.index, change, &keywords);
	pgbox_sync_change_mail(ctx, seq, (enum mail_flags)flags,
			       ctx->own->result->modseq, &keywords);
}

bool pgbox_sync_own_apply(struct pgbox_sync_context *ctx)
{
	const struct pgbox_change_result *result = ctx->own->result;
	const struct pgbox_mail_change *change;
	struct pgbox_sync_mail *mail;
	uint32_t seq;

	array_foreach(ctx->own->changes, change) {
		if (!seq_range_exists(&result->changed_uids, change->uid))
			continue;
		if (!mail_index_lookup_seq(ctx->view, change->uid, &seq))
			return FALSE;
		T_BEGIN {
			own_apply_change(ctx, seq, change);
		} T_END;
		mail = array_append_space(&ctx->rows.mails);
		mail->uid = change->uid;
		mail->modseq = result->modseq;
	}
	return TRUE;
}
