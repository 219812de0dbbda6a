#ifndef PGBOX_CLIENT_H
#define PGBOX_CLIENT_H

struct mail_user;

/* Returns the descriptor of the user's IMAP connection, whose end tells that
   nobody waits for an answer any more; 0 if there is none, as in other programs than
   imap. It belongs to imap: nothing is to be read from it. */
int pgbox_client_get_fd(const struct mail_user *user);

#endif
