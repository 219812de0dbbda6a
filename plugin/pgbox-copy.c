/* Copying and moving mails. Within an account the database does it, without
   the bytes; the rest goes through a save. */

#include "lib.h"
#include "array.h"
#include "mail-copy.h"
#include "index-mail.h"
#include "pgbox-storage.h"
#include "pgbox-save.h"

static bool copy_is_in_database(struct pgbox_save_context *ctx, struct mail *mail)
{
	struct pgbox_storage *storage = ctx->mbox->storage;
	struct pgbox_storage *source;

	if (strcmp(mail->box->storage->name, PGBOX_STORAGE_NAME) != 0)
		return FALSE;
	/* another namespace has another storage object, maybe of the same
	   account; a message given another GUID is another message */
	source = PGBOX_STORAGE(mail->box->storage);
	return source->db == storage->db &&
		source->account_id == storage->account_id &&
		!mail->saving && ctx->ctx.data.guid == NULL &&
		ctx->ctx.data.received_date == (time_t)-1;
}

struct mail *pgbox_save_get_copy_source(struct mail *mail)
{
	struct pgbox_save_context *ctx;

	if (mail->transaction->save_ctx == NULL)
		return NULL;
	ctx = PGBOX_SAVE_CONTEXT(mail->transaction->save_ctx);
	if (ctx->ctx.copy_src_mail == NULL || ctx->ctx.dest_mail != mail)
		return NULL;
	return ctx->copy_source;
}

int pgbox_copy(struct mail_save_context *_ctx, struct mail *mail)
{
	struct pgbox_save_context *ctx = PGBOX_SAVE_CONTEXT(_ctx);
	struct pgbox_save_mail *save_mail;
	struct pgbox_mailbox *source;

	i_assert((_ctx->transaction->flags &
		  MAILBOX_TRANSACTION_FLAG_EXTERNAL) != 0);

	ctx->finished = TRUE;
	if (!copy_is_in_database(ctx, mail))
		return mail_storage_copy(_ctx, mail);
	if (mail->expunged) {
		mail_storage_set_error(_ctx->transaction->box->storage,
			MAIL_ERROR_EXPUNGED,
			"Some of the requested messages no longer exist.");
		index_save_context_free(_ctx);
		return -1;
	}
	save_mail = pgbox_save_add(ctx);
	source = PGBOX_MAILBOX(mail->box);
	save_mail->mail.source_mailbox_id = source->mailbox_id;
	save_mail->mail.source_uid = mail->uid;
	ctx->copy_source = mail;
	if (_ctx->moving)
		save_mail->move_source = mail->transaction;
	index_save_context_free(_ctx);
	return 0;
}
