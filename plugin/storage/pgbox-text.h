#ifndef PGBOX_TEXT_H
#define PGBOX_TEXT_H

/* Extracting the text of the mails of an opened mailbox, for SEARCH. */

struct pgbox_mailbox;

/* Extracts text that is missing, until nothing is left that this process can
   get, or msecs have passed (0: no limit). stored_r says whether there was any.
   Mails that other processes are working on are left to them. Returns 0, or -1
   with the mailbox's error set. */
int pgbox_text_fill(struct pgbox_mailbox *mbox, unsigned int msecs,
		    bool *stored_r);

#endif
