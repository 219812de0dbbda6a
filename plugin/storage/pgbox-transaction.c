/* Changes of flags, keywords and expunges, which are collected while the transaction
   lives. Knows nothing of the database. */

#include "lib.h"
#include "array.h"
#include "bsearch-insert-pos.h"
#include "module-context.h"
#include "index-mail.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-transaction.h"

#define PGBOX_TRANSACTION(t) \
	MODULE_CONTEXT_REQUIRE(t, pgbox_transaction_module)
static MODULE_CONTEXT_DEFINE_INIT(pgbox_transaction_module,
				  &mail_storage_module_register);

struct mailbox_transaction_context *
pgbox_transaction_begin(struct mailbox *box,
			enum mailbox_transaction_flags flags,
			const char *reason)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	struct mailbox_transaction_context *t;
	struct pgbox_transaction *pt;
	bool refresh_failed = FALSE;
	pool_t pool;

	/* Wherever an answer or a deed depends on what others have done
	   (mail-storage.h). Dovecot itself refreshes the index, which is only
	   our cache. */
	if ((flags & MAILBOX_TRANSACTION_FLAG_REFRESH) != 0) T_BEGIN {
		refresh_failed = pgbox_sync_refresh(mbox, TRUE) < 0;
	} T_END;
	t = index_transaction_begin(box, flags, reason);
	pool = pool_alloconly_create("pgbox transaction", 512);
	pt = p_new(pool, struct pgbox_transaction, 1);
	pt->pool = pool;
	pt->t = t;
	pt->refresh_failed = refresh_failed;
	i_array_init(&pt->changes, 8);
	MODULE_CONTEXT_SET(t, pgbox_transaction_module, pt);
	return t;
}

void pgbox_transaction_free(struct pgbox_transaction *pt)
{
	array_free(&pt->changes);
	pool_unref(&pt->pool);
}

struct pgbox_transaction *
pgbox_transaction_get(struct mailbox_transaction_context *t)
{
	return PGBOX_TRANSACTION(t);
}

void pgbox_transaction_rollback(struct mailbox_transaction_context *t)
{
	pgbox_transaction_free(PGBOX_TRANSACTION(t));
	index_transaction_rollback(t);
}

/* ---- collecting ---- */

static int change_uid_cmp(const uint32_t *uid,
			  const struct pgbox_mail_change *change)
{
	return *uid < change->uid ? -1 : (*uid > change->uid ? 1 : 0);
}

static struct pgbox_mail_change *
change_get(struct pgbox_transaction *pt, uint32_t uid)
{
	struct pgbox_mail_change *change;
	unsigned int idx;

	if (!array_bsearch_insert_pos(&pt->changes, &uid, change_uid_cmp,
				      &idx)) {
		change = array_insert_space(&pt->changes, idx);
		change->uid = uid;
		return change;
	}
	return array_idx_modifiable(&pt->changes, idx);
}

void pgbox_mail_update_flags(struct mail *mail, enum modify_type modify_type,
			     enum mail_flags flags)
{
	struct pgbox_mail_change *change;
	uint8_t add = flags & MAIL_FLAGS_NONRECENT, remove = 0;

	index_mail_update_flags(mail, modify_type, flags);
	/* a mail that is being saved takes its flags from the index record */
	if (mail->saving)
		return;
	/* private flags are kept by lib-storage itself */
	if (mail->box->view_pvt != NULL)
		add &= ~mailbox_get_private_flags_mask(mail->box);

	switch (modify_type) {
	case MODIFY_ADD:
		break;
	case MODIFY_REMOVE:
		remove = add;
		add = 0;
		break;
	case MODIFY_REPLACE:
		remove = MAIL_FLAGS_NONRECENT & ~add;
		if (mail->box->view_pvt != NULL)
			remove &= ~mailbox_get_private_flags_mask(mail->box);
		break;
	}
	change = change_get(PGBOX_TRANSACTION(mail->transaction), mail->uid);
	change->flags_add = (change->flags_add & ~remove) | add;
	change->flags_remove = (change->flags_remove & ~add) | remove;
}

static void
change_set_keyword(struct pgbox_transaction *pt,
		   struct pgbox_mail_change *change, const char *name, bool add)
{
	struct pgbox_keyword_change *keyword;

	if (!array_is_created(&change->keywords))
		p_array_init(&change->keywords, pt->pool, 2);
	array_foreach_modifiable(&change->keywords, keyword) {
		if (strcasecmp(keyword->name, name) == 0) {
			keyword->add = add;
			return;
		}
	}
	keyword = array_append_space(&change->keywords);
	keyword->name = name;
	keyword->add = add;
}

void pgbox_mail_update_keywords(struct mail *mail, enum modify_type modify_type,
				struct mail_keywords *keywords)
{
	struct pgbox_transaction *pt = PGBOX_TRANSACTION(mail->transaction);
	const ARRAY_TYPE(keywords) *names =
		mail_index_get_keywords(mail->box->index);
	struct pgbox_mail_change *change;
	unsigned int i;

	index_mail_update_keywords(mail, modify_type, keywords);
	if (mail->saving)
		return;

	change = change_get(pt, mail->uid);
	if (modify_type == MODIFY_REPLACE) {
		change->keywords_clear = TRUE;
		if (array_is_created(&change->keywords))
			array_clear(&change->keywords);
	}
	for (i = 0; i < keywords->count; i++) {
		/* names belong to the index and stay */
		change_set_keyword(pt, change,
				   array_idx_elem(names, keywords->idx[i]),
				   modify_type != MODIFY_REMOVE);
	}
}

void pgbox_mail_update_modseq(struct mail *mail ATTR_UNUSED,
			      uint64_t min_modseq ATTR_UNUSED)
{
	/* The database gives modseqs. One that only this frontend knew would be
	   a difference between frontends; it is only a lower bound that dsync
	   asks for, and the change it belongs to has got a newer one. */
}

void pgbox_mail_expunge(struct mail *mail)
{
	if (mail->saving) {
		index_mail_expunge(mail);
		return;
	}
	/* index_mail_expunge() would look in the cache for the GUID, which
	   comes from the database when it is needed */
	mail_index_expunge(mail->transaction->itrans, mail->seq);
	change_get(PGBOX_TRANSACTION(mail->transaction),
		   mail->uid)->expunge = TRUE;
}

bool pgbox_transaction_expunges(struct pgbox_transaction *pt, uint32_t uid)
{
	const struct pgbox_mail_change *change;

	change = array_bsearch(&pt->changes, &uid, change_uid_cmp);
	return change != NULL && change->expunge;
}

void pgbox_transaction_forget_expunge(struct pgbox_transaction *pt,
				      uint32_t uid)
{
	i_assert(pgbox_transaction_expunges(pt, uid));
	change_get(pt, uid)->expunge = FALSE;
}
