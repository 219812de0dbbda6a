/* Sort keys of messages, and the statements that order by them. */

#include "lib.h"
#include "array.h"
#include "str.h"
#include "pgbox-sort-key.h"
#include "pgbox-sort-sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	enum pgbox_sort_key key;
	const char *value, *expected;
} keys[] = {
	/* RFC 5256, 2.1 */
	{ PGBOX_SORT_KEY_SUBJECT, NULL, "" },
	{ PGBOX_SORT_KEY_SUBJECT, "", "" },
	{ PGBOX_SORT_KEY_SUBJECT, "Hello", "HELLO" },
	{ PGBOX_SORT_KEY_SUBJECT, "Re: [list] FWD:  Hello \t world (fwd) ", "HELLO WORLD" },
	{ PGBOX_SORT_KEY_SUBJECT, "=?utf-8?q?M=C3=BCller?=", "MU\xcc\x88LLER" },
	{ PGBOX_SORT_KEY_SUBJECT, "folded\n\tline", "FOLDED LINE" },
	/* mailbox of the first address */
	{ PGBOX_SORT_KEY_FROM, NULL, "" },
	{ PGBOX_SORT_KEY_FROM, "Ann <ann@example.org>, Bob <bob@example.org>", "ANN" },
	{ PGBOX_SORT_KEY_TO, "\"Quoted Part\"@example.org", "QUOTED PART" },
	{ PGBOX_SORT_KEY_CC, "undisclosed:;", "UNDISCLOSED" },
	{ PGBOX_SORT_KEY_CC, "broken", "BROKEN" },
	/* RFC 5957: the name, or the address */
	{ PGBOX_SORT_KEY_DISPLAYFROM, "Ann Example <ann@example.org>", "ANN EXAMPLE" },
	{ PGBOX_SORT_KEY_DISPLAYFROM, "=?utf-8?q?M=C3=BCller?= <ann@example.org>", "MU\xcc\x88LLER" },
	{ PGBOX_SORT_KEY_DISPLAYTO, "ann@example.org", "ANN@EXAMPLE.ORG" },
	{ PGBOX_SORT_KEY_DISPLAYTO, "<>", "MISSING_MAILBOX@MISSING_DOMAIN" },
	{ PGBOX_SORT_KEY_DISPLAYTO, "", "" },
};

static void test_keys(void **state ATTR_UNUSED)
{
	pool_t pool = pool_allocfree_create("test");
	const char *key;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(keys); i++) {
		key = pgbox_sort_key_make(pool, keys[i].key, keys[i].value);
		if (key == NULL || strcmp(key, keys[i].expected) != 0) {
			fail_msg("row %u, %s: %s instead of %s", i,
				 keys[i].value, key, keys[i].expected);
		}
	}
	pool_unref(&pool);
}

static void test_key_length(void **state ATTR_UNUSED)
{
	pool_t pool = pool_allocfree_create("test");
	string_t *str = t_str_new(2048);

	while (str_len(str) < 1000)
		str_append_c(str, 'x');
	assert_non_null(pgbox_sort_key_make(pool, PGBOX_SORT_KEY_SUBJECT,
					    str_c(str)));
	str_append_c(str, 'x');
	assert_null(pgbox_sort_key_make(pool, PGBOX_SORT_KEY_SUBJECT,
					str_c(str)));
	pool_unref(&pool);
}

static const struct pgbox_query *
compile(pool_t pool, const struct pgbox_sort_term *list, unsigned int count,
	bool by_uids)
{
	ARRAY_TYPE(pgbox_sort_term) terms;

	t_array_init(&terms, 4);
	array_append(&terms, list, count);
	return pgbox_sort_sql_compile(pool, &terms, by_uids);
}

static void test_statement(void **state ATTR_UNUSED)
{
	static const struct pgbox_sort_term terms[] = {
		{ .field = PGBOX_SORT_SUBJECT, .reverse = TRUE },
		{ .field = PGBOX_SORT_SIZE },
		{ .field = PGBOX_SORT_DISPLAYTO, .reverse = TRUE },
	};
	pool_t pool = pool_allocfree_create("test");
	const struct pgbox_query *query;

	query = compile(pool, terms, N_ELEMENTS(terms), FALSE);
	assert_int_equal(query->param_count, 5);
	assert_non_null(strstr(query->sql,
		"order by t.sort_subject desc, t.size, "
		"t.sort_display_to desc, m.uid) s"));
	assert_non_null(strstr(query->sql,
		"dense_rank() over (order by t.sort_subject desc) as value"));
	assert_null(strstr(query->sql, "$6"));

	query = compile(pool, terms + 1, 1, TRUE);
	assert_int_equal(query->param_count, 6);
	assert_non_null(strstr(query->sql, "m.uid = any ($6)"));
	assert_non_null(strstr(query->sql, "order by t.size, m.uid) s"));
	pool_unref(&pool);
}

static void test_date(void **state ATTR_UNUSED)
{
	static const struct {
		int64_t value;
		uint32_t time;
		int32_t timezone;
	} dates[] = {
		{ 0x8000, 0, 0 },
		{ ((int64_t)1 << 16) + 0x8000 + 840, 1, 840 },
		{ ((int64_t)UINT32_MAX << 16) + 0x8000 - 5999, UINT32_MAX, -5999 },
	};
	uint32_t time;
	int32_t timezone;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(dates); i++) {
		pgbox_sort_date_unpack(dates[i].value, &time, &timezone);
		assert_int_equal(time, dates[i].time);
		assert_int_equal(timezone, dates[i].timezone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_key_length),
		cmocka_unit_test(test_statement),
		cmocka_unit_test(test_date),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
