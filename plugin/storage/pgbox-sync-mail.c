/* Changes a mail of the index. Knows nothing of where the change comes from. */

#include "lib.h"
#include "array.h"
#include "pgbox-sync-private.h"

static bool
has_keyword(const ARRAY_TYPE(keyword_indexes) *indexes, unsigned int idx)
{
	const unsigned int *other_idx;

	array_foreach(indexes, other_idx) {
		if (*other_idx == idx)
			return TRUE;
	}
	return FALSE;
}

/* Adds or removes the keywords that are in the one and not in the other. */
static void
sync_apply_keywords(struct pgbox_sync_context *ctx, uint32_t seq,
		    enum modify_type modify_type,
		    const ARRAY_TYPE(keyword_indexes) *indexes,
		    const ARRAY_TYPE(keyword_indexes) *without)
{
	ARRAY_TYPE(keyword_indexes) rest;
	struct mail_keywords *keywords;
	const unsigned int *idx;

	t_array_init(&rest, 8);
	array_foreach(indexes, idx) {
		if (!has_keyword(without, *idx))
			array_push_back(&rest, idx);
	}
	if (array_count(&rest) == 0)
		return;
	keywords = mail_index_keywords_create_from_indexes(
		ctx->mbox->box.index, &rest);
	mail_index_update_keywords(ctx->trans, seq, modify_type, keywords);
	mail_index_keywords_unref(&keywords);
}

void pgbox_sync_change_mail(struct pgbox_sync_context *ctx, uint32_t seq,
			    enum mail_flags flags, uint64_t modseq,
			    const ARRAY_TYPE(keyword_indexes) *keywords)
{
	const struct mail_index_record *rec =
		mail_index_lookup(ctx->view, seq);
	unsigned int old_flags = rec->flags & MAIL_FLAGS_NONRECENT;
	unsigned int changed_flags = flags ^ old_flags;
	ARRAY_TYPE(keyword_indexes) old_keywords;

	if ((changed_flags & flags) != 0) {
		mail_index_update_flags(ctx->trans, seq, MODIFY_ADD,
			(enum mail_flags)(changed_flags & flags));
	}
	if ((changed_flags & old_flags) != 0) {
		mail_index_update_flags(ctx->trans, seq, MODIFY_REMOVE,
			(enum mail_flags)(changed_flags & old_flags));
	}
	t_array_init(&old_keywords, 8);
	mail_index_lookup_keywords(ctx->view, seq, &old_keywords);
	sync_apply_keywords(ctx, seq, MODIFY_ADD, keywords, &old_keywords);
	sync_apply_keywords(ctx, seq, MODIFY_REMOVE, &old_keywords, keywords);
	pgbox_sync_digest_remove(ctx, seq);
	ctx->digest += pgbox_sync_digest_mail(ctx->mbox->box.index, rec->uid,
					      flags, modseq, keywords);
}
