#ifndef PGBOX_CHUNK_H
#define PGBOX_CHUNK_H

/* The octets of a message as they are stored: pieces of 256 KiB, each of them
   a zstd frame (RFC 8878) if that is shorter, otherwise as they are. If a piece
   has much base64, the frame is of its packed octets (pgbox-base64.h), and a
   mark stands before it.

   A frame can be decoded from its beginning without having all of it, because
   its blocks end at the message's header and every 32 KiB: so the header, and
   ranges, are read without the rest. */

#include "sha2.h"

/* Octets of a message in one row of message_chunk; only the last one of a
   message has fewer. */
#define PGBOX_CHUNK_BYTES (256 * 1024)

struct pgbox_stored_chunk {
	/* octets of the message */
	size_t size;
	/* What is stored for them: a zstd frame if data_size < size. */
	const void *data;
	size_t data_size;
};

struct pgbox_chunk_encoder;

/* For one message. header_size is that of its header in bytes. */
struct pgbox_chunk_encoder *
pgbox_chunk_encoder_init(bool compress, uoff_t header_size);
/* Encodes the next chunk of the message, in their order. chunk_r is valid until
   the next call or as long as data is. */
void pgbox_chunk_encode(struct pgbox_chunk_encoder *encoder,
			const void *data, size_t size,
			struct pgbox_stored_chunk *chunk_r);
/* Returns the SHA-256 of what was stored. */
void pgbox_chunk_encoder_deinit(struct pgbox_chunk_encoder **encoder,
				unsigned char sha256_r[SHA256_RESULTLEN]);

/* How many bytes of a frame are enough for the chunk's first size octets */
size_t pgbox_chunk_frame_prefix(size_t size);
/* Gives the first size octets of a chunk. data may lack what is not needed for
   them. Returns 0, or -1 and an error if the frame is broken or too short. */
int pgbox_chunk_decode(const void *data, size_t data_size, bool is_frame,
		       unsigned char *dest, size_t size, const char **error_r);

/* Frees what is kept from one message to the next. */
void pgbox_chunk_deinit(void);

#endif
