#ifndef PGBOX_MESSAGE_H
#define PGBOX_MESSAGE_H

/* A message as it will be stored: everything that the database keeps beside
   the bytes, computed once from the bytes by Dovecot's own parsers. */

#include "pgbox-sort-key.h"

struct istream;

/* One row of message_part. Strings are UTF-8, NULL if there is none. */
struct pgbox_message_part {
	/* part number as in FETCH BODY[section]; "" for a multipart root */
	const char *section;
	/* type/subtype in lower case */
	const char *media_type;
	const char *charset, *encoding, *disposition, *filename;
	/* bytes from the start of the message */
	uoff_t header_offset;
	/* bytes; the body follows the header */
	uoff_t header_size, body_size;
	unsigned int body_lines;
};

struct pgbox_message {
	/* bytes, with CRLF line ends */
	uoff_t size, header_size;

	/* Date header; has_sent is FALSE if there is no valid one */
	bool has_sent;
	time_t sent;
	/* minutes east of UTC */
	int sent_zone;

	/* first such header, decoded to UTF-8; NULL if there is none */
	const char *subject, *from, *to, *cc, *message_id;

	/* NULL: too long; folded as pgbox_folding_get() says */
	const char *sort_keys[PGBOX_SORT_KEY_COUNT];

	/* what Dovecot caches as mime.parts, imap.envelope and
	   imap.bodystructure */
	const buffer_t *mime_parts;
	const char *envelope, *bodystructure;

	ARRAY(struct pgbox_message_part) parts;
};

/* Reads the stream from its start to its end, leaves it at the end. All
   results are allocated from the pool. Returns 0, or -1 if reading failed:
   see the stream's error. */
int pgbox_message_parse(pool_t pool, struct istream *input,
			struct pgbox_message *message_r);

#endif
