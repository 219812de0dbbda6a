/* Compresses and decompresses chunks of messages. Knows nothing of the database
   and of mails. */

#include "pgbox-config.h"
#include "lib.h"
#include "buffer.h"
#include "pgbox-chunk.h"

#include <openssl/evp.h>
#include <zstd.h>

/* Measured with text, HTML and attachments: higher levels cost a multiple of the
   time and save another 2 %. */
#define CHUNK_ZSTD_LEVEL 1
/* Blocks end at multiples of this: what is read at least of a frame */
#define CHUNK_BLOCK_BYTES (32 * 1024)
/* What a frame can have beside the octets: its own header, and 3 bytes for each
   block (RFC 8878 3.1.1). Known to sql/queries/message-headers.sql, too. */
#define CHUNK_FRAME_OVERHEAD_BYTES 64

struct pgbox_chunk_encoder {
	bool compress;
	/* of the octets that are still to come */
	uoff_t header_left;
	/* own */
	EVP_MD_CTX *sha256;
	buffer_t *frame;
};

/* Making them anew would cost more than a small message does. */
static ZSTD_CCtx *compressor;
static ZSTD_DCtx *decompressor;

static ATTR_NORETURN void out_of_memory(const char *what)
{
	i_fatal_status(FATAL_OUTOFMEM, "pgbox: %s failed", what);
}

/*
 * Encoding
 */

struct pgbox_chunk_encoder *
pgbox_chunk_encoder_init(bool compress, uoff_t header_size)
{
	struct pgbox_chunk_encoder *encoder;

	encoder = i_new(struct pgbox_chunk_encoder, 1);
	encoder->compress = compress;
	encoder->header_left = header_size;
	encoder->frame = buffer_create_dynamic(default_pool, 4096);
	encoder->sha256 = EVP_MD_CTX_new();
	if (encoder->sha256 == NULL ||
	    EVP_DigestInit_ex(encoder->sha256, EVP_sha256(), NULL) != 1)
		out_of_memory("SHA-256");
	return encoder;
}

static void compressor_start(size_t size)
{
	size_t ret;

	if (compressor == NULL) {
		compressor = ZSTD_createCCtx();
		if (compressor == NULL)
			out_of_memory("ZSTD_createCCtx()");
		ret = ZSTD_CCtx_setParameter(compressor,
			ZSTD_c_compressionLevel, CHUNK_ZSTD_LEVEL);
		i_assert(ZSTD_isError(ret) == 0);
		ret = ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag,
					     1);
		i_assert(ZSTD_isError(ret) == 0);
	}
	ret = ZSTD_CCtx_reset(compressor, ZSTD_reset_session_only);
	i_assert(ZSTD_isError(ret) == 0);
	ret = ZSTD_CCtx_setPledgedSrcSize(compressor, size);
	i_assert(ZSTD_isError(ret) == 0);
}

/* Where the block that begins at pos ends */
static size_t block_get_end(size_t pos, size_t size, uoff_t header_size)
{
	size_t end = (pos / CHUNK_BLOCK_BYTES + 1) * CHUNK_BLOCK_BYTES;

	/* with the byte after it, which readers of a header want, too */
	if (pos <= header_size && header_size < end)
		end = header_size + 1;
	return I_MIN(end, size);
}

/* Returns FALSE if the frame would not be shorter than the octets. */
static bool
chunk_compress(struct pgbox_chunk_encoder *encoder, const void *data,
	       size_t size)
{
	ZSTD_inBuffer in = { .src = data };
	ZSTD_outBuffer out;
	size_t ret;

	if (size <= 1)
		return FALSE;
	buffer_set_used_size(encoder->frame, 0);
	out.dst = buffer_append_space_unsafe(encoder->frame, size - 1);
	out.size = size - 1;
	out.pos = 0;

	compressor_start(size);
	do {
		in.size = block_get_end(in.pos, size, encoder->header_left);
		ret = ZSTD_compressStream2(compressor, &out, &in,
					   in.size == size ? ZSTD_e_end :
					   ZSTD_e_flush);
		if (ZSTD_isError(ret) != 0)
			out_of_memory("ZSTD_compressStream2()");
		/* it has more to write than there is space */
		if (ret > 0)
			return FALSE;
	} while (in.size < size);
	buffer_set_used_size(encoder->frame, out.pos);
	return TRUE;
}

