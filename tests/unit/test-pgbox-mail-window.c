/* Reading ahead: which mails and bytes come with which query. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-storage.h"
#include "pgbox-mail-range.h"
#include "pgbox-mail-window-private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* A mailbox of mails whose UID is ten times the sequence and whose message has
   the id UID + 1000. */
#define MAX_MAILS 20000

/* What the window asks is answered here: these functions take the place of those of
   the libraries. */

/* What the mailbox is like */
static uint32_t mail_count;
static uint32_t first_expunged_seq, first_gone_seq;
static size_t envelope_size;
static uoff_t mail_size, header_size;
static bool fail_queries;
/* of what was started */
static enum pgbox_db_error started_error;

/* What was asked for, with what was started; chunk_queries are all that give
   bytes. mails_rows are what the others of these had to look at. */
static unsigned int info_queries, info_rows, chunk_queries, mails_rows;
static unsigned int started_queries, finished_queries, abandoned_queries;
/* of what was started last; of what was read last */
static int64_t first_message_id, last_message_id;
static uoff_t chunk_bytes;

static struct pgbox_storage test_storage;
static struct pgbox_mailbox test_mbox;
static struct mailbox_transaction_context test_trans;
static struct mail test_mail;

struct pgbox_db_started {
	struct pgbox_message_chunks *chunks;
};

struct pgbox_message_chunks {
	ARRAY_TYPE(pgbox_int64) ids;
	unsigned int next;
	/* of each message, and of what is given of it */
	uoff_t size, data_size;
};

/* The bytes of the messages, by their ids' last 8 bits: they stay while other
   chunks are asked for. */
static unsigned char patterns[0x100][PGBOX_CHUNK_BYTES];

uint32_t mail_index_view_get_messages_count(struct mail_index_view *view ATTR_UNUSED)
{
	return mail_count;
}

void mail_index_lookup_uid(struct mail_index_view *view ATTR_UNUSED,
			   uint32_t seq, uint32_t *uid_r)
{
	assert_true(seq >= 1 && seq <= mail_count);
	*uid_r = seq * 10;
}

void pgbox_mailbox_set_failure(struct pgbox_mailbox *mbox ATTR_UNUSED,
			       const struct pgbox_db_failure *failure)
{
	assert_true(failure->error == PGBOX_DB_ERROR_UNAVAILABLE ||
		    failure->error == PGBOX_DB_ERROR_TIMEOUT);
}

struct pgbox_range_cache *
pgbox_range_cache_init(struct pgbox_db *db ATTR_UNUSED,
		       int64_t account_id ATTR_UNUSED)
{
	return NULL;
}

void pgbox_range_cache_deinit(struct pgbox_range_cache **cache ATTR_UNUSED)
{
}

static bool
source_has(enum pgbox_message_source source, uint32_t seq)
{
	if (source == PGBOX_MESSAGE_SOURCE_MAILBOX)
		return seq < first_expunged_seq;
	return seq >= first_expunged_seq && seq < first_gone_seq;
}

int pgbox_message_read_infos(struct pgbox_db *db ATTR_UNUSED,
			     int64_t account_id ATTR_UNUSED,
			     int64_t mailbox_id ATTR_UNUSED,
			     enum pgbox_message_source source,
			     const ARRAY_TYPE(pgbox_uids) *uids,
			     size_t max_bytes, pool_t pool,
			     ARRAY_TYPE(pgbox_message_info) *infos,
			     struct pgbox_db_failure *failure_r)
{
	char *envelope = t_malloc0(envelope_size + 1);
	size_t bytes = 0;
	uint32_t uid;

	info_queries++;
	if (fail_queries) {
		i_zero(failure_r);
		failure_r->error = PGBOX_DB_ERROR_UNAVAILABLE;
		return -1;
	}
	memset(envelope, 'e', envelope_size);
	array_foreach_elem(uids, uid) {
		struct pgbox_message_info *info;

		if (!source_has(source, uid / 10))
			continue;
		if (bytes > max_bytes)
			break;
		info = array_append_space(infos);
		info->uid = uid;
		info->message_id = uid + 1000;
		info->size = mail_size;
		info->header_size = header_size;
		info->envelope = p_strdup(pool, envelope);
		bytes += envelope_size;
		info_rows++;
	}
	return 0;
}

