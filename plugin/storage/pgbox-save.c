/* Saving mails. Each one is parsed when it is whole, and all of a transaction go
   to the database in one call when it commits. Octets of large ones, and of
   small ones that would add up to too much memory, are uploaded before. The mails in the index transaction are temporary: the real
   ones come by the sync, with the UIDs that the database gave.

   Like imapc-save.c, because UIDs are not ours to give. */

#include "lib.h"
#include "array.h"
#include "guid.h"
#include "ioloop.h"
#include "istream.h"
#include "istream-crlf.h"
#include "ostream.h"
#include "mail-copy.h"
#include "index-mail.h"
#include "pgbox-message.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-save.h"
#include "pgbox-save-octets.h"
#include "pgbox-transaction.h"

struct mail_save_context *
pgbox_save_alloc(struct mailbox_transaction_context *t)
{
	struct pgbox_save_context *ctx;

	i_assert((t->flags & MAILBOX_TRANSACTION_FLAG_EXTERNAL) != 0);

	if (t->save_ctx == NULL) {
		ctx = i_new(struct pgbox_save_context, 1);
		ctx->ctx.transaction = t;
		ctx->mbox = PGBOX_MAILBOX(t->box);
		ctx->pool = pool_alloconly_create("pgbox save", 2048);
		i_array_init(&ctx->mails, 4);
		ctx->finished = TRUE;
		t->save_ctx = &ctx->ctx;
	}
	return t->save_ctx;
}

struct pgbox_save_mail *
pgbox_save_add(struct pgbox_save_context *ctx)
{
	struct mail_save_data *data = &ctx->ctx.data;
	struct mail_index_transaction *itrans = ctx->ctx.transaction->itrans;
	struct pgbox_save_mail *save_mail;
	struct index_mail *imail = INDEX_MAIL(ctx->ctx.dest_mail);
	uint32_t seq;

	mail_index_append(itrans, 0, &seq);
	mail_set_seq_saving(ctx->ctx.dest_mail, seq);
	/* its sequence will be another mail's */
	imail->data.no_caching = TRUE;
	imail->data.forced_no_caching = TRUE;
	/* plugins look at them, and may change them */
	mail_index_update_flags(itrans, seq, MODIFY_REPLACE,
				data->flags & ENUM_NEGATE(MAIL_RECENT));
	if (data->keywords != NULL) {
		mail_index_update_keywords(itrans, seq, MODIFY_REPLACE,
					   data->keywords);
	}

	ctx->copy_source = NULL;
	save_mail = array_append_space(&ctx->mails);
	save_mail->seq = seq;
	save_mail->mail.saved = data->save_date != (time_t)-1 ?
		data->save_date : ioloop_time;
	save_mail->mail.uid = data->uid;
	save_mail->mail.pop3_uidl = p_strdup(ctx->pool, data->pop3_uidl);
	save_mail->mail.pop3_order = data->pop3_order;
	save_mail->mail.min_modseq = data->min_modseq;
	return save_mail;
}

static struct pgbox_save_mail *save_get_last(struct pgbox_save_context *ctx)
{
	return array_back_modifiable(&ctx->mails);
}

int pgbox_save_begin(struct mail_save_context *_ctx, struct istream *input)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);
	struct istream *lf_input;

	ctx->failed = FALSE;
	ctx->finished = FALSE;
	if (_ctx->data.received_date == (time_t)-1)
		_ctx->data.received_date = ioloop_time;
	(void)pgbox_save_add(ctx);
	ctx->octets = pgbox_save_octets_init(ctx, &_ctx->data.output);
	/* as sdbox does: CRs that don't belong to a CRLF are changed by it */
	lf_input = i_stream_create_lf(input);
	ctx->input = i_stream_create_crlf(lf_input);
	i_stream_unref(&lf_input);
	return 0;
}

int pgbox_save_continue(struct mail_save_context *_ctx)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);

	if (ctx->failed)
		return -1;
	if (index_storage_save_continue(_ctx, ctx->input, NULL) < 0 ||
	    pgbox_save_octets_failed(ctx->octets)) {
		ctx->failed = TRUE;
		return -1;
	}
	return 0;
}

/* ---- finishing one mail ---- */

static int
save_set_read_error(struct pgbox_save_context *ctx, struct istream *spool)
{
	mail_set_critical(ctx->ctx.dest_mail, "read(%s) failed: %s",
			  i_stream_get_name(spool), i_stream_get_error(spool));
	return -1;
}

static int
save_store(struct pgbox_save_context *ctx, struct pgbox_save_mail *save_mail)
{
	struct mail_save_data *data = &ctx->ctx.data;
	struct pgbox_message *message =
		p_new(ctx->pool, struct pgbox_message, 1);
	guid_128_t guid;

	if (pgbox_message_parse(ctx->pool, save_mail->spool, message) < 0)
		return save_set_read_error(ctx, save_mail->spool);
	save_mail->mail.message = message;
	save_mail->mail.received = data->received_date;
	if (data->guid != NULL)
		save_mail->mail.guid = p_strdup(ctx->pool, data->guid);
	else {
		guid_128_generate(guid);
		save_mail->mail.guid = p_strdup(ctx->pool,
						guid_128_to_string(guid));
	}
	return pgbox_save_octets_store(ctx->octets, save_mail);
}

