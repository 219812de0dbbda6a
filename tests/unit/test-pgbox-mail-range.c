/* Ranges of large messages: which queries are made for which reads. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-mail-range.h"
#include "pgbox-octets.h"
#include "pgbox-query-message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KB 1024

/* What the cache asks is answered here: these functions take the place of those of
   the library. */

/* with those that were started */
static unsigned int query_count;
static unsigned int started_count, finished_count, abandoned_count;
static enum pgbox_db_error started_error;
static uoff_t query_bytes;
static size_t last_query_size;
static int query_ret;

/* The byte of every message at an offset */
static unsigned char byte_at(int64_t message_id, uoff_t offset)
{
	return (offset / 7 + offset + message_id) & 0xff;
}

struct pgbox_message_chunks {
	struct pgbox_message_range range;
};
struct pgbox_db_started {
	struct pgbox_message_chunks *chunks;
};

int pgbox_message_read(struct pgbox_db *db ATTR_UNUSED,
		       const struct pgbox_message_request *request,
		       struct pgbox_message_chunks **chunks_r,
		       struct pgbox_db_failure *failure_r ATTR_UNUSED)
{
	const struct pgbox_message_range *range = request->range;

	assert_int_equal(range->account_id, 5);
	assert_int_equal(range->offset / PGBOX_CHUNK_BYTES,
			 (range->offset + range->size - 1) / PGBOX_CHUNK_BYTES);
	query_count++;
	query_bytes += range->size;
	last_query_size = range->size;
	if (query_ret < 0)
		return -1;
	*chunks_r = i_new(struct pgbox_message_chunks, 1);
	(*chunks_r)->range = *range;
	return 0;
}

struct pgbox_db_started *
pgbox_message_start(struct pgbox_db *db,
		    const struct pgbox_message_request *request)
{
	struct pgbox_message_chunks *chunks;
	struct pgbox_db_started *started;
	struct pgbox_db_failure failure;

	assert_int_equal(started_count, finished_count + abandoned_count);
	if (pgbox_message_read(db, request, &chunks, &failure) < 0)
		return NULL;
	started_count++;
	started = i_new(struct pgbox_db_started, 1);
	started->chunks = chunks;
	return started;
}

int pgbox_message_finish_chunks(struct pgbox_db_started **started,
				struct pgbox_message_chunks **chunks_r,
				struct pgbox_db_failure *failure_r)
{
	finished_count++;
	*chunks_r = (*started)->chunks;
	i_free(*started);
	if (started_error == PGBOX_DB_ERROR_NONE)
		return 0;
	i_free(*chunks_r);
	i_zero(failure_r);
	failure_r->error = started_error;
	return -1;
}

int pgbox_message_range_get(const struct pgbox_message_chunks *chunks,
			    const struct pgbox_message_range *range,
			    unsigned char *dest,
			    struct pgbox_db_failure *failure_r ATTR_UNUSED)
{
	size_t i;

	assert_memory_equal(&chunks->range, range, sizeof(*range));
	for (i = 0; i < range->size; i++)
		dest[i] = byte_at(range->message_id, range->offset + i);
	return query_ret;
}

void pgbox_message_chunks_free(struct pgbox_message_chunks **chunks)
{
	i_free(*chunks);
}

void pgbox_db_exec_look(struct pgbox_db_started *started)
{
	assert_non_null(started);
}

void pgbox_db_exec_abandon(struct pgbox_db_started **started)
{
	if (*started == NULL)
		return;
	abandoned_count++;
	i_free((*started)->chunks);
	i_free(*started);
}

static struct pgbox_range_cache *start(void)
{
	query_count = 0;
	query_bytes = 0;
	query_ret = 1;
	started_count = finished_count = abandoned_count = 0;
	started_error = PGBOX_DB_ERROR_NONE;
	return pgbox_range_cache_init(NULL, 5);
}

/* Reads from start to end as a stream does, in small steps. */
static void
read_on(struct pgbox_range_cache *cache, int64_t message_id, uoff_t size,
	uoff_t offset, uoff_t end)
{
	struct pgbox_db_failure failure;
	struct pgbox_octets *octets;
	const unsigned char *data;
	size_t data_size;
	uoff_t start;

	while (offset < end) {
		assert_int_equal(
			pgbox_range_cache_read(cache, message_id, size, offset,
					       &octets, &start, &failure), 1);
		assert_true(start <= offset && offset < start + octets->size);
		assert_true(start + octets->size <= size);
		data = octets->data + (offset - start);
		data_size = octets->size - (offset - start);
		assert_int_equal(data[0], byte_at(message_id, offset));
		assert_int_equal(data[data_size - 1],
				 byte_at(message_id, offset + data_size - 1));
		offset += I_MIN(data_size, 8 * KB);
	}
}

static void test_reading_on_grows_to_whole_chunks(void **state ATTR_UNUSED)
{
	struct pgbox_range_cache *cache = start();
	uoff_t size = 20 * PGBOX_CHUNK_BYTES + 5;

	read_on(cache, 1, size, 0, size);
	assert_int_equal(query_bytes, size);
	/* 16, 32, 64 and the rest of the first chunk, then one for each, the
	   next one while the last one is used */
	assert_int_equal(query_count, 4 + 20);
	assert_int_equal(started_count, 19);
	assert_int_equal(finished_count, 19);
	pgbox_range_cache_deinit(&cache);
}