static void
chunks_add_messages(struct pgbox_message_chunks *chunks,
		    const struct pgbox_message_request *request)
{
	int64_t id;

	chunks->size = request->extent == PGBOX_MESSAGE_EXTENT_HEADER ?
		I_MIN(header_size + 1, mail_size) : mail_size;
	chunks->data_size = chunks->size;
	last_message_id = 0;
	array_append_array(&chunks->ids, request->message_ids);
	array_foreach_elem(request->message_ids, id) {
		assert_true(id > last_message_id);
		last_message_id = id;
		chunk_bytes += chunks->size;
	}
}

static void
chunks_add_mails(struct pgbox_message_chunks *chunks,
		 const struct pgbox_message_request *request)
{
	size_t bytes = 0;
	uint32_t uid;

	chunks->size = mail_size;
	chunks->data_size = mail_size > request->max_message_bytes ?
		0 : mail_size;
	array_foreach_elem(request->uids, uid) {
		int64_t id = uid + 1000;

		mails_rows++;
		if (bytes > request->max_bytes ||
		    !source_has(PGBOX_MESSAGE_SOURCE_MAILBOX, uid / 10))
			continue;
		array_push_back(&chunks->ids, &id);
		bytes += chunks->data_size + envelope_size;
		chunk_bytes += chunks->data_size;
		last_message_id = id;
	}
}

int pgbox_message_read(struct pgbox_db *db ATTR_UNUSED,
		       const struct pgbox_message_request *request,
		       struct pgbox_message_chunks **chunks_r,
		       struct pgbox_db_failure *failure_r)
{
	struct pgbox_message_chunks *chunks;

	chunk_queries++;
	if (fail_queries) {
		i_zero(failure_r);
		failure_r->error = PGBOX_DB_ERROR_UNAVAILABLE;
		return -1;
	}
	chunks = i_new(struct pgbox_message_chunks, 1);
	i_array_init(&chunks->ids, 16);
	if (request->uids != NULL)
		chunks_add_mails(chunks, request);
	else
		chunks_add_messages(chunks, request);
	*chunks_r = chunks;
	return 0;
}

struct pgbox_db_started *
pgbox_message_start(struct pgbox_db *db,
		    const struct pgbox_message_request *request)
{
	struct pgbox_db_started *started;
	struct pgbox_message_chunks *chunks;
	struct pgbox_db_failure failure;

	if (pgbox_message_read(db, request, &chunks, &failure) < 0)
		return NULL;
	if (array_count(&chunks->ids) > 0)
		first_message_id = *array_front(&chunks->ids);
	/* one at a time */
	assert_int_equal(started_queries, finished_queries + abandoned_queries);
	started_queries++;
	started = i_new(struct pgbox_db_started, 1);
	started->chunks = chunks;
	return started;
}

bool pgbox_message_mails_next(struct pgbox_message_chunks *chunks, pool_t pool,
			      struct pgbox_message_info *info_r,
			      struct pgbox_message_chunk *chunk_r)
{
	if (!pgbox_message_chunks_next(chunks, chunk_r))
		return FALSE;
	i_zero(info_r);
	info_r->uid = chunk_r->message_id - 1000;
	info_r->message_id = chunk_r->message_id;
	info_r->size = mail_size;
	info_r->header_size = header_size;
	info_r->envelope = p_malloc(pool, envelope_size + 1);
	if (chunks->data_size == 0)
		chunk_r->data = NULL;
	return TRUE;
}

int pgbox_message_finish_chunks(struct pgbox_db_started **started,
				struct pgbox_message_chunks **chunks_r,
				struct pgbox_db_failure *failure_r)
{
	finished_queries++;
	*chunks_r = (*started)->chunks;
	i_free(*started);
	if (started_error == PGBOX_DB_ERROR_NONE)
		return 0;
	pgbox_message_chunks_free(chunks_r);
	i_zero(failure_r);
	failure_r->error = started_error;
	return -1;
}

void pgbox_db_exec_look(struct pgbox_db_started *started)
{
	assert_non_null(started);
}

