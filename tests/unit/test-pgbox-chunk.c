/* Chunks of messages: what is encoded comes back, all of it or its beginning
   from as few bytes as promised. */

#include "pgbox-config.h"
#include "lib.h"
#include "buffer.h"
#include "pgbox-chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KB 1024

/* What a message is made of */
enum content { TEXT, BASE64, LINES, NOISE };

static const struct test {
	enum content content;
	size_t size, header_size;
	/* of 1000 octets, at most */
	unsigned int max_permille;
} tests[] = {
	{ TEXT, 0, 0, 0 },
	{ TEXT, 1, 1, 1000 },
	{ TEXT, 2, 0, 1000 },
	{ TEXT, 600, 600, 500 },
	{ TEXT, 10000, 500, 300 },
	{ TEXT, PGBOX_CHUNK_BYTES, 1, 300 },
	{ TEXT, PGBOX_CHUNK_BYTES, 32 * KB, 300 },
	{ TEXT, PGBOX_CHUNK_BYTES, 32 * KB - 1, 300 },
	{ TEXT, PGBOX_CHUNK_BYTES, PGBOX_CHUNK_BYTES - 1, 300 },
	{ TEXT, PGBOX_CHUNK_BYTES, PGBOX_CHUNK_BYTES, 300 },
	{ TEXT, PGBOX_CHUNK_BYTES, PGBOX_CHUNK_BYTES * 4, 300 },
	{ BASE64, 40 * KB, 3000, 770 },
	{ BASE64, PGBOX_CHUNK_BYTES, 0, 765 },
	/* whole lines, of which each block begins in the middle of one */
	{ LINES, 600, 100, 1000 },
	{ LINES, 5000, 1000, 770 },
	{ LINES, 40 * KB, 3000, 745 },
	{ LINES, PGBOX_CHUNK_BYTES, 0, 735 },
	{ LINES, PGBOX_CHUNK_BYTES, 100 * KB, 735 },
	{ LINES, PGBOX_CHUNK_BYTES, PGBOX_CHUNK_BYTES * 4, 735 },
	{ NOISE, 10, 5, 1000 },
	{ NOISE, 33 * KB, 5000, 1000 },
	{ NOISE, PGBOX_CHUNK_BYTES, 100 * KB, 1000 },
};

static unsigned char *make_octets(const struct test *test)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char *octets = i_malloc(I_MAX(test->size, 1));
	uint32_t random = 1;
	size_t i;

	for (i = 0; i < test->size; i++) {
		random = random * 1664525 + 1013904223;
		switch (test->content) {
		case TEXT:
			octets[i] = "the quick brown fox\r\n"[(i + i / 50) % 21];
			break;
		case BASE64:
			octets[i] = base64[random >> 26];
			break;
		case LINES:
			octets[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' :
				base64[random >> 26];
			break;
		case NOISE:
			octets[i] = random >> 24;
			break;
		}
	}
	return octets;
}

/* The beginnings that are asked for: some sizes, and the header */
static void
test_beginnings(const struct test *test, unsigned int row,
		const unsigned char *octets,
		const struct pgbox_stored_chunk *chunk)
{
	const size_t sizes[] = {
		1, 32 * KB - 1, 32 * KB, 32 * KB + 1, 100 * KB, test->size,
	};
	bool is_frame = chunk->data_size < chunk->size;
	unsigned char *dest = i_malloc(I_MAX(test->size, 1));
	size_t prefix, size;
	const char *error;
	unsigned int i;

	for (i = 0; i <= N_ELEMENTS(sizes); i++) {
		if (i < N_ELEMENTS(sizes)) {
			size = sizes[i];
			prefix = is_frame ? pgbox_chunk_frame_prefix(size) :
				size;
		} else {
			/* what message-headers.sql asks for */
			size = I_MIN(test->header_size + 1, test->size);
			prefix = size + 128;
		}
		if (size > test->size)
			continue;
		memset(dest, 0, test->size);
		if (pgbox_chunk_decode(chunk->data,
				       I_MIN(prefix, chunk->data_size),
				       is_frame, dest, size, &error) < 0)
			fail_msg("row %u, %zu bytes: %s", row, size, error);
		if (memcmp(dest, octets, size) != 0)
			fail_msg("row %u: %zu bytes differ", row, size);
	}
	i_free(dest);
}

