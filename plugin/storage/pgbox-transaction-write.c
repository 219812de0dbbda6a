/* What a transaction has collected goes to the database when it commits, before
   anything of it is in the local index: a database that refuses makes the command
   fail. What was written is then brought into the index, so that the next command
   sees it. */

#include "lib.h"
#include "array.h"
#include "seq-range-array.h"
#include "mail-index-transaction-private.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-transaction.h"

static bool changes_are_empty(const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	const struct pgbox_mail_change *change;

	array_foreach(changes, change) {
		if (change->flags_add != 0 || change->flags_remove != 0 ||
		    change->keywords_clear || change->expunge ||
		    (array_is_created(&change->keywords) &&
		     array_count(&change->keywords) > 0))
			return FALSE;
	}
	return TRUE;
}

/* All that was asked for and was not changed, when the answer with the
   conflicts is lost. */
static void
changes_get_unchanged(const ARRAY_TYPE(pgbox_mail_change) *changes,
		      const ARRAY_TYPE(pgbox_int64) *changed_uids,
		      ARRAY_TYPE(pgbox_int64) *unchanged_r)
{
	const struct pgbox_mail_change *change;
	const int64_t *uids;
	unsigned int i = 0, count;

	t_array_init(unchanged_r, 8);
	uids = array_get(changed_uids, &count);
	array_foreach(changes, change) {
		while (i < count && uids[i] < change->uid)
			i++;
		if ((i == count || uids[i] != change->uid) && !change->expunge) {
			int64_t uid = change->uid;
			array_push_back(unchanged_r, &uid);
		}
	}
}

/* Mails that are neighbours here are so in the database: what it has more has
   higher UIDs. */
static void changes_find_neighbours(struct pgbox_transaction *pt)
{
	struct pgbox_mail_change *change;
	uint32_t seq, last_seq = 0;

	array_foreach_modifiable(&pt->changes, change) {
		if (!mail_index_lookup_seq(pt->t->itrans->view, change->uid, &seq))
			seq = 0;
		change->adjoins = last_seq != 0 && seq == last_seq + 1;
		last_seq = seq;
	}
}

/* What imap calls the transaction of EXPUNGE, UID EXPUNGE and CLOSE
   (imap/imap-expunge.c). It has searched for \Deleted in another one before. */
#define EXPUNGE_REASON "EXPUNGE"

/* What was the reason for expunging must still hold when it is done. */
static void
changes_get_condition(const struct pgbox_transaction *pt,
		      struct pgbox_change_condition *condition_r)
{
	i_zero(condition_r);
	condition_r->max_modseq = pt->t->itrans->max_modseq;
	condition_r->expunge_max_modseq = pt->searched_modseq;
	if (null_strcmp(pt->t->reason, EXPUNGE_REASON) == 0)
		condition_r->expunge_flags = MAIL_DELETED;
}

static int
changes_write(struct pgbox_transaction *pt, struct pgbox_change_result *result_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(pt->t->box);
	struct pgbox_operation operation = {
		.min_modseq = mbox->known.modseq,
		.operation = pgbox_operation_create(),
	};
	struct pgbox_add_result done;
	struct pgbox_db_failure failure;
	struct pgbox_change_condition condition;

	i_zero(result_r);
	changes_find_neighbours(pt);
	changes_get_condition(pt, &condition);
	if (pgbox_run_change(mbox->storage->db, &mbox->known.id, &condition,
			     &pt->changes, operation.operation, result_r,
			     &failure) == 0)
		return 0;
	if (failure.error == PGBOX_DB_ERROR_NOT_FOUND) {
		pgbox_mailbox_set_gone(mbox);
		return -1;
	}
	if (failure.error != PGBOX_DB_ERROR_UNCERTAIN) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	if (pgbox_operation_settle(mbox, &operation, &failure, &done) <= 0)
		return -1;
	result_r->changed = TRUE;
	if (condition.max_modseq != 0) {
		changes_get_unchanged(&pt->changes, &done.uids,
				      &result_r->conflict_uids);
	} else {
		t_array_init(&result_r->conflict_uids, 1);
	}
	return 0;
}

static void
conflicts_set(struct mail_index_transaction *itrans,
	      const ARRAY_TYPE(pgbox_int64) *uids)
{
	const int64_t *uid;
	uint32_t seq;

	if (itrans->conflict_seqs == NULL)
		return;
	array_foreach(uids, uid) {
		if (mail_index_lookup_seq(itrans->view, *uid, &seq)) {
			seq_range_array_add_with_init(itrans->conflict_seqs,
						      16, seq);
		}
	}
}

/* Takes the changes out of the index transaction. Committed as they are they
   would overwrite what another frontend has done later. Mails being saved are
   appended records, which keep their flags in them. */
static void itrans_forget_changes(struct mail_index_transaction *itrans)
{
	struct mail_index_transaction_keyword_update *update;

	if (array_is_created(&itrans->updates))
		array_clear(&itrans->updates);
	if (array_is_created(&itrans->expunges))
		array_clear(&itrans->expunges);
	if (array_is_created(&itrans->keyword_updates)) {
		array_foreach_modifiable(&itrans->keyword_updates, update) {
			if (array_is_created(&update->add_seq))
				array_clear(&update->add_seq);
			if (array_is_created(&update->remove_seq))
				array_clear(&update->remove_seq);
		}
	}
	itrans->min_flagupdate_seq = 0;
	itrans->max_flagupdate_seq = 0;
	itrans->max_modseq = 0;
	mail_index_transaction_set_log_updates(itrans);
}

static int transaction_write(struct pgbox_transaction *pt)
{
	struct mailbox_transaction_context *t = pt->t;
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(t->box);
	struct pgbox_change_result result;
	struct pgbox_moment asked_at;

	if (array_count(&pt->changes) == 0)
		return 0;
	if (!changes_are_empty(&pt->changes)) {
		pgbox_moment_set(&asked_at, mbox->storage->notify);
		if (changes_write(pt, &result) < 0)
			return -1;
		conflicts_set(t->itrans, &result.conflict_uids);
		if (result.changed) {
			pgbox_storage_changed(mbox->storage, mbox->known.guid);
		}
		pgbox_sync_own(mbox, &pt->changes, &result, &asked_at,
			       t->flags);
	}
	/* the saves' own keywords are read before this (pgbox-save.c) */
	itrans_forget_changes(t->itrans);
	return 0;
}

int pgbox_transaction_commit(struct mailbox_transaction_context *t,
			     struct mail_transaction_commit_changes *changes_r)
{
	struct pgbox_transaction *pt = pgbox_transaction_get(t);
	struct mail_index *index = t->box->index;
	int ret;

	if (t->save_ctx != NULL)
		pgbox_save_prepare_commit(t->save_ctx);
	T_BEGIN {
		ret = transaction_write(pt);
		if (ret == 0)
			ret = pgbox_attribute_commit(t);
	} T_END;
	if (ret < 0) {
		i_zero(changes_r);
		pgbox_transaction_rollback(t);
		return -1;
	}
	pgbox_transaction_free(pt);
	ret = index_transaction_commit(t, changes_r);
	if (ret < 0) {
		/* Dovecot tells the index what the database has refused. */
		mail_index_reset_error(index);
	}
	return ret;
}