void pgbox_db_exec_abandon(struct pgbox_db_started **started)
{
	if (*started == NULL)
		return;
	abandoned_queries++;
	pgbox_message_chunks_free(&(*started)->chunks);
	i_free(*started);
}

bool pgbox_message_chunks_next(struct pgbox_message_chunks *chunks,
			       struct pgbox_message_chunk *chunk_r)
{
	int64_t id;

	if (chunks->next == array_count(&chunks->ids))
		return FALSE;
	id = array_idx_elem(&chunks->ids, chunks->next++);
	i_zero(chunk_r);
	chunk_r->message_id = id;
	chunk_r->data = patterns[id & 0xff];
	chunk_r->size = chunk_r->data_size = chunks->size;
	return TRUE;
}

void pgbox_message_chunks_free(struct pgbox_message_chunks **chunks)
{
	array_free(&(*chunks)->ids);
	i_free(*chunks);
}

static int setup(void **state ATTR_UNUSED)
{
	mail_count = MAX_MAILS;
	first_expunged_seq = first_gone_seq = UINT32_MAX;
	envelope_size = 300;
	mail_size = 10000;
	header_size = 1000;
	fail_queries = FALSE;
	started_error = PGBOX_DB_ERROR_NONE;
	info_queries = info_rows = chunk_queries = mails_rows = 0;
	started_queries = finished_queries = abandoned_queries = 0;
	chunk_bytes = 0;

	i_zero(&test_mbox);
	test_mbox.storage = &test_storage;
	test_mbox.known.id.mailbox_id = 1;
	test_mbox.known.uid_validity = 1;
	test_mail.box = &test_mbox.box;
	test_mail.transaction = &test_trans;
	return 0;
}

static int teardown(void **state ATTR_UNUSED)
{
	pgbox_mail_window_free(&test_mbox);
	assert_int_equal(started_queries, finished_queries + abandoned_queries);
	return 0;
}

static struct mail *mail_at(uint32_t seq)
{
	test_mail.seq = seq;
	test_mail.uid = seq * 10;
	return &test_mail;
}

static void read_infos(uint32_t seq, uint32_t last_seq, unsigned int step)
{
	const struct pgbox_message_info *info = NULL;

	for (; seq <= last_seq; seq += step) {
		assert_int_equal(
			pgbox_mail_window_get_info(mail_at(seq), FALSE,
						   &info), 1);
		assert_int_equal(info->uid, seq * 10);
		assert_ptr_equal(pgbox_mail_window_find_info(mail_at(seq)),
				 info);
	}
}

static void
read_octets(uint32_t seq, uint32_t last_seq, unsigned int step,
	    enum pgbox_message_extent extent)
{
	struct pgbox_octets *octets;

	for (; seq <= last_seq; seq += step) {
		assert_int_equal(
			pgbox_mail_window_get_octets(mail_at(seq), extent,
						     &octets), 1);
		assert_true(octets->size >=
			    (extent == PGBOX_MESSAGE_EXTENT_HEADER ?
			     header_size : mail_size));
		assert_int_equal(octets->data[octets->size - 1],
				 (seq * 10 + 1000) & 0xff);
		pgbox_octets_unref(&octets);
	}
}

static void test_lone_mail_comes_alone(void **state ATTR_UNUSED)
{
	read_infos(5000, 5000, 1);
	read_infos(100, 100, 1);
	read_infos(7000, 7000, 1);
	assert_int_equal(info_queries, 3);
	assert_int_equal(info_rows, 3);
}

static void test_listing_is_a_query_per_thousand(void **state ATTR_UNUSED)
{
	read_infos(1, MAX_MAILS, 1);
	/* 1, 16, 128, then 1000 each */
	assert_int_equal(info_queries, 3 + 20);
	assert_int_equal(info_rows, MAX_MAILS);
}

static void test_listing_with_gaps_reads_ahead(void **state ATTR_UNUSED)
{
	read_infos(1, MAX_MAILS, 10);
	assert_in_range(info_queries, 1, 3 + 21);
}

static void test_what_was_read_stays(void **state ATTR_UNUSED)
{
	read_infos(1, 3000, 1);
	info_queries = 0;
	read_infos(1, 3000, 1);
	assert_int_equal(info_queries, 0);
}