static void test_part_of_a_large_message_costs_little(void **state ATTR_UNUSED)
{
	static const struct {
		uoff_t offset, size, max_bytes;
	} tests[] = {
		{ 5000000, 1, 16 * KB },
		{ 5000000, 100 * KB, 256 * KB },
		{ 25000000 - 10, 10, 10 },
		{ PGBOX_CHUNK_BYTES - 1, 2, 32 * KB + 1 },
	};
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(tests); i++) {
		struct pgbox_range_cache *cache = start();

		read_on(cache, 1, 25000000, tests[i].offset,
			tests[i].offset + tests[i].size);
		if (query_bytes > tests[i].max_bytes)
			fail_msg("#%u: %"PRIuUOFF_T" bytes", i, query_bytes);
		pgbox_range_cache_deinit(&cache);
	}
}

static void test_next_part_continues_the_last(void **state ATTR_UNUSED)
{
	struct pgbox_range_cache *cache = start();
	uoff_t size = 4 * PGBOX_CHUNK_BYTES, offset;

	/* partial FETCHes of 10,000 bytes, each with a stream of its own */
	for (offset = 0; offset < size; offset += 10000)
		read_on(cache, 1, size, offset, I_MIN(offset + 10000, size));
	assert_int_equal(query_bytes, size);
	assert_int_equal(query_count, 4 + 3);
	pgbox_range_cache_deinit(&cache);
}

static void test_jump_reads_little_again(void **state ATTR_UNUSED)
{
	struct pgbox_range_cache *cache = start();
	uoff_t size = 10 * PGBOX_CHUNK_BYTES;

	read_on(cache, 1, size, 0, 3 * PGBOX_CHUNK_BYTES);
	assert_int_equal(last_query_size, PGBOX_CHUNK_BYTES);
	assert_int_equal(abandoned_count, 0);
	read_on(cache, 1, size, 6 * PGBOX_CHUNK_BYTES + 1,
		6 * PGBOX_CHUNK_BYTES + 2);
	assert_int_equal(last_query_size, 16 * KB);
	assert_int_equal(started_count, finished_count);

	/* what is on its way at the end is not wanted */
	read_on(cache, 1, size, 7 * PGBOX_CHUNK_BYTES,
		9 * PGBOX_CHUNK_BYTES);
	pgbox_range_cache_deinit(&cache);
	assert_int_equal(abandoned_count, 1);
}

static void test_two_streams_do_not_disturb_each_other(void **state ATTR_UNUSED)
{
	struct pgbox_range_cache *cache = start();
	uoff_t size = 4 * PGBOX_CHUNK_BYTES, offset;

	for (offset = 0; offset < size; offset += 8 * KB) {
		read_on(cache, 1, size, offset, offset + 8 * KB);
		read_on(cache, 2, size, offset, offset + 8 * KB);
	}
	assert_int_equal(query_bytes, 2 * size);
	pgbox_range_cache_deinit(&cache);
}

static void test_failed_range_is_not_kept(void **state ATTR_UNUSED)
{
	struct pgbox_range_cache *cache = start();
	struct pgbox_db_failure failure;
	struct pgbox_octets *octets;
	uoff_t start_offset;

	for (query_ret = -1; query_ret <= 0; query_ret++) {
		assert_int_equal(
			pgbox_range_cache_read(cache, 1, 1000, 0, &octets,
					       &start_offset, &failure),
			query_ret);
	}
	assert_int_equal(query_count, 2);
	query_ret = 1;
	read_on(cache, 1, 1000, 0, 1000);
	assert_int_equal(query_count, 3);
	pgbox_range_cache_deinit(&cache);
}

static void test_failed_reading_ahead_is_done_again(void **state ATTR_UNUSED)
{
	struct pgbox_range_cache *cache = start();
	struct pgbox_db_failure failure;
	uoff_t size = 10 * PGBOX_CHUNK_BYTES;
	struct pgbox_octets *octets;
	uoff_t start_offset;

	started_error = PGBOX_DB_ERROR_UNCERTAIN;
	read_on(cache, 1, size, 0, 4 * PGBOX_CHUNK_BYTES);
	assert_true(finished_count >= 2);

	/* but not after the deadline of the same bytes */
	started_error = PGBOX_DB_ERROR_TIMEOUT;
	assert_int_equal(
		pgbox_range_cache_read(cache, 1, size, 4 * PGBOX_CHUNK_BYTES,
				       &octets, &start_offset, &failure), -1);
	read_on(cache, 1, size, 4 * PGBOX_CHUNK_BYTES, 5 * PGBOX_CHUNK_BYTES);
	pgbox_range_cache_deinit(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading_on_grows_to_whole_chunks),
		cmocka_unit_test(test_part_of_a_large_message_costs_little),
		cmocka_unit_test(test_next_part_continues_the_last),
		cmocka_unit_test(test_jump_reads_little_again),
		cmocka_unit_test(test_two_streams_do_not_disturb_each_other),
		cmocka_unit_test(test_failed_range_is_not_kept),
		cmocka_unit_test(test_failed_reading_ahead_is_done_again),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
