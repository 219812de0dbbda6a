/* Every statement that the compilers of searches and sort programs make is one that
   the server takes: random trees on an installed schema; and searches use the index.
   Environment: PGBOX_FUZZ_STATEMENTS, PGBOX_PLAN_MESSAGES. */

#include "test-db.h"
#include "pgbox-query-text.h"
#include "pgbox-sort-sql.h"
#include "../unit/search-trees.h"

#include <stdlib.h>

#define STATEMENTS 2000
#define PLAN_MESSAGES 12000
#define FOLDING 7

static unsigned int get_number(const char *variable, unsigned int number)
{
	const char *value = getenv(variable);

	return value == NULL ? number : strtoul(value, NULL, 10);
}

static void
run_group(struct pgbox_db *db, const struct pgbox_search_group *group)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	const char *pattern;
	unsigned int i;

	for (i = 1; i <= 4; i++)
		pgbox_db_param_int8(params, i);
	pgbox_db_param_int4(params, FOLDING);
	array_foreach_elem(&group->patterns, pattern)
		pgbox_db_param_text(params, pattern);
	if (pgbox_db_exec(db, &group->query, params, &result, &failure) < 0)
		fail_msg("%s\n%s", failure.message, group->query.sql);
	assert_int_equal(pgbox_db_result_rows(result), 1);
	pgbox_db_result_free(&result);
}

static void test_random(void **state ATTR_UNUSED)
{
	const struct pgbox_search_sql_settings set = {
		.normalizer = uni_utf8_to_decomposed_titlecase,
		.bodies = TRUE,
	};
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	unsigned int left = get_number("PGBOX_FUZZ_STATEMENTS", STATEMENTS);

	srandom(2);
	while (left > 0) T_BEGIN {
		pool_t pool = pool_alloconly_create("test tree", 4096);
		ARRAY_TYPE(pgbox_search_group) groups;
		const struct pgbox_search_group *group;

		p_array_init(&groups, pool, 4);
		pgbox_search_sql_compile(pool, test_tree_random(pool), &set,
					 &groups);
		array_foreach(&groups, group) {
			if (left > 0) T_BEGIN {
				run_group(db, group);
				left--;
			} T_END;
		}
		pool_unref(&pool);
	} T_END;
	pgbox_db_unref(&db);
}

/* All pairs of keys, in both directions, of all mails and of some */
static void test_sort(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	const struct pgbox_mailbox_id id = { .account_id = 1, .mailbox_id = 1 };
	const struct pgbox_search_range range = {
		.first_uid = 1,
		.last_uid = 10,
		.timeout_msecs = TEST_TIMEOUT_MSECS,
	};
	unsigned int i;

	for (i = 0; i < 2 * 2 * PGBOX_SORT_FIELD_COUNT *
		     PGBOX_SORT_FIELD_COUNT; i++) T_BEGIN {
		const struct pgbox_sort_term term[] = {
			{ i / 4 % PGBOX_SORT_FIELD_COUNT, i % 2 != 0 },
			{ i / 4 / PGBOX_SORT_FIELD_COUNT, i % 2 == 0 },
		};
		pool_t pool = pool_alloconly_create("test sort", 1024);
		ARRAY_TYPE(pgbox_sort_term) terms;
		ARRAY_TYPE(pgbox_int64) wanted, uids, values;
		struct pgbox_db_failure failure;
		bool usable, by_uids = i % 4 >= 2;

		t_array_init(&terms, 2);
		array_append(&terms, term, N_ELEMENTS(term));
		t_array_init(&wanted, 1);
		t_array_init(&uids, 1);
		t_array_init(&values, 1);
		if (pgbox_run_sort(db, &id, pgbox_sort_sql_compile(pool, &terms,
								   by_uids),
				   &range, FOLDING, by_uids ? &wanted : NULL,
				   &uids, &values, &usable, &failure) < 0)
			fail_msg("%s", failure.message);
		assert_int_equal(array_count(&uids), 0);
		assert_true(usable);
		pool_unref(&pool);
	} T_END;
	pgbox_db_unref(&db);
}

/*
 * Plans
 */