static void test_long_strings_come_in_small_parts(void **state ATTR_UNUSED)
{
	envelope_size = 100000;
	mail_count = 1000;
	read_infos(1, 1000, 1);
	/* at most 2 MB and one mail per query, and none twice */
	assert_in_range(info_queries, 1000 / 22, 1000 / 21 + 4);
	assert_int_equal(info_rows, 1000);
	assert_in_range(test_mbox.window->info_bytes, 1, 10 * 1024 * 1024);
}

static void test_expunged_mails_come_together(void **state ATTR_UNUSED)
{
	mail_count = 2000;
	first_expunged_seq = 100;
	read_infos(1, 2000, 1);
	/* twice as many queries, not one for each mail */
	assert_in_range(info_queries, 1, 2 * 6);
	assert_int_equal(info_rows, 2000);
}

static void test_missing_mails_are_asked_for_once(void **state ATTR_UNUSED)
{
	const struct pgbox_message_info *info;
	uint32_t seq;

	mail_count = 2000;
	first_expunged_seq = 1;
	first_gone_seq = 1;
	for (seq = 1; seq <= 2000; seq++) {
		assert_int_equal(
			pgbox_mail_window_get_info(mail_at(seq), FALSE,
						   &info), 0);
		assert_null(pgbox_mail_window_find_info(mail_at(seq)));
	}
	assert_in_range(info_queries, 1, 2 * 6);
}

static void test_headers_of_a_listing(void **state ATTR_UNUSED)
{
	read_octets(1, MAX_MAILS, 1, PGBOX_MESSAGE_EXTENT_HEADER);
	assert_int_equal(info_queries, 3 + 20);
	assert_int_equal(chunk_queries, 3 + 20);
	assert_int_equal(chunk_bytes, MAX_MAILS * (header_size + 1));
	assert_in_range(test_mbox.window->octets_bytes, 1, 6 * 1024 * 1024);
}

