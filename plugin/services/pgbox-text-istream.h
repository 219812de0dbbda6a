#ifndef PGBOX_TEXT_ISTREAM_H
#define PGBOX_TEXT_ISTREAM_H

struct istream;
struct pgbox_db;

/* A seekable stream over a message, which is read in ranges. Its errors: ENOENT
   if the database doesn't have the message (any more), EINVAL if what it has
   can't be read, EIO if it can't be asked. db must outlive the stream. */
struct istream *
pgbox_text_istream_create(struct pgbox_db *db, int64_t account_id,
			  int64_t message_id, uoff_t size);

#endif