/* Lets plugins read the mail that is being saved. */
static void
save_set_dest_mail(struct pgbox_save_context *ctx,
		   struct pgbox_save_mail *save_mail)
{
	struct mail *mail = ctx->ctx.dest_mail;
	struct index_mail *imail = INDEX_MAIL(mail);
	const struct mail_storage_settings *set =
		mail_storage_get_settings(ctx->mbox->box.storage);

	i_stream_seek(save_mail->spool, 0);
	imail->data.received_date = ctx->ctx.data.received_date;
	imail->data.save_date = save_mail->mail.saved;
	imail->data.virtual_size = save_mail->mail.message->size;
	imail->data.physical_size = save_mail->mail.message->size;
	imail->data.guid = p_strdup(imail->mail.data_pool,
				    save_mail->mail.guid);
	if (set->parsed_mail_attachment_detection_add_flags &&
	    !mail_has_attachment_keywords(mail))
		(void)mail_set_attachment_keywords(mail);
}

static int save_finish_octets(struct pgbox_save_context *ctx)
{
	struct mail_save_data *data = &ctx->ctx.data;
	struct pgbox_save_mail *save_mail = save_get_last(ctx);

	if (o_stream_finish(data->output) < 0) {
		mail_set_critical(ctx->ctx.dest_mail, "write(%s) failed: %s",
				  o_stream_get_name(data->output),
				  o_stream_get_error(data->output));
		return -1;
	}
	if (pgbox_save_octets_end(ctx->octets, save_mail) < 0 ||
	    save_store(ctx, save_mail) < 0)
		return -1;
	save_set_dest_mail(ctx, save_mail);
	return 0;
}

int pgbox_save_finish(struct mail_save_context *_ctx)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);

	if (ctx->finished) {
		/* a plugin refused the mail before we saw it */
		index_save_context_free(_ctx);
		return -1;
	}
	ctx->finished = TRUE;
	if (!ctx->failed && save_finish_octets(ctx) < 0)
		ctx->failed = TRUE;
	pgbox_save_octets_deinit(&ctx->octets, save_get_last(ctx));
	if (ctx->failed)
		pgbox_save_remove_last(ctx);
	o_stream_destroy(&_ctx->data.output);
	i_stream_unref(&ctx->input);
	index_save_context_free(_ctx);
	return ctx->failed ? -1 : 0;
}

void pgbox_save_cancel(struct mail_save_context *_ctx)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);

	ctx->failed = TRUE;
	(void)pgbox_save_finish(_ctx);
}

struct istream *pgbox_save_open_stream(struct mail *mail)
{
	struct pgbox_save_context *ctx =
		PGBOX_SAVE_CONTEXT(mail->transaction->save_ctx);
	struct pgbox_save_mail *save_mail;

	array_foreach_modifiable(&ctx->mails, save_mail) {
		if (save_mail->seq == mail->seq && save_mail->spool != NULL) {
			i_stream_seek(save_mail->spool, 0);
			i_stream_ref(save_mail->spool);
			return save_mail->spool;
		}
	}
	/* still coming in */
	return i_stream_create_error_str(ENOENT, "Mail is not saved yet");
}

/* ---- end of the transaction ---- */

static void
save_mail_free(struct pgbox_save_context *ctx, struct pgbox_save_mail *save_mail)
{
	ctx->memory_bytes -= pgbox_save_octets_get_memory(save_mail);
	i_stream_unref(&save_mail->spool);
	buffer_free(&save_mail->octets);
	buffer_free(&save_mail->stored);
}

static void
save_upload_abort(struct pgbox_save_context *ctx,
		  const struct pgbox_save_mail *save_mail)
{
	struct pgbox_mailbox *mbox = ctx->mbox;
	struct pgbox_db_failure failure;

	/* what can't be removed now, the purge removes later */
	if (save_mail->mail.message_id != 0) {
		(void)pgbox_run_upload_abort(mbox->storage->db,
					     mbox->known.id.account_id,
					     save_mail->mail.message_id,
					     &failure);
	}
}

void pgbox_save_remove_last(struct pgbox_save_context *ctx)
{
	struct pgbox_save_mail *save_mail = save_get_last(ctx);
	unsigned int count = array_count(&ctx->mails);

	mail_index_expunge(ctx->ctx.transaction->itrans, save_mail->seq);
	save_upload_abort(ctx, save_mail);
	save_mail_free(ctx, save_mail);
	array_delete(&ctx->mails, count - 1, 1);
}

