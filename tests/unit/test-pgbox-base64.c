/* Packing of base64: whatever is packed comes back, all of it or its beginning,
   and nothing that is not what packing makes does harm. */

#include "pgbox-config.h"
#include "lib.h"
#include "buffer.h"
#include "str.h"
#include "pgbox-base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define LINE "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eisv\r\n"
#define BLOCKS 20000

/* The same numbers each time */
static unsigned int random_below(unsigned int limit)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % limit;
}

static const struct test {
	const char *octets;
	/* what packing saves */
	size_t saved;
} tests[] = {
	{ "", 0 },
	{ "text\r\n", 0 },
	/* one line is not worth it */
	{ LINE, 0 },
	{ LINE LINE, 2 * 20 },
	{ "text\r\n\r\n" LINE LINE "QUI=\r\n--x--\r\n", 2 * 20 },
	/* the end of a line, the beginning of one */
	{ "Mjcw\r\n" LINE LINE "QUI", 2 * 20 },
	/* lines of two lengths */
	{ LINE LINE LINE "QUJDREVG\r\nQUJDREVG\r\nQUJDREVG\r\nQUJDREVG\r\n"
	  "QUJDREVG\r\nQUJDREVG\r\nQUJDREVG\r\nQUJDREVG\r\n",
	  3 * 20 + 8 * 4 },
	/* not these: LF only, no group, another character, padding */
	{ "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY\nQUJDREVGR0hJSktMTU5PUFFSU1RVVldY\n", 0 },
	{ "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWV\r\nQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWV\r\n", 0 },
	{ "QUJDREVGR0hJ-ktMTU5PUFFSU1RVVldY\r\nQUJDREVGR0hJSk_MTU5PUFFSU1RVVldY\r\n", 0 },
	{ "QUJDREVGR0hJSktMTU5PUFFSU1RVVld=\r\nQUJDREVGR0hJSktMTU5PUFFSU1RVVld=\r\n", 0 },
};

/* Each beginning of it comes back. */
static void
assert_comes_back(const unsigned char *packed, size_t packed_size,
		  const unsigned char *octets, size_t size, size_t step)
{
	unsigned char *dest = i_malloc(size + 1);
	size_t wanted;

	for (wanted = size;; wanted -= I_MIN(step, wanted)) {
		dest[wanted] = 0xfe;
		assert_int_equal(pgbox_base64_unpack(packed, packed_size,
						     dest, wanted), wanted);
		assert_memory_equal(dest, octets, wanted);
		assert_int_equal(dest[wanted], 0xfe);
		if (wanted == 0)
			break;
	}
	assert_int_equal(pgbox_base64_unpack(packed, packed_size, dest,
					     size + 1), size);
	i_free(dest);
}

static void test_rows(void **state ATTR_UNUSED)
{
	unsigned char packed[1024];
	const unsigned char *octets;
	size_t size, packed_size, saved;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(tests); i++) {
		octets = (const unsigned char *)tests[i].octets;
		size = strlen(tests[i].octets);
		packed_size = pgbox_base64_pack(octets, size, packed, &saved);
		if (saved != tests[i].saved)
			fail_msg("row %u: %zu", i, saved);
		if (saved == 0)
			packed_size = pgbox_base64_keep(octets, size, packed);
		assert_comes_back(packed, packed_size, octets, size, 1);
	}
}

/* A block of whatever may come together: lines of base64 of any length, each
   with a mistake now and then, and text. */
static void block_make(buffer_t *block, size_t size)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int chars = 0, lines = 0, i;

	buffer_set_used_size(block, 0);
	while (block->used < size) {
		if (lines == 0) {
			chars = random_below(8) == 0 ? random_below(1100) :
				4 * (random_below(30));
			lines = random_below(40) + 1;
		}
		for (i = 0; i < chars; i++)
			buffer_append_c(block, base64[random_below(64)]);
		if (random_below(30) == 0)
			buffer_append_c(block, random_below(256));
		if (random_below(50) > 0)
			buffer_append_c(block, '\r');
		buffer_append_c(block, '\n');
		lines--;
	}
	buffer_set_used_size(block, size);
}

static void test_random_blocks(void **state ATTR_UNUSED)
{
	buffer_t *block = buffer_create_dynamic(default_pool, 1024);
	unsigned char *packed;
	size_t saved, all_saved = 0, size, packed_size;
	unsigned int i;

	for (i = 0; i < BLOCKS / 20; i++) {
		size = random_below(PGBOX_BASE64_MAX_BYTES + 1);
		block_make(block, size);
		packed = i_malloc(size + PGBOX_BASE64_OVERHEAD_BYTES);
		packed_size = pgbox_base64_pack(block->data, size, packed,
						&saved);
		all_saved += saved;
		if (saved == 0) {
			assert_int_equal(packed_size, size +
					 PGBOX_BASE64_OVERHEAD_BYTES);
			packed_size = pgbox_base64_keep(block->data, size,
							packed);
		}
		assert_in_range(packed_size, 0,
				size + PGBOX_BASE64_OVERHEAD_BYTES);
		assert_comes_back(packed, packed_size, block->data, size, 3001);
		i_free(packed);
	}
	assert_true(all_saved > 1000000);
	buffer_free(&block);
}

/* No memory is touched that is not there: for valgrind and sanitizers. */
static void test_broken(void **state ATTR_UNUSED)
{
	static const unsigned char octets[] = LINE LINE "text\r\n" LINE LINE;
	unsigned char packed[sizeof(octets) + PGBOX_BASE64_OVERHEAD_BYTES];
	unsigned char *copy, *dest = i_malloc(sizeof(octets));
	size_t size, packed_size, saved;
	unsigned int i;

	packed_size = pgbox_base64_pack(octets, sizeof(octets) - 1, packed,
					&saved);
	for (i = 0; i < BLOCKS; i++) {
		size = random_below(packed_size + 1);
		/* what lies behind it is not ours */
		copy = i_malloc(I_MAX(size, 1));
		memcpy(copy, packed, size);
		if (size > 0)
			copy[random_below(size)] = random_below(256);
		assert_in_range(pgbox_base64_unpack(copy, size, dest,
						    sizeof(octets)) + 1,
				0, sizeof(octets) + 1);
		i_free(copy);
	}
	i_free(dest);
}

int main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_random_blocks),
		cmocka_unit_test(test_broken),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(list, NULL, NULL);
	lib_deinit();
	return ret;
}
