#ifndef PGBOX_ISTREAM_H
#define PGBOX_ISTREAM_H

struct mail;
struct pgbox_message_info;

/* Returns a seekable, blocking stream over the bytes of the mail, of which it
   reads only what it is asked for. It must be freed before the mail is closed.
   The info is copied as far as it is needed. */
struct istream *pgbox_istream_create(struct mail *mail,
				     const struct pgbox_message_info *info);

#endif