static void save_free(struct pgbox_save_context *ctx)
{
	struct pgbox_save_mail *save_mail;

	ctx->ctx.transaction->save_ctx = NULL;
	array_foreach_modifiable(&ctx->mails, save_mail)
		save_mail_free(ctx, save_mail);
	array_free(&ctx->mails);
	pool_unref(&ctx->pool);
	i_free(ctx);
}

/* The transaction moves a mail within its mailbox, as dsync does: nothing is left
   of its expunges when the mails are added, so the one that the move does is
   taken out of them now. */
static void save_mail_take_own_expunge(struct pgbox_save_mail *save_mail)
{
	struct pgbox_transaction *pt =
		pgbox_transaction_get(save_mail->move_source);

	save_mail->mail.move =
		pgbox_transaction_expunges(pt, save_mail->mail.source_uid);
	if (save_mail->mail.move) {
		pgbox_transaction_forget_expunge(pt,
			save_mail->mail.source_uid);
	}
}

static const char *const *
save_get_keyword_names(struct pgbox_save_context *ctx,
		       const ARRAY_TYPE(keyword_indexes) *indexes)
{
	const ARRAY_TYPE(keywords) *names =
		mail_index_get_keywords(ctx->mbox->box.index);
	ARRAY_TYPE(const_string) keywords;
	const char *name;
	unsigned int idx;

	p_array_init(&keywords, ctx->pool, array_count(indexes) + 1);
	array_foreach_elem(indexes, idx) {
		name = array_idx_elem(names, idx);
		array_push_back(&keywords, &name);
	}
	array_append_zero(&keywords);
	return array_front(&keywords);
}

void pgbox_save_prepare_commit(struct mail_save_context *_ctx)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);
	struct mail_index_view *view = _ctx->transaction->view;
	ARRAY_TYPE(keyword_indexes) indexes;
	struct pgbox_save_mail *save_mail;
	const struct mail_index_record *rec;

	t_array_init(&indexes, 8);
	array_foreach_modifiable(&ctx->mails, save_mail) {
		if (save_mail->move_source == _ctx->transaction)
			save_mail_take_own_expunge(save_mail);
		rec = mail_index_lookup(view, save_mail->seq);
		save_mail->mail.flags = rec->flags & MAIL_FLAGS_NONRECENT;
		mail_index_lookup_keywords(view, save_mail->seq, &indexes);
		if (array_count(&indexes) > 0) {
			save_mail->mail.keywords =
				save_get_keyword_names(ctx, &indexes);
		}
		if (save_mail->mail.source.mailbox_id != 0)
			pgbox_copy_set_changes(ctx, save_mail);
	}
}

static void
save_set_uids(struct pgbox_save_context *ctx,
	      const struct pgbox_add_result *result)
{
	struct mail_transaction_commit_changes *changes =
		ctx->ctx.transaction->changes;
	struct seq_range *range;
	const int64_t *uid;

	changes->uid_validity = result->uid_validity;
	/* in the order of the mails, which need not be that of the UIDs */
	array_foreach(&result->uids, uid) {
		range = array_count(&changes->saved_uids) == 0 ? NULL :
			array_back_modifiable(&changes->saved_uids);
		if (range == NULL || *uid != range->seq2 + 1) {
			range = array_append_space(&changes->saved_uids);
			range->seq1 = *uid;
		}
		range->seq2 = *uid;
	}
}

/* The records were for plugins to look at; the last ones are dropped from a
   transaction without a trace. */
static void save_expunge_temporary(struct pgbox_save_context *ctx)
{
	unsigned int i = array_count(&ctx->mails);

	while (i > 0) {
		const struct pgbox_save_mail *save_mail =
			array_idx(&ctx->mails, --i);
		mail_index_expunge(ctx->ctx.transaction->itrans,
				   save_mail->seq);
	}
}

int pgbox_transaction_save_commit_pre(struct mail_save_context *_ctx)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);
	struct pgbox_add_result result;
	int ret = 0;

	i_assert(ctx->finished);
	if (array_count(&ctx->mails) > 0) T_BEGIN {
		ret = pgbox_save_write(ctx, &result);
		if (ret == 0) {
			save_expunge_temporary(ctx);
			save_set_uids(ctx, &result);
			ctx->mbox->sync_wanted = TRUE;
		}
	} T_END;
	if (ret < 0)
		pgbox_transaction_save_rollback(_ctx);
	return ret;
}

void pgbox_transaction_save_commit_post(struct mail_save_context *_ctx,
		struct mail_index_transaction_commit_result *result ATTR_UNUSED)
{
	save_free(PGBOX_SAVE_CONTEXT(_ctx));
}

void pgbox_transaction_save_rollback(struct mail_save_context *_ctx)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);
	const struct pgbox_save_mail *save_mail;

	if (!ctx->finished)
		pgbox_save_cancel(_ctx);
	array_foreach(&ctx->mails, save_mail)
		save_upload_abort(ctx, save_mail);
	save_free(ctx);
}