static void test_bodies_of_a_listing(void **state ATTR_UNUSED)
{
	read_octets(1, 2000, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	/* 20 MB in pieces of 512 KB; what is known of the mails comes, too */
	assert_in_range(chunk_queries, 40, 45);
	assert_in_range(chunk_bytes, 2000 * mail_size, 2200 * mail_size);
	assert_int_equal(info_queries, 0);
	/* the database needn't look at many more than it gives */
	assert_in_range(mails_rows, 2000, 2700);
}

static void test_bodies_are_read_ahead(void **state ATTR_UNUSED)
{
	unsigned int without;

	read_octets(1, 2000, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_int_equal(started_queries, 0);
	without = chunk_queries;
	pgbox_mail_window_free(&test_mbox);

	/* a search that gives the first 2000 */
	chunk_queries = 0;
	chunk_bytes = 0;
	pgbox_mail_window_set_last_uid(&test_mbox, 20009);
	read_octets(1, 2000, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_true(chunk_queries <= without + 1);
	/* all but the ones at the beginning, and after infos */
	assert_in_range(started_queries, chunk_queries - 5, chunk_queries - 2);
	assert_int_equal(finished_queries, started_queries);
	/* nothing twice, and nothing that is not in the search */
	assert_int_equal(chunk_bytes, 2000 * mail_size);
	assert_int_equal(last_message_id, 21000);
}

/* What comes with the octets of a mail may drop what was known of it. */
static void test_bodies_drop_what_was_known(void **state ATTR_UNUSED)
{
	struct pgbox_octets *octets;
	uint32_t uid;

	pgbox_mail_window_set_last_uid(&test_mbox, MAX_MAILS * 10);
	mail_size = 1000;
	read_octets(1, 20, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_non_null(test_mbox.window->coming);
	uid = first_message_id - 1000;
	envelope_size = 100000;
	read_infos(uid / 10, uid / 10, 1);
	assert_int_equal(
		pgbox_mail_window_get_octets(mail_at(uid / 10),
					     PGBOX_MESSAGE_EXTENT_WHOLE,
					     &octets), 0);
	assert_null(pgbox_mail_window_find_info(mail_at(uid / 10)));
	read_octets(uid / 10, uid / 10, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
}

static void test_lone_body_is_one_query(void **state ATTR_UNUSED)
{
	const struct pgbox_message_info *info = NULL;

	assert_int_equal(pgbox_mail_window_get_info(mail_at(7), TRUE, &info), 1);
	assert_int_equal(info->uid, 70);
	read_octets(7, 7, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	read_infos(7, 7, 1);
	assert_int_equal(chunk_queries, 1);
	assert_int_equal(info_queries, 0);
	assert_int_equal(mails_rows, 1);

	/* of a known one only the bytes are read */
	read_infos(9, 9, 1);
	assert_int_equal(pgbox_mail_window_get_info(mail_at(9), TRUE, &info), 1);
	assert_int_equal(chunk_queries, 1);
	read_octets(9, 9, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_int_equal(chunk_queries, 2);
	assert_int_equal(mails_rows, 1);
}

static void test_bodies_of_mails_that_are_gone(void **state ATTR_UNUSED)
{
	const struct pgbox_message_info *info;
	uint32_t seq;

	mail_count = 2000;
	first_expunged_seq = 500;
	first_gone_seq = 1000;
	read_octets(1, 999, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	for (seq = 1000; seq <= 2000; seq++) {
		assert_int_equal(pgbox_mail_window_get_info(mail_at(seq), TRUE,
							    &info), 0);
	}
	/* 10 MB in pieces of 512 KB, and a few for infos */
	assert_in_range(chunk_queries, 20, 30);
	assert_in_range(info_queries, 2, 12);
}

static void test_lone_body_is_not_followed(void **state ATTR_UNUSED)
{
	uint32_t seq;

	for (seq = 1; seq <= 300; seq++) {
		pgbox_mail_window_set_last_uid(&test_mbox, seq * 10);
		read_octets(seq, seq, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	}
	pgbox_mail_window_set_last_uid(&test_mbox, UINT32_MAX);
	for (seq = 5000; seq <= 15000; seq += 1000)
		read_octets(seq, seq, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_int_equal(started_queries, 0);
}

static void test_reading_ahead_ends_with_a_jump(void **state ATTR_UNUSED)
{
	pgbox_mail_window_set_last_uid(&test_mbox, UINT32_MAX);
	read_octets(1, 400, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_int_equal(abandoned_queries, 0);
	assert_int_equal(started_queries, finished_queries + 1);
	read_octets(5000, 5000, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_int_equal(abandoned_queries, 1);
	assert_int_equal(started_queries, finished_queries + 1);
}

static void test_failed_reading_ahead_is_done_again(void **state ATTR_UNUSED)
{
	struct pgbox_octets *octets;
	uint32_t seq;
	int ret;

	pgbox_mail_window_set_last_uid(&test_mbox, UINT32_MAX);
	started_error = PGBOX_DB_ERROR_UNCERTAIN;
	read_octets(1, 1000, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_true(finished_queries > 2);

	/* but not after the deadline of the same bytes */
	started_error = PGBOX_DB_ERROR_TIMEOUT;
	for (seq = 1001; ; seq++) {
		ret = pgbox_mail_window_get_octets(mail_at(seq),
			PGBOX_MESSAGE_EXTENT_WHOLE, &octets);
		if (ret < 0)
			break;
		pgbox_octets_unref(&octets);
	}
	assert_int_equal(ret, -1);
	assert_true(seq < 2000);
	read_octets(seq, seq, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
}

static void test_bodies_here_and_there_come_alone(void **state ATTR_UNUSED)
{
	read_octets(1, 1000, 10, PGBOX_MESSAGE_EXTENT_WHOLE);
	/* each first one after a jump reads ahead in vain, but little */
	assert_in_range(chunk_bytes, 100 * mail_size, 1000 * mail_size);
}

static void test_large_mail_is_not_read_whole(void **state ATTR_UNUSED)
{
	struct pgbox_octets *octets;

	mail_size = PGBOX_CHUNK_BYTES + 1;
	assert_int_equal(
		pgbox_mail_window_get_octets(mail_at(1),
			PGBOX_MESSAGE_EXTENT_WHOLE, &octets), 0);
	assert_int_equal(chunk_bytes, 0);
	read_octets(1, 1, 1, PGBOX_MESSAGE_EXTENT_HEADER);
}

static void test_middle_sized_mails_come_in_a_row_only(void **state ATTR_UNUSED)
{
	struct pgbox_octets *octets;

	mail_size = 100000;
	assert_int_equal(
		pgbox_mail_window_get_octets(mail_at(1),
			PGBOX_MESSAGE_EXTENT_WHOLE, &octets), 0);
	read_octets(2, 100, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
	assert_in_range(chunk_queries, 1, 25);
}

static void test_empty_mail(void **state ATTR_UNUSED)
{
	struct pgbox_octets *octets;

	mail_size = header_size = 0;
	assert_int_equal(
		pgbox_mail_window_get_octets(mail_at(1),
			PGBOX_MESSAGE_EXTENT_WHOLE, &octets), 1);
	assert_int_equal(octets->size, 0);
	pgbox_octets_unref(&octets);
}

static void test_failure_leaves_nothing(void **state ATTR_UNUSED)
{
	const struct pgbox_message_info *info;
	struct pgbox_octets *octets;

	fail_queries = TRUE;
	assert_int_equal(pgbox_mail_window_get_info(mail_at(1), FALSE,
						    &info), -1);
	assert_null(pgbox_mail_window_find_info(mail_at(1)));
	fail_queries = FALSE;
	read_infos(1, 20, 1);
	fail_queries = TRUE;
	assert_int_equal(
		pgbox_mail_window_get_octets(mail_at(1),
			PGBOX_MESSAGE_EXTENT_WHOLE, &octets), -1);
	fail_queries = FALSE;
	read_octets(1, 20, 1, PGBOX_MESSAGE_EXTENT_WHOLE);
}

static void test_bytes_in_use_survive_the_window(void **state ATTR_UNUSED)
{
	struct pgbox_octets *octets;

	assert_int_equal(
		pgbox_mail_window_get_octets(mail_at(1),
			PGBOX_MESSAGE_EXTENT_WHOLE, &octets), 1);
	pgbox_mail_window_free(&test_mbox);
	assert_null(test_mbox.window);
	assert_int_equal(octets->data[0], 1010 & 0xff);
	pgbox_octets_unref(&octets);
}

static void test_new_uidvalidity_forgets_all(void **state ATTR_UNUSED)
{
	read_infos(1, 10, 1);
	test_mbox.known.uid_validity = 2;
	assert_null(pgbox_mail_window_find_info(mail_at(1)));
}

static void test_mail_that_lost_bytes_is_looked_up(void **state ATTR_UNUSED)
{
	read_infos(1, 40, 1);
	info_queries = 0;
	assert_int_equal(pgbox_mail_window_check_exists(mail_at(20)), 1);
	assert_int_equal(info_queries, 1);
	first_expunged_seq = first_gone_seq = 30;
	assert_int_equal(pgbox_mail_window_check_exists(mail_at(35)), 0);
}

#define window_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		window_test(test_lone_mail_comes_alone),
		window_test(test_listing_is_a_query_per_thousand),
		window_test(test_listing_with_gaps_reads_ahead),
		window_test(test_what_was_read_stays),
		window_test(test_long_strings_come_in_small_parts),
		window_test(test_expunged_mails_come_together),
		window_test(test_missing_mails_are_asked_for_once),
		window_test(test_headers_of_a_listing),
		window_test(test_bodies_of_a_listing),
		window_test(test_bodies_are_read_ahead),
		window_test(test_bodies_drop_what_was_known),
		window_test(test_lone_body_is_one_query),
		window_test(test_bodies_of_mails_that_are_gone),
		window_test(test_lone_body_is_not_followed),
		window_test(test_reading_ahead_ends_with_a_jump),
		window_test(test_failed_reading_ahead_is_done_again),
		window_test(test_bodies_here_and_there_come_alone),
		window_test(test_large_mail_is_not_read_whole),
		window_test(test_middle_sized_mails_come_in_a_row_only),
		window_test(test_empty_mail),
		window_test(test_failure_leaves_nothing),
		window_test(test_bytes_in_use_survive_the_window),
		window_test(test_new_uidvalidity_forgets_all),
		window_test(test_mail_that_lost_bytes_is_looked_up),
	};
	unsigned int i;
	int ret;

	lib_init();
	for (i = 0; i < N_ELEMENTS(patterns); i++)
		memset(patterns[i], i, sizeof(patterns[i]));
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
