#ifndef PGBOX_MAIL_WINDOW_H
#define PGBOX_MAIL_WINDOW_H

/* What a session has read of a mailbox's mails, and the reading ahead: when a
   mail is missing, the ones that will probably be asked for next come with
   it. Messages never change and within an epoch a UID never gets another one, so
   nothing here becomes wrong; it is only dropped to keep memory small. */

#include "pgbox-query-message.h"

struct mail;
struct pgbox_mailbox;
struct pgbox_mail_window;
struct pgbox_octets;
struct pgbox_range_cache;

/* Returns the mailbox's window, which is created if there is none. The mailbox
   must have been looked up. */
struct pgbox_mail_window *pgbox_mail_window_get(struct pgbox_mailbox *mbox);
/* Sets mbox->window to NULL. To be called when the mailbox is closed; may be
   called at any time when none of its mails is open. */
void pgbox_mail_window_free(struct pgbox_mailbox *mbox);

/* A search begins, and last_uid is that of the last mail that it can give, 0 if it
   gives none: no bytes are read ahead beyond it. */
void pgbox_mail_window_set_last_uid(struct pgbox_mailbox *mbox,
				    uint32_t last_uid);

/* Infos are valid until the next call of a function of this header. */

/* Returns what is in memory about the mail, or NULL. */
const struct pgbox_message_info *
pgbox_mail_window_find_info(struct mail *mail);
/* Reads it if needed. With octets_wanted the bytes of a small mail come with it,
   because they will be asked for, too. Returns 1, 0 if the mail doesn't exist any
   more, or -1 with the mailbox's error set. */
int pgbox_mail_window_get_info(struct mail *mail, bool octets_wanted,
			       const struct pgbox_message_info **info_r);
/* Reads bytes from the start of the mail if needed: its header or all. Returns
   1 and a new reference to the bytes, which may be more than was asked for, 0
   if they are so many that they must be read in ranges, or if the mail doesn't
   exist any more, or -1 with the mailbox's error set. */
int pgbox_mail_window_get_octets(struct mail *mail,
				 enum pgbox_message_extent extent,
				 struct pgbox_octets **octets_r);

/* Bytes of the mail were missing. Asks the database whether it still has the
   mail. Returns 1, 0 if not, or -1 with the mailbox's error set. */
int pgbox_mail_window_check_exists(struct mail *mail);

/* Ranges of the mailbox's large mails */
struct pgbox_range_cache *
pgbox_mail_window_get_ranges(struct pgbox_mail_window *window);

#endif
