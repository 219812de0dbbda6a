#ifndef PGBOX_SAVE_OCTETS_H
#define PGBOX_SAVE_OCTETS_H

/* The octets of one mail while it comes in. Small ones wait in memory. Of large
   ones each chunk goes to the database when it is full, and into a temporary
   file, from which the message is parsed and plugins read it. */

struct pgbox_save_context;
struct pgbox_save_mail;
struct pgbox_save_octets;

/* Sets output_r to the stream that takes the octets; it belongs to the caller. */
struct pgbox_save_octets *
pgbox_save_octets_init(struct pgbox_save_context *ctx,
		       struct ostream **output_r);
/* Returns TRUE if a chunk could not be stored: the storage's error is set. */
bool pgbox_save_octets_failed(const struct pgbox_save_octets *octets);
/* All of it has been written: sets save_mail->spool. Returns 0, or -1 with the
   storage's error set. */
int pgbox_save_octets_end(struct pgbox_save_octets *octets,
			  struct pgbox_save_mail *save_mail);
/* Encodes, or sends, what was not before; save_mail->mail.message is known now.
   Sets all else about the octets in save_mail. Returns 0, or -1 with the storage's
   error set. */
int pgbox_save_octets_store(struct pgbox_save_octets *octets,
			    struct pgbox_save_mail *save_mail);
/* Memory that a mail holds until the end of the transaction */
size_t pgbox_save_octets_get_memory(const struct pgbox_save_mail *save_mail);
/* Sets save_mail->mail.message_id if something was sent, for the caller to
   abort the upload if the mail is not saved. */
void pgbox_save_octets_deinit(struct pgbox_save_octets **octets,
			      struct pgbox_save_mail *save_mail);

#endif
