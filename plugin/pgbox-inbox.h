#ifndef PGBOX_INBOX_H
#define PGBOX_INBOX_H

/* What a process remembers of users' INBOX, so that it adds a message to one
   with a single statement. An LMTP process serves many users; most of them
   again and again. Nothing is trusted: mail_save() refuses if the mailbox has
   another name by then. */

#include "guid.h"

struct mailbox_list;
struct pgbox_mailbox;

/* Fills mbox's row and the storage's account_id. Returns FALSE if the INBOX is
   not known. */
bool pgbox_inbox_get(struct pgbox_mailbox *mbox);
/* Only the GUID: lib-storage wants a path before it opens the mailbox. */
bool pgbox_inbox_get_guid(struct mailbox_list *list, const char *name,
			  guid_128_t guid_r);
/* Remembers mbox's row if it is an INBOX. */
void pgbox_inbox_remember(const struct pgbox_mailbox *mbox);
/* What was remembered is wrong: the account is looked up again, too. */
void pgbox_inbox_forget(struct pgbox_mailbox *mbox);

void pgbox_inbox_deinit(void);

#endif
