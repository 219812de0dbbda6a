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

static void
own_apply_keywords(struct pgbox_sync_context *ctx, uint32_t seq,
		   const struct pgbox_mail_change *change, bool add,
		   enum modify_type modify_type)
{
	const struct pgbox_keyword_change *keyword;
	ARRAY_TYPE(const_string) names;
	struct mail_keywords *keywords;

	t_array_init(&names, 4);
	if (array_is_created(&change->keywords)) {
		array_foreach(&change->keywords, keyword) {
			if (keyword->add == add)
				array_push_back(&names, &keyword->name);
		}
	}
	if (array_count(&names) == 0 && modify_type != MODIFY_REPLACE)
		return;
	array_append_zero(&names);
	keywords = mail_index_keywords_create(ctx->mbox->box.index,
					      array_front(&names));
	mail_index_update_keywords(ctx->trans, seq, modify_type, keywords);
	mail_index_keywords_unref(&keywords);
}

static void
own_apply_change(struct pgbox_sync_context *ctx, uint32_t seq,
		 const struct pgbox_mail_change *change)
{
	if (change->flags_add != 0) {
		mail_index_update_flags(ctx->trans, seq, MODIFY_ADD,
			(enum mail_flags)change->flags_add);
	}
	if (change->flags_remove != 0) {
		mail_index_update_flags(ctx->trans, seq, MODIFY_REMOVE,
			(enum mail_flags)change->flags_remove);
	}
	if (change->keywords_clear) {
		own_apply_keywords(ctx, seq, change, TRUE, MODIFY_REPLACE);
	} else {
		own_apply_keywords(ctx, seq, change, TRUE, MODIFY_ADD);
		own_apply_keywords(ctx, seq, change, FALSE, MODIFY_REMOVE);
	}
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