void pgbox_chunk_encode(struct pgbox_chunk_encoder *encoder,
			const void *data, size_t size,
			struct pgbox_stored_chunk *chunk_r)
{
	i_assert(size <= PGBOX_CHUNK_BYTES);

	i_zero(chunk_r);
	chunk_r->size = size;
	if (encoder->compress && chunk_compress(encoder, data, size)) {
		chunk_r->data = encoder->frame->data;
		chunk_r->data_size = encoder->frame->used;
	} else {
		chunk_r->data = data;
		chunk_r->data_size = size;
	}
	encoder->header_left -= I_MIN(encoder->header_left, size);
	if (EVP_DigestUpdate(encoder->sha256, chunk_r->data,
			     chunk_r->data_size) != 1)
		out_of_memory("SHA-256");
}

void pgbox_chunk_encoder_deinit(struct pgbox_chunk_encoder **_encoder,
				unsigned char sha256_r[SHA256_RESULTLEN])
{
	struct pgbox_chunk_encoder *encoder = *_encoder;

	*_encoder = NULL;
	if (EVP_DigestFinal_ex(encoder->sha256, sha256_r, NULL) != 1)
		out_of_memory("SHA-256");
	EVP_MD_CTX_free(encoder->sha256);
	buffer_free(&encoder->frame);
	i_free(encoder);
}

/*
 * Decoding
 */

size_t pgbox_chunk_frame_prefix(size_t size)
{
	return (size + CHUNK_BLOCK_BYTES - 1) / CHUNK_BLOCK_BYTES *
		CHUNK_BLOCK_BYTES + CHUNK_FRAME_OVERHEAD_BYTES;
}

static size_t
frame_decode_beginning(const void *data, size_t data_size,
		       unsigned char *dest, size_t size)
{
	ZSTD_inBuffer in = { .src = data, .size = data_size };
	ZSTD_outBuffer out = { .dst = dest, .size = size };
	size_t ret, in_pos, out_pos;

	ret = ZSTD_DCtx_reset(decompressor, ZSTD_reset_session_only);
	i_assert(ZSTD_isError(ret) == 0);
	do {
		in_pos = in.pos;
		out_pos = out.pos;
		ret = ZSTD_decompressStream(decompressor, &out, &in);
		if (ZSTD_isError(ret) != 0)
			return ret;
	} while (out.pos < out.size &&
		 (in.pos > in_pos || out.pos > out_pos));
	return out.pos;
}

int pgbox_chunk_decode(const void *data, size_t data_size, bool is_frame,
		       unsigned char *dest, size_t size, const char **error_r)
{
	size_t ret;

	if (!is_frame) {
		ret = I_MIN(data_size, size);
		memcpy(dest, data, ret);
	} else {
		if (decompressor == NULL)
			decompressor = ZSTD_createDCtx();
		if (decompressor == NULL)
			out_of_memory("ZSTD_createDCtx()");
		/* all of it is decoded faster, and its checksum compared */
		ret = ZSTD_getFrameContentSize(data, data_size) == size ?
			ZSTD_decompressDCtx(decompressor, dest, size,
					    data, data_size) :
			frame_decode_beginning(data, data_size, dest, size);
	}
	if (is_frame && ZSTD_isError(ret) != 0) {
		*error_r = t_strdup_printf("broken zstd frame: %s",
					   ZSTD_getErrorName(ret));
		return -1;
	}
	if (ret < size) {
		*error_r = t_strdup_printf("chunk has %zu bytes instead of %zu",
					   ret, size);
		return -1;
	}
	return 0;
}

void pgbox_chunk_deinit(void)
{
	(void)ZSTD_freeCCtx(compressor);
	compressor = NULL;
	(void)ZSTD_freeDCtx(decompressor);
	decompressor = NULL;
}
