#ifndef PGBOX_QUERY_MESSAGE_H
#define PGBOX_QUERY_MESSAGE_H

/* Reading of messages: what the database knows about them, and their bytes. */

#include "pgbox-db.h"

/* Everything about a mail but its bytes */
struct pgbox_message_info {
	uint32_t uid;
	int64_t message_id;
	const char *guid;

	/* bytes, with CRLF line ends */
	uoff_t size;
	/* bytes of the header with the empty line after it */
	uoff_t header_size;

	time_t received;
	/* (time_t)-1 if the mail has been expunged: its row is gone */
	time_t saved;
	/* Date header; has_sent is FALSE if there is no valid one */
	bool has_sent;
	time_t sent;
	/* minutes east of UTC */
	int sent_zone;

	/* Dovecot's cache fields of these names; NULL if the database doesn't
	   have them */
	const unsigned char *mime_parts;
	size_t mime_parts_size;
	const char *envelope, *bodystructure;

	/* NULL and 0 if there is none */
	const char *pop3_uidl;
	uint32_t pop3_order;
};
ARRAY_DEFINE_TYPE(pgbox_message_info, struct pgbox_message_info);

/* Where a mail is looked for */
enum pgbox_message_source {
	PGBOX_MESSAGE_SOURCE_MAILBOX,
	/* among those that were expunged, while their messages are kept */
	PGBOX_MESSAGE_SOURCE_EXPUNGED,
};

ARRAY_DEFINE_TYPE(pgbox_uids, uint32_t);

/* Appends what is known about the mails in the order of their UIDs, allocated
   from the pool. A UID that doesn't exist is left out, and all after the first
   max_bytes bytes of strings are. Returns 0, or -1 and the failure. */
int pgbox_message_read_infos(struct pgbox_db *db, int64_t account_id,
			     int64_t mailbox_id,
			     enum pgbox_message_source source,
			     const ARRAY_TYPE(pgbox_uids) *uids,
			     size_t max_bytes, pool_t pool,
			     ARRAY_TYPE(pgbox_message_info) *infos,
			     struct pgbox_db_failure *failure_r);

/* Number of mails that share the message. Returns 0, or -1 and the failure. */
int pgbox_message_read_refcount(struct pgbox_db *db, int64_t account_id,
				int64_t message_id, unsigned int *count_r,
				struct pgbox_db_failure *failure_r);

/* ---- bytes ---- */

/* Which bytes of a message are wanted */
enum pgbox_message_extent {
	/* with the byte after it, if there is one */
	PGBOX_MESSAGE_EXTENT_HEADER,
	PGBOX_MESSAGE_EXTENT_WHOLE,
};

struct pgbox_message_chunk {
	int64_t message_id;
	/* from the start of the message */
	uoff_t offset;
	/* octets of the message that it has, even if only its first ones were
	   asked for */
	size_t size;
	/* what is stored of them, see pgbox_chunk_decode() */
	const unsigned char *data;
	size_t data_size;
	bool is_frame;
};

struct pgbox_message_chunks;

/* Bytes within one chunk of a message */
struct pgbox_message_range {
	int64_t account_id, message_id;
	uoff_t offset;
	size_t size;
};

/* What is read at once, with bytes */
struct pgbox_message_request {
	/* only this, if it is not NULL */
	const struct pgbox_message_range *range;

	int64_t account_id;
	/* the messages, ascending, and which of their bytes; or, if there are
	   uids, NULL */
	const ARRAY_TYPE(pgbox_int64) *message_ids;
	enum pgbox_message_extent extent;

	/* Mails of which nothing is known, ascending: everything about them comes
	   with their messages. */
	int64_t mailbox_id;
	const ARRAY_TYPE(pgbox_uids) *uids;
	/* so many bytes are enough: all mails after them are left out */
	size_t max_bytes;
	/* The bytes of larger messages are left out; at most
	   PGBOX_CHUNK_BYTES */
	size_t max_message_bytes;
};

/* Reads it: all of it is in memory until pgbox_message_chunks_free(). Returns 0, or
   -1 and the failure. */
int pgbox_message_read(struct pgbox_db *db,
		       const struct pgbox_message_request *request,
		       struct pgbox_message_chunks **chunks_r,
		       struct pgbox_db_failure *failure_r);
/* Has the database begin to read it. Returns NULL if it can't. */
struct pgbox_db_started *
pgbox_message_start(struct pgbox_db *db,
		    const struct pgbox_message_request *request);
/* Waits for what one of the start functions has begun, frees *started. Returns 0,
   or -1 and the failure. */
int pgbox_message_finish_chunks(struct pgbox_db_started **started,
				struct pgbox_message_chunks **chunks_r,
				struct pgbox_db_failure *failure_r);
/* Gives the next chunk, in the order of messages and offsets. The bytes belong
   to chunks. Returns FALSE if there is none any more. */
bool pgbox_message_chunks_next(struct pgbox_message_chunks *chunks,
			       struct pgbox_message_chunk *chunk_r);
void pgbox_message_chunks_free(struct pgbox_message_chunks **chunks);

/* The same of a request with uids: gives the next mail in the order of UIDs, its info allocated from the pool, and
   all of its message, if that was read: data is not NULL. Returns FALSE if there is
   none any more that makes sense. */
bool pgbox_message_mails_next(struct pgbox_message_chunks *chunks, pool_t pool,
			      struct pgbox_message_info *info_r,
			      struct pgbox_message_chunk *chunk_r);

/* Writes the range that was read to dest. Returns 1, 0 if the database doesn't have
   it (any more), or -1 and the failure. */
int pgbox_message_range_get(const struct pgbox_message_chunks *chunks,
			    const struct pgbox_message_range *range,
			    unsigned char *dest,
			    struct pgbox_db_failure *failure_r);

#endif
