/* The commit of a saving transaction: its mails become one call of the
   database, or, where new messages and copies are mixed, one explicit
   transaction. Knows nothing of streams. */

#include "lib.h"
#include "array.h"
#include "sha2.h"
#include "pgbox-message.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-save.h"
#include "pgbox-transaction.h"

struct pgbox_save_writer {
	struct pgbox_save_context *ctx;
	struct pgbox_db *db;
	struct pgbox_mailbox_id id;
	/* all mails of the transaction, by ascending UIDs, and where they are in
	   ctx->mails */
	const struct pgbox_new_mail *mails;
	ARRAY(const struct pgbox_save_mail *) sorted;
	unsigned int count;
	/* of the last run of copies */
	int64_t operation;
};

static bool mail_is_copy(const struct pgbox_new_mail *mail)
{
	return mail->source.mailbox_id != 0;
}

/* Number of mails from idx on that one call can add. */
static unsigned int
run_length(const struct pgbox_save_writer *writer, unsigned int idx)
{
	unsigned int i = idx;

	while (i < writer->count &&
	       mail_is_copy(&writer->mails[i]) ==
	       mail_is_copy(&writer->mails[idx]))
		i++;
	return i - idx;
}

static int
run_write(struct pgbox_save_writer *writer, unsigned int idx,
	  unsigned int count, struct pgbox_add_result *result_r,
	  struct pgbox_db_failure *failure_r)
{
	const struct pgbox_new_mail *mails = writer->mails + idx;
	const struct pgbox_mailbox *mbox = writer->ctx->mbox;
	const char *name = mbox->row_remembered ? mbox->box.name : NULL;

	if (!mail_is_copy(mails)) {
		writer->operation = 0;
		return pgbox_run_save(writer->db, &writer->id, name,
				      mbox->storage->set->search_text,
				      mails, count, result_r, failure_r);
	}
	writer->operation = pgbox_operation_create();
	return pgbox_run_copy(writer->db, &writer->id, name, mails, count,
			      writer->operation, result_r, failure_r);
}

static int
runs_write(struct pgbox_save_writer *writer, struct pgbox_add_result *result_r,
	   struct pgbox_db_failure *failure_r)
{
	struct pgbox_add_result result;
	unsigned int idx = 0, count;

	if (pgbox_db_begin(writer->db, failure_r) < 0)
		return -1;
	t_array_init(&result_r->uids, writer->count);
	for (; idx < writer->count; idx += count) {
		count = run_length(writer, idx);
		if (run_write(writer, idx, count, &result, failure_r) < 0) {
			pgbox_db_rollback(writer->db);
			return -1;
		}
		result_r->uid_validity = result.uid_validity;
		array_append_array(&result_r->uids, &result.uids);
	}
	return pgbox_db_commit(writer->db, failure_r);
}

static int
writer_run(struct pgbox_save_writer *writer, struct pgbox_add_result *result_r,
	   struct pgbox_db_failure *failure_r)
{
	writer->id = writer->ctx->mbox->known.id;
	return run_length(writer, 0) == writer->count ?
		run_write(writer, 0, writer->count, result_r, failure_r) :
		runs_write(writer, result_r, failure_r);
}

/* The commit got no answer. All runs are one transaction, so the last one
   tells; the UIDs of those before it are the ones before its own. */
static int
save_settle(struct pgbox_save_writer *writer, const struct pgbox_db_failure *lost,
	    struct pgbox_add_result *result_r)
{
	struct pgbox_mailbox *mbox = writer->ctx->mbox;
	struct pgbox_operation operation = {
		.min_uid = mbox->known.uid_next,
		.min_modseq = mbox->known.modseq,
		.operation = writer->operation,
	};
	ARRAY_TYPE(const_string) guids;
	unsigned int i;

	if (writer->operation == 0) {
		t_array_init(&guids, writer->count + 1);
		for (i = writer->count; i > 0; i--) {
			if (mail_is_copy(&writer->mails[i - 1]))
				break;
			array_push_back(&guids, &writer->mails[i - 1].guid);
		}
		array_append_zero(&guids);
		operation.guids = array_front(&guids);
	}
	if (pgbox_operation_settle(mbox, &operation, lost, result_r) <= 0)
		return -1;
	if (array_count(&result_r->uids) != writer->count) {
		/* we know that all are there, but not where: without UIDs
		   the client gets no APPENDUID or COPYUID */
		array_clear(&result_r->uids);
	}
	return 0;
}

/* If not, pgbox_save_prepare_commit() has seen to it. */
static bool move_is_from_elsewhere(const struct pgbox_save_context *ctx,
				   const struct pgbox_save_mail *save_mail)
{
	return save_mail->move_source != NULL &&
		save_mail->move_source != ctx->ctx.transaction;
}

/* A move's source is expunged by the same statement, if it still is to be:
   plugins may have decided otherwise. */
