#ifndef PGBOX_DESTINATION_H
#define PGBOX_DESTINATION_H

/* What a process remembers of mailboxes, so that it adds a message to one with a
   single statement. An LMTP process serves many users, most of them again and
   again; an IMAP client copies to the same few folders. Nothing is trusted:
   mail_save() and mail_copy() refuse if the mailbox has another name by then. */

#include "guid.h"

struct pgbox_mailbox;

/* Fills mbox->known. Returns FALSE if it is not remembered, or if the caller wants
   to hear now that there is no such mailbox. */
bool pgbox_destination_get(struct pgbox_mailbox *mbox);
/* The same with only the GUID, and without filling anything. */
bool pgbox_destination_get_guid(const struct pgbox_mailbox *mbox,
				guid_128_t guid_r);
/* Remembers mbox->known. */
void pgbox_destination_remember(const struct pgbox_mailbox *mbox);
/* What was remembered is wrong: mbox->known is unknown again. */
void pgbox_destination_forget(struct pgbox_mailbox *mbox);

void pgbox_destination_deinit(void);

#endif
