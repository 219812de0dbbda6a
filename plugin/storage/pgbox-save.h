#ifndef PGBOX_SAVE_H
#define PGBOX_SAVE_H

/* The mails that a transaction adds, shared by pgbox-save.c, pgbox-copy.c and
   pgbox-save-write.c. */

#include "mail-storage-private.h"
#include "pgbox-query-mail.h"

struct pgbox_save_octets;
struct pgbox_transaction;

struct pgbox_save_mail {
	/* temporary record in the index transaction */
	uint32_t seq;
	/* what the database gets */
	struct pgbox_new_mail mail;
	/* own: the message's bytes, until the transaction ends; NULL for a
	   copy */
	struct istream *spool;
	/* own: memory behind spool, and behind mail.data; or NULL */
	buffer_t *octets, *stored;
	/* foreign: the transaction that the source of a move belongs to. It is
	   this one, or outlives it, because IMAP commits it afterwards. */
	struct mailbox_transaction_context *move_source;

	/* What the source of a copy looked like when it was copied: flags,
	   those of them that are its user's own, and keywords
	   (NULL-terminated, or NULL) */
	enum mail_flags source_flags, source_private_flags;
	const char *const *source_keywords;
};

struct pgbox_save_context {
	struct mail_save_context ctx;
	struct pgbox_mailbox *mbox;
	pool_t pool;
	ARRAY(struct pgbox_save_mail) mails;
	/* foreign: while ctx.copy_src_mail is set, our mail behind it */
	struct mail *copy_source;
	/* own: the mail that is coming in, with CRLF line ends; */
	struct istream *input;
	/* own: its octets */
	struct pgbox_save_octets *octets;
	/* of all the mails */
	size_t memory_bytes;
	/* the current mail */
	bool failed;
	bool finished;
};

#define PGBOX_SAVE_CONTEXT(s) container_of(s, struct pgbox_save_context, ctx)

/* Appends a mail with what the save context says, and a temporary record for
   plugins. */
struct pgbox_save_mail *pgbox_save_add(struct pgbox_save_context *ctx);
/* The commit begins: mail->flags and keywords of a copy, which are what it is to
   have, become differences from what its source looked like. */
void pgbox_copy_set_changes(struct pgbox_save_context *ctx,
			    struct pgbox_save_mail *save_mail);
/* Undoes the last pgbox_save_add(). */
void pgbox_save_remove_last(struct pgbox_save_context *ctx);

/* Writes all mails to the database (pgbox-save-write.c). Returns 0, or -1 with
   the storage's error set and nothing written. */
int pgbox_save_write(struct pgbox_save_context *ctx,
		     struct pgbox_add_result *result_r);

#endif
