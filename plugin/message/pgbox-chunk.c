/* Compresses and decompresses chunks of messages. Knows nothing of the database
   and of mails. */

#include "pgbox-config.h"
#include "lib.h"
#include "buffer.h"
#include "byteorder.h"
#include "pgbox-base64.h"
#include "pgbox-chunk.h"

#include <openssl/evp.h>
#include <zstd.h>

/* Measured with text, HTML and attachments: higher levels cost a multiple of the
   time and save another 2 %. */
#define CHUNK_ZSTD_LEVEL 1
/* Blocks end at multiples of this: what is read at least of a frame */
#define CHUNK_BLOCK_BYTES PGBOX_BASE64_MAX_BYTES
/* One more is that of the header. */
#define CHUNK_MAX_BLOCKS (PGBOX_CHUNK_BYTES / CHUNK_BLOCK_BYTES + 1)
/* What a frame can have beside the octets: its own header, and 3 bytes for each
   block (RFC 8878 3.1.1); if they are packed, a mark and 3 bytes for each block
   more. Known to sql/queries/message-headers.sql, too. */
#define CHUNK_FRAME_OVERHEAD_BYTES 128
/* Less is not worth a mark and segments. */
#define CHUNK_MIN_SAVED_BYTES 1024
/* What stands before a frame of packed octets: a skippable frame (RFC 8878
   3.1.2), whose four bytes say how many octets they are. Known to
   sql/functions/chunk-octets.sql, too. */
#define CHUNK_MARK "\x50\x2a\x4d\x18\x04\x00\x00\x00"
#define CHUNK_MARK_BYTES 8
#define CHUNK_MARK_ALL_BYTES (CHUNK_MARK_BYTES + 4)
#define CHUNK_MAX_PACKED_BYTES \
	(PGBOX_CHUNK_BYTES + CHUNK_MAX_BLOCKS * PGBOX_BASE64_OVERHEAD_BYTES)

struct pgbox_chunk_encoder {
	bool compress;
	/* of the octets that are still to come */
	uoff_t header_left;
	/* own */
	EVP_MD_CTX *sha256;
	buffer_t *frame;
};

/* What is compressed: blocks, each with its end in data */
struct chunk_blocks {
	const unsigned char *data;
	size_t ends[CHUNK_MAX_BLOCKS];
	unsigned int count;
};

/* Making them anew would cost more than a small message does. */
static ZSTD_CCtx *compressor;
static ZSTD_DCtx *decompressor;
static unsigned char *packed_octets;

static ATTR_NORETURN void out_of_memory(const char *what)
{
	i_fatal_status(FATAL_OUTOFMEM, "pgbox: %s failed", what);
}