#define FILL_SQL \
	"insert into pgbox.message_text (account_id, message_id, folding, header," \
	" from_field, to_field, cc_field, bcc_field, subject_field," \
	" message_id_field, body)" \
	" select n %% 4 + 1, n, 7, 'SUBJECT: ' || md5(n::text), md5((n / 9)::text)," \
	" 'BOX@EXAMPLE.ORG', '', '', md5((n + 1)::text), ''," \
	" upper(md5((n * 3)::text)) || ' COMMON WORDS'" \
	" from generate_series(1, %u) n"
#define FILL_MAIL_SQL \
	"insert into pgbox.mail (account_id, mailbox_id, uid, modseq," \
	" message_id, saved_at, flags)" \
	" select account_id, message_id % 2 + 1, message_id, 1, message_id," \
	" now(), 0 from pgbox.message_text"

static void
assert_plan(struct pgbox_db *db, struct mail_search_arg *args, bool index)
{
	const struct pgbox_search_sql_settings set = {
		.normalizer = uni_utf8_to_decomposed_titlecase,
		.bodies = TRUE,
	};
	pool_t pool = pool_alloconly_create("test plan", 1024);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	ARRAY_TYPE(pgbox_search_group) groups;
	const struct pgbox_search_group *group;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	string_t *plan = t_str_new(1024);
	const char *pattern;
	unsigned int i;

	p_array_init(&groups, pool, 1);
	pgbox_search_sql_compile(pool, args, &set, &groups);
	assert_int_equal(array_count(&groups), 1);
	group = array_front(&groups);
	pgbox_db_param_int8(params, 1);
	pgbox_db_param_int8(params, 1);
	pgbox_db_param_int8(params, 1);
	pgbox_db_param_int8(params, UINT32_MAX);
	pgbox_db_param_int4(params, FOLDING);
	array_foreach_elem(&group->patterns, pattern)
		pgbox_db_param_text(params, pattern);
	if (pgbox_db_exec(db, test_query("explain", t_strconcat(
			"explain (costs off) ", group->query.sql, NULL)),
			params, &result, &failure) < 0)
		fail_msg("%s", failure.message);
	for (i = 0; i < pgbox_db_result_rows(result); i++) {
		str_printfa(plan, "%s\n",
			    pgbox_db_result_text(result, i, 0));
	}
	pgbox_db_result_free(&result);
	if ((strstr(str_c(plan), "message_text_trgm_idx") != NULL) != index ||
	    (index && strstr(str_c(plan), "Index Cond: ((account_id = ") == NULL) ||
	    strstr(str_c(plan), "message_text_folding_idx") == NULL)
		fail_msg("%s\n%s", group->query.sql, str_c(plan));
	pool_unref(&pool);
}

/* One user's search reads the trigrams of that user's mail only. */
static void test_plans(void **state ATTR_UNUSED)
{
	static const enum mail_search_arg_type types[] = {
		SEARCH_BODY, SEARCH_TEXT, SEARCH_HEADER, SEARCH_HEADER_ADDRESS,
	};
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct mail_search_arg arg, other;
	unsigned int i;

	(void)test_exec(db, t_strdup_printf(FILL_SQL,
		get_number("PGBOX_PLAN_MESSAGES", PLAN_MESSAGES)));
	(void)test_exec(db, FILL_MAIL_SQL);
	(void)test_admin("vacuum analyze pgbox.message_text");
	(void)test_admin("vacuum analyze pgbox.mail");
	i_zero(&arg);
	i_zero(&other);
	arg.hdr_field_name = other.hdr_field_name = "FROM";
	for (i = 0; i < N_ELEMENTS(types); i++) T_BEGIN {
		arg.type = types[i];
		arg.value.str = "nosuchword";
		assert_plan(db, &arg, TRUE);
		arg.value.str = "4a2";
		assert_plan(db, &arg, TRUE);
	} T_END;
	other.type = SEARCH_BODY;
	other.value.str = "co";
	other.match_not = TRUE;
	arg.next = &other;
	assert_plan(db, &arg, TRUE);
	pgbox_db_unref(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_plans),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_db_setup, test_db_teardown);
	lib_deinit();
	return ret;
}