static void moves_prepare(struct pgbox_save_context *ctx)
{
	struct pgbox_save_mail *save_mail;

	array_foreach_modifiable(&ctx->mails, save_mail) {
		if (!move_is_from_elsewhere(ctx, save_mail))
			continue;
		save_mail->mail.move = pgbox_transaction_expunges(
			pgbox_transaction_get(save_mail->move_source),
			save_mail->mail.source_uid);
	}
}

static void moves_finish(struct pgbox_save_context *ctx)
{
	const struct pgbox_save_mail *save_mail;
	struct pgbox_mailbox *source, *told = NULL;

	array_foreach(&ctx->mails, save_mail) {
		if (!save_mail->mail.move)
			continue;
		if (move_is_from_elsewhere(ctx, save_mail)) {
			pgbox_transaction_forget_expunge(
				pgbox_transaction_get(save_mail->move_source),
				save_mail->mail.source_uid);
		}
		source = PGBOX_MAILBOX(save_mail->move_source->box);
		source->sync_wanted = TRUE;
		if (source != told) {
			pgbox_storage_changed(source->storage, source->known.guid);
			told = source;
		}
	}
}

static void
save_set_failure(struct pgbox_save_context *ctx,
		 const struct pgbox_db_failure *failure)
{
	if (failure->error != PGBOX_DB_ERROR_NOT_FOUND)
		pgbox_mailbox_set_failure(ctx->mbox, failure);
	else if ((ctx->mbox->box.flags & MAILBOX_FLAG_SAVEONLY) != 0)
		pgbox_mailbox_set_try_create(ctx->mbox);
	else
		pgbox_mailbox_set_gone(ctx->mbox);
}

/* By the UID that is wanted, those that want none last, and then in the order in
   which they came */
static int save_mail_cmp(const struct pgbox_save_mail *const *mail1,
			 const struct pgbox_save_mail *const *mail2)
{
	uint32_t uid1 = (*mail1)->mail.uid - 1, uid2 = (*mail2)->mail.uid - 1;

	if (uid1 != uid2)
		return uid1 < uid2 ? -1 : 1;
	return *mail1 < *mail2 ? -1 : 1;
}

/* The database gives ascending UIDs, and dsync does not save in their order. */
static void writer_sort_mails(struct pgbox_save_writer *writer)
{
	struct pgbox_new_mail *mails =
		t_new(struct pgbox_new_mail, writer->count);
	const struct pgbox_save_mail *save_mail;
	unsigned int i = 0;

	t_array_init(&writer->sorted, writer->count);
	array_foreach(&writer->ctx->mails, save_mail)
		array_push_back(&writer->sorted, &save_mail);
	array_sort(&writer->sorted, save_mail_cmp);
	array_foreach_elem(&writer->sorted, save_mail)
		mails[i++] = save_mail->mail;
	writer->mails = mails;
}

/* Brings the UIDs into the order in which the mails were saved. */
static void
writer_sort_uids(const struct pgbox_save_writer *writer,
		 ARRAY_TYPE(pgbox_int64) *uids)
{
	const struct pgbox_save_mail *first =
		array_front(&writer->ctx->mails);
	const struct pgbox_save_mail *const *sorted =
		array_front(&writer->sorted);
	int64_t *saved;
	unsigned int i;

	/* they may be unknown */
	if (array_count(uids) != writer->count)
		return;
	saved = t_new(int64_t, writer->count);
	for (i = 0; i < writer->count; i++)
		saved[sorted[i] - first] = array_idx_elem(uids, i);
	array_clear(uids);
	array_append(uids, saved, writer->count);
}

int pgbox_save_write(struct pgbox_save_context *ctx,
		     struct pgbox_add_result *result_r)
{
	struct pgbox_save_writer writer = {
		.ctx = ctx,
		.db = ctx->mbox->storage->db,
		.count = array_count(&ctx->mails),
	};
	struct pgbox_db_failure failure;
	int ret;

	moves_prepare(ctx);
	writer_sort_mails(&writer);

	ret = writer_run(&writer, result_r, &failure);
	if (ret < 0 && failure.error == PGBOX_DB_ERROR_NOT_FOUND &&
	    ctx->mbox->row_remembered) {
		/* another mailbox has the name now */
		if (pgbox_mailbox_reread(ctx->mbox) <= 0)
			return -1;
		ret = writer_run(&writer, result_r, &failure);
	}
	if (ret < 0) {
		if (failure.error != PGBOX_DB_ERROR_UNCERTAIN) {
			save_set_failure(ctx, &failure);
			return -1;
		}
		if (save_settle(&writer, &failure, result_r) < 0)
			return -1;
	}
	writer_sort_uids(&writer, &result_r->uids);
	moves_finish(ctx);
	pgbox_storage_changed(ctx->mbox->storage, ctx->mbox->known.guid);
	return 0;
}