static void packed_octets_alloc(void)
{
	if (packed_octets == NULL)
		packed_octets = i_malloc(CHUNK_MAX_PACKED_BYTES);
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

static void
chunk_divide(const unsigned char *data, size_t size, uoff_t header_size,
	     struct chunk_blocks *blocks_r)
{
	size_t pos = 0;

	blocks_r->data = data;
	blocks_r->count = 0;
	while (pos < size) {
		pos = block_get_end(pos, size, header_size);
		blocks_r->ends[blocks_r->count++] = pos;
	}
}

/* Packs each block if that is worth it for all of them together. */
static bool chunk_pack(struct chunk_blocks *blocks)
{
	struct chunk_blocks packed = { .count = blocks->count };
	size_t begin, saved[CHUNK_MAX_BLOCKS], all_saved = 0, used = 0;
	unsigned int i;

	packed_octets_alloc();
	packed.data = packed_octets;
	for (i = 0, begin = 0; i < blocks->count; begin = blocks->ends[i++]) {
		used += pgbox_base64_pack(blocks->data + begin,
					  blocks->ends[i] - begin,
					  packed_octets + used, &saved[i]);
		all_saved += saved[i];
		packed.ends[i] = used;
	}
	if (all_saved < CHUNK_MIN_SAVED_BYTES)
		return FALSE;
	for (i = 0; i < blocks->count; i++) {
		if (saved[i] > 0)
			continue;
		begin = i == 0 ? 0 : blocks->ends[i - 1];
		pgbox_base64_keep(blocks->data + begin,
				  blocks->ends[i] - begin, packed_octets +
				  (i == 0 ? 0 : packed.ends[i - 1]));
	}
	*blocks = packed;
	return TRUE;
}

/* Appends a frame to what is in out. Returns FALSE if it has no place there. */
static bool
blocks_compress(const struct chunk_blocks *blocks, ZSTD_outBuffer *out)
{
	ZSTD_inBuffer in = { .src = blocks->data };
	unsigned int i;
	size_t ret;

	compressor_start(blocks->ends[blocks->count - 1]);
	for (i = 0; i < blocks->count; i++) {
		in.size = blocks->ends[i];
		ret = ZSTD_compressStream2(compressor, out, &in,
					   i + 1 == blocks->count ?
					   ZSTD_e_end : ZSTD_e_flush);
		if (ZSTD_isError(ret) != 0)
			out_of_memory("ZSTD_compressStream2()");
		/* it has more to write than there is space */
		if (ret > 0)
			return FALSE;
	}
	return TRUE;
}

/* Returns FALSE if the frame would not be shorter than the octets. */
static bool
chunk_compress(struct pgbox_chunk_encoder *encoder, const void *data,
	       size_t size)
{
	struct chunk_blocks blocks;
	ZSTD_outBuffer out;

	if (size <= 1)
		return FALSE;
	buffer_set_used_size(encoder->frame, 0);
	out.dst = buffer_append_space_unsafe(encoder->frame, size - 1);
	out.size = size - 1;
	out.pos = 0;
	chunk_divide(data, size, encoder->header_left, &blocks);
	if (chunk_pack(&blocks)) {
		/* what was saved is more than that */
		memcpy(out.dst, CHUNK_MARK, CHUNK_MARK_BYTES);
		cpu32_to_le_unaligned(size,
				      (unsigned char *)out.dst + CHUNK_MARK_BYTES);
		out.pos = CHUNK_MARK_ALL_BYTES;
	}
	if (!blocks_compress(&blocks, &out))
		return FALSE;
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

/* Gives the first octets of a frame: all, if it has as many as size or if all
   is wanted of it, else as many as data has. */
static int
frame_decode(const void *data, size_t data_size, bool all,
	     unsigned char *dest, size_t size, size_t *decoded_r,
	     const char **error_r)
{
	size_t ret;

	if (decompressor == NULL)
		decompressor = ZSTD_createDCtx();
	if (decompressor == NULL)
		out_of_memory("ZSTD_createDCtx()");
	/* all of it is decoded faster, and its checksum compared */
	ret = all || ZSTD_getFrameContentSize(data, data_size) == size ?
		ZSTD_decompressDCtx(decompressor, dest, size,
				    data, data_size) :
		frame_decode_beginning(data, data_size, dest, size);
	if (ZSTD_isError(ret) != 0) {
		*error_r = t_strdup_printf("broken zstd frame: %s",
					   ZSTD_getErrorName(ret));
		return -1;
	}
	*decoded_r = ret;
	return 0;
}

static int
packed_decode(const unsigned char *data, size_t data_size,
	      unsigned char *dest, size_t size, size_t *decoded_r,
	      const char **error_r)
{
	bool all = le32_to_cpu_unaligned(data + CHUNK_MARK_BYTES) == size;
	size_t packed_size;
	ssize_t ret;

	packed_octets_alloc();
	if (frame_decode(data + CHUNK_MARK_ALL_BYTES,
			 data_size - CHUNK_MARK_ALL_BYTES, all, packed_octets,
			 CHUNK_MAX_PACKED_BYTES, &packed_size, error_r) < 0)
		return -1;
	ret = pgbox_base64_unpack(packed_octets, packed_size, dest, size);
	if (ret < 0) {
		*error_r = "packed lines of base64 are broken";
		return -1;
	}
	*decoded_r = ret;
	return 0;
}

int pgbox_chunk_decode(const void *data, size_t data_size, bool is_frame,
		       unsigned char *dest, size_t size, const char **error_r)
{
	size_t decoded;
	int ret = 0;

	if (!is_frame) {
		decoded = I_MIN(data_size, size);
		memcpy(dest, data, decoded);
	} else if (data_size > CHUNK_MARK_ALL_BYTES &&
		   memcmp(data, CHUNK_MARK, CHUNK_MARK_BYTES) == 0) {
		ret = packed_decode(data, data_size, dest, size, &decoded,
				    error_r);
	} else {
		ret = frame_decode(data, data_size, FALSE, dest, size, &decoded,
				   error_r);
	}
	if (ret == 0 && decoded < size) {
		*error_r = t_strdup_printf("chunk has %zu bytes instead of %zu",
					   decoded, size);
		return -1;
	}
	return ret;
}

void pgbox_chunk_deinit(void)
{
	(void)ZSTD_freeCCtx(compressor);
	compressor = NULL;
	(void)ZSTD_freeDCtx(decompressor);
	decompressor = NULL;
	i_free(packed_octets);
}
