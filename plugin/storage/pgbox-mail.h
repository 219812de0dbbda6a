#ifndef PGBOX_MAIL_H
#define PGBOX_MAIL_H

/* A mail as the files that read it share it. */

#include "index-mail.h"

struct pgbox_message_info;

/* What can be answered without reading a mail's bytes: for
   mail_storage.nonbody_access_fields */
#define PGBOX_MAIL_NONBODY_FIELDS \
	(MAIL_FETCH_MESSAGE_PARTS | MAIL_FETCH_RECEIVED_DATE | \
	 MAIL_FETCH_SAVE_DATE | MAIL_FETCH_DATE | MAIL_FETCH_PHYSICAL_SIZE | \
	 MAIL_FETCH_VIRTUAL_SIZE | MAIL_FETCH_UIDL_BACKEND | MAIL_FETCH_GUID | \
	 MAIL_FETCH_POP3_ORDER | MAIL_FETCH_REFCOUNT | \
	 MAIL_FETCH_REFCOUNT_ID | MAIL_FETCH_IMAP_BODY | \
	 MAIL_FETCH_IMAP_BODYSTRUCTURE | MAIL_FETCH_IMAP_ENVELOPE)

struct pgbox_mail {
	struct index_mail imail;

	/* The stored values that Dovecot found wrong: it computes them from
	   the bytes then. */
	enum mail_fetch_field distrusted_fields;
	/* More than the header will be read */
	bool body_wanted:1;
	/* pgbox_mail_load_body() has been there */
	bool body_loaded:1;
};

#define PGBOX_MAIL(s) \
	(container_of(s, struct pgbox_mail, imail.mail.mail))

/* Returns the mail whose row tells about this one: itself, or the source of a
   copy that is being made. NULL if it is a new message: there are only its
   bytes then (pgbox_save_open_stream()). */
struct mail *pgbox_mail_get_row_mail(struct mail *mail);
/* Reads what the database knows about the mail. Returns 0 and the info, which
   is valid until more is read of the mailbox, or -1 with the error set: also if
   the lookup must be aborted and the info is not in memory. */
int pgbox_mail_get_info(struct pgbox_mail *mail,
			const struct pgbox_message_info **info_r);
/* Fills parts from the stored ones if it can. Returns FALSE if they must be
   parsed. */
bool pgbox_mail_set_parts(struct pgbox_mail *mail,
			  const struct pgbox_message_info *info);

/* ---- pgbox-mail-special.c ---- */
int pgbox_mail_get_special(struct mail *mail, enum mail_fetch_field field,
			   const char **value_r);

#endif