static void test_round_trips(void **state ATTR_UNUSED)
{
	unsigned char sha256[SHA256_RESULTLEN], expected[SHA256_RESULTLEN];
	struct pgbox_chunk_encoder *encoder;
	struct pgbox_stored_chunk chunk;
	unsigned char *octets;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(tests); i++) {
		octets = make_octets(&tests[i]);
		encoder = pgbox_chunk_encoder_init(TRUE, tests[i].header_size);
		pgbox_chunk_encode(encoder, octets, tests[i].size, &chunk);
		assert_int_equal(chunk.size, tests[i].size);
		if (chunk.data_size * 1000 > tests[i].size * tests[i].max_permille)
			fail_msg("row %u: %zu of %zu bytes", i,
				 chunk.data_size, tests[i].size);
		test_beginnings(&tests[i], i, octets, &chunk);
		sha256_get_digest(chunk.data, chunk.data_size, expected);
		pgbox_chunk_encoder_deinit(&encoder, sha256);
		assert_memory_equal(sha256, expected, sizeof(sha256));
		i_free(octets);
	}
	pgbox_chunk_deinit();
}

static void test_header_over_several_chunks(void **state ATTR_UNUSED)
{
	const struct test test = { .content = BASE64, .size = PGBOX_CHUNK_BYTES };
	const size_t rest = 1000;
	unsigned char sha256[SHA256_RESULTLEN];
	struct pgbox_chunk_encoder *encoder;
	struct pgbox_stored_chunk chunk;
	unsigned char *octets = make_octets(&test), *dest;
	const char *error;

	dest = i_malloc(rest + 1);
	encoder = pgbox_chunk_encoder_init(TRUE, PGBOX_CHUNK_BYTES + rest);
	pgbox_chunk_encode(encoder, octets, test.size, &chunk);
	pgbox_chunk_encode(encoder, octets, test.size, &chunk);
	assert_true(chunk.data_size < chunk.size);
	assert_int_equal(pgbox_chunk_decode(chunk.data, rest + 1 + 128, TRUE,
					    dest, rest + 1, &error), 0);
	assert_memory_equal(dest, octets, rest + 1);
	pgbox_chunk_encoder_deinit(&encoder, sha256);
	pgbox_chunk_deinit();
	i_free(octets);
	i_free(dest);
}

static void test_no_compression(void **state ATTR_UNUSED)
{
	unsigned char sha256[SHA256_RESULTLEN];
	struct pgbox_chunk_encoder *encoder;
	struct pgbox_stored_chunk chunk;
	unsigned char *octets = make_octets(&tests[4]);

	encoder = pgbox_chunk_encoder_init(FALSE, tests[4].header_size);
	pgbox_chunk_encode(encoder, octets, tests[4].size, &chunk);
	assert_int_equal(chunk.data_size, tests[4].size);
	assert_memory_equal(chunk.data, octets, tests[4].size);
	pgbox_chunk_encoder_deinit(&encoder, sha256);
	i_free(octets);
}

/* Whatever byte has changed: an error, or it doesn't matter, as the window size
   in the frame's header. */
static void test_broken_row(const struct test *test)
{
	unsigned char sha256[SHA256_RESULTLEN];
	struct pgbox_chunk_encoder *encoder;
	struct pgbox_stored_chunk chunk;
	unsigned char *octets = make_octets(test), *copy;
	unsigned char *dest = i_malloc(test->size);
	const char *error;
	size_t i, errors = 0;

	encoder = pgbox_chunk_encoder_init(TRUE, test->header_size);
	pgbox_chunk_encode(encoder, octets, test->size, &chunk);
	copy = i_memdup(chunk.data, chunk.data_size);
	for (i = 0; i < chunk.data_size; i++) T_BEGIN {
		copy[i] ^= 0x20;
		if (pgbox_chunk_decode(copy, chunk.data_size, TRUE, dest,
				       test->size, &error) == 0)
			assert_memory_equal(dest, octets, test->size);
		else
			errors++;
		copy[i] ^= 0x20;
	} T_END;
	assert_in_range(errors, chunk.data_size - 5, chunk.data_size);
	assert_int_equal(pgbox_chunk_decode(copy, chunk.data_size / 2, TRUE,
					    dest, test->size, &error), -1);
	assert_int_equal(pgbox_chunk_decode(octets, test->size - 1, FALSE, dest,
					    test->size, &error), -1);
	pgbox_chunk_encoder_deinit(&encoder, sha256);
	i_free(dest);
	i_free(octets);
	i_free(copy);
}

static void test_broken(void **state ATTR_UNUSED)
{
	static const struct test text = { TEXT, 10000, 500, 0 };
	static const struct test lines = { LINES, 10000, 500, 0 };

	test_broken_row(&text);
	test_broken_row(&lines);
	pgbox_chunk_deinit();
}

int main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_header_over_several_chunks),
		cmocka_unit_test(test_no_compression),
		cmocka_unit_test(test_broken),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(list, NULL, NULL);
	lib_deinit();
	return ret;
}
