/* Copying and moving mails. Within a database that does it, without the bytes coming
   here; the rest goes through a save. */

#include "lib.h"
#include "array.h"
#include "mail-copy.h"
#include "index-mail.h"
#include "pgbox-storage.h"
#include "pgbox-save.h"

static bool copy_is_in_database(struct pgbox_save_context *ctx, struct mail *mail)
{
	/* A delivery to several recipients copies the first one's mail, of which
	   the others get neither flags nor the fate. */
	if (strcmp(mail->box->storage->name, PGBOX_STORAGE_NAME) != 0 ||
	    mail->box->storage->user != ctx->mbox->box.storage->user)
		return FALSE;
	/* a message given another GUID is another message */
	return PGBOX_STORAGE(mail->box->storage)->db ==
			ctx->mbox->storage->db &&
		!mail->saving && ctx->ctx.data.guid == NULL &&
		ctx->ctx.data.received_date == (time_t)-1;
}

/*
 * Flags
 */

/* A copy gets the flags and keywords that its source has in the database when the
   copying is committed: what the caller has seen of them may be out of date. But
   ACLs may have taken some away, and Sieve, dsync and plugins may have set
   others: these differ from what the caller saw. */

static const char *const *
keywords_subtract(struct pgbox_save_context *ctx, const char *const *from,
		  const char *const *keywords)
{
	ARRAY_TYPE(const_string) left;

	if (from == NULL)
		return NULL;
	p_array_init(&left, ctx->pool, 4);
	for (; *from != NULL; from++) {
		if (keywords == NULL || !str_array_icase_find(keywords, *from))
			array_push_back(&left, from);
	}
	array_append_zero(&left);
	return array_front(&left);
}

void pgbox_copy_set_changes(struct pgbox_save_context *ctx,
			    struct pgbox_save_mail *save_mail)
{
	struct pgbox_new_mail *mail = &save_mail->mail;
	enum mail_flags wanted = mail->flags, seen = save_mail->source_flags;
	/* of these the row tells nothing */
	enum mail_flags private = save_mail->source_private_flags;
	const char *const *keywords = mail->keywords;

	mail->flags = wanted & (ENUM_NEGATE(seen) | private);
	mail->flags_remove = ENUM_NEGATE(wanted) & (seen | private) &
		MAIL_FLAGS_NONRECENT;
	mail->keywords = keywords_subtract(ctx, keywords,
					   save_mail->source_keywords);
	mail->keywords_remove = keywords_subtract(ctx,
					save_mail->source_keywords, keywords);
}

static void copy_note_flags(struct pgbox_save_context *ctx,
			    struct pgbox_save_mail *save_mail,
			    struct mail *source)
{
	const char *const *keywords = mail_get_keywords(source);

	save_mail->source_flags = mail_get_flags(source);
	if (source->box->view_pvt != NULL) {
		save_mail->source_private_flags =
			mailbox_get_private_flags_mask(source->box);
	}
	if (*keywords != NULL) {
		save_mail->source_keywords =
			p_strarray_dup(ctx->pool, keywords);
	}
}

/*
 * Copying
 */

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
	save_mail->mail.source = PGBOX_MAILBOX(mail->box)->known.id;
	save_mail->mail.source_uid = mail->uid;
	copy_note_flags(ctx, save_mail, mail);
	ctx->copy_source = mail;
	if (_ctx->moving)
		save_mail->move_source = mail->transaction;
	index_save_context_free(_ctx);
	return 0;
}
