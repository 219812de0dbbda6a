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
		.patience.timeout_msecs = TEST_TIMEOUT_MSECS,
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

/* Messages of the account that is looked at, and of all others */
#define FILL_SQL \
	"insert into pgbox.message_text (account_id, message_id, folding, header," \
	" from_field, to_field, cc_field, bcc_field, subject_field," \
	" message_id_field, body)" \
	" select %s, nextval('pgbox.message_id_seq'), 7," \
	" 'SUBJECT: ' || md5(n::text), md5((n / 9)::text)," \
	" 'BOX@EXAMPLE.ORG', '', '', md5((n + 1)::text), ''," \
	" upper(md5((n * 3)::text)) || ' COMMON WORDS'" \
	" from generate_series(1, %u) n"
/* UIDs of all mailboxes are different, which doesn't matter here. */
#define FILL_MAIL_SQL \
	"insert into pgbox.mail (account_id, mailbox_id, uid, modseq," \
	" message_id, saved_at, flags)" \
	" select account_id, 1, message_id, 1, message_id, now(), 0" \
	" from pgbox.message_text on conflict do nothing"
#define OTHER_MAIL_SQL \
	"insert into pgbox.mail (account_id, mailbox_id, uid, modseq," \
	" message_id, saved_at, flags)" \
	" select 2, 1, n, 1, n, now(), 0 from generate_series(1, %u) n"
#define EMPTY_SQL "truncate pgbox.message_text, pgbox.mail cascade"
#define STATISTICS_SQL "vacuum analyze pgbox.message_text, pgbox.mail, " \
	"pgbox.message_text_queue"
/* A long one, to which the planner gives a high price in the index */
#define LONG_KEY "<0123456789abcdefghijklmnopqrstuvwxyz.0123456789@example.org>"

/* What is in the tables, and what the planner knows of it */
static const struct plan_state {
	const char *name;
	/* whose mail it is, by its number n, before statistics are made */
	const char *known_account;
	/* and after it, or NULL */
	const char *unknown_account;
	/* mail without text of another account */
	unsigned int other_mails;
	bool statistics;
} plan_states[] = {
	{ "four accounts", "n % 4 + 1", NULL, 0, TRUE },
	{ "just filled", "n % 4 + 1", NULL, 0, FALSE },
	/* as in a mailbox that was imported, beside large ones */
	{ "other mail", "1", NULL, 10, TRUE },
	{ "among small accounts", "case n % 2 when 0 then 1 else n % 40 + 2 end",
	  NULL, 1, TRUE },
	{ "new among small accounts", "n % 40 + 2", "1", 1, TRUE },
};

/* Without the deadline that statements of the plugin have */
static void plan_fill(const struct plan_state *state)
{
	unsigned int count = get_number("PGBOX_PLAN_MESSAGES", PLAN_MESSAGES);

	(void)test_admin(EMPTY_SQL);
	(void)test_admin(t_strdup_printf(FILL_SQL, state->known_account,
					 count));
	(void)test_admin(FILL_MAIL_SQL);
	(void)test_admin(t_strdup_printf(OTHER_MAIL_SQL,
					 state->other_mails * count));
	if (state->statistics)
		(void)test_admin(STATISTICS_SQL);
	if (state->unknown_account != NULL) {
		(void)test_admin(t_strdup_printf(FILL_SQL,
			state->unknown_account, count));
		(void)test_admin(FILL_MAIL_SQL);
	}
}

static const char *
plan_get(struct pgbox_db *db, const struct pgbox_search_group *group)
{
	const struct pgbox_query prepare = {
		.name = "prepare",
		.sql = t_strconcat("prepare planned (bigint, bigint, bigint, "
				   "bigint, int) as ", group->query.sql, NULL),
	};
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	string_t *execute = t_str_new(256), *plan = t_str_new(1024);
	const char *pattern;
	unsigned int i;

	if (pgbox_db_exec(db, &prepare, NULL, &result, &failure) < 0)
		fail_msg("%s", failure.message);
	pgbox_db_result_free(&result);
	str_append(execute, "explain (costs off) execute planned "
		   "(1, 1, 1, 4294967295, 7");
	array_foreach_elem(&group->patterns, pattern)
		str_printfa(execute, ", '%s'", pattern);
	str_append_c(execute, ')');
	if (pgbox_db_exec(db, test_query("explain", str_c(execute)), NULL,
			  &result, &failure) < 0)
		fail_msg("%s", failure.message);
	for (i = 0; i < pgbox_db_result_rows(result); i++) {
		str_printfa(plan, "%s\n",
			    pgbox_db_result_text(result, i, 0));
	}
	pgbox_db_result_free(&result);
	(void)test_exec(db, "deallocate planned");
	return str_c(plan);
}

static bool plan_is_good(const char *plan, bool index)
{
	if (strstr(plan, "message_text_folding_idx") == NULL ||
	    strstr(plan, "Seq Scan on message_text t\n") != NULL)
		return FALSE;
	if (!index) {
		return strstr(plan, "message_text_pkey") != NULL &&
			strstr(plan, "message_text_trgm_idx") == NULL;
	}
	return strstr(plan, "Bitmap Index Scan on message_text_trgm_idx") != NULL &&
		strstr(plan, "Index Cond: ((account_id = ") != NULL &&
		strstr(plan, "BitmapAnd") == NULL &&
		strstr(plan, "mail_message_idx") != NULL &&
		strstr(plan, "mail_pkey") == NULL;
}

/* Fails the test unless the statement for the arguments uses the index, or, without
   index, looks each message of the mailbox up. */
static void
assert_plan(struct pgbox_db *db, const char *state,
	    struct mail_search_arg *args, bool index)
{
	const struct pgbox_search_sql_settings set = {
		.normalizer = uni_utf8_to_decomposed_titlecase,
		.bodies = TRUE,
	};
	pool_t pool = pool_alloconly_create("test plan", 1024);
	ARRAY_TYPE(pgbox_search_group) groups;
	const struct pgbox_search_group *group;
	const char *plan;

	p_array_init(&groups, pool, 1);
	pgbox_search_sql_compile(pool, args, &set, &groups);
	assert_int_equal(array_count(&groups), 1);
	group = array_front(&groups);
	plan = plan_get(db, group);
	if (!plan_is_good(plan, index)) {
		/* too long for fail_msg() */
		fprintf(stderr, "%s\n%s", group->query.sql, plan);
		fail_msg("%s: not the plan that was wanted", state);
	}
	pool_unref(&pool);
}

static void assert_plans(struct pgbox_db *db, const char *state)
{
	static const enum mail_search_arg_type types[] = {
		SEARCH_BODY, SEARCH_TEXT, SEARCH_HEADER, SEARCH_HEADER_ADDRESS,
	};
	static const char *const keys[] = { "nosuchword", "4a2", LONG_KEY };
	struct mail_search_arg arg, other;
	unsigned int i, j;

	i_zero(&arg);
	i_zero(&other);
	arg.hdr_field_name = "FROM";
	for (i = 0; i < N_ELEMENTS(types); i++) {
		arg.type = types[i];
		for (j = 0; j < N_ELEMENTS(keys); j++) T_BEGIN {
			arg.value.str = keys[j];
			assert_plan(db, state, &arg, TRUE);
		} T_END;
	}
	other.type = SEARCH_BODY;
	other.value.str = "co";
	assert_plan(db, state, &other, FALSE);
	other.match_not = TRUE;
	arg.next = &other;
	assert_plan(db, state, &arg, TRUE);
}

/* One user's search reads the trigrams of that user's mail only, whatever the
   planner knows. */
static void test_plans(void **state ATTR_UNUSED)
{
	static const char *const modes[] = {
		"force_custom_plan", "force_generic_plan",
	};
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	unsigned int i, j;

	/* whether there are statistics is up to the test */
	(void)test_exec(db, "alter system set autovacuum = off");
	(void)test_exec(db, "select pg_reload_conf()");
	for (i = 0; i < N_ELEMENTS(plan_states); i++) T_BEGIN {
		plan_fill(&plan_states[i]);
		for (j = 0; j < N_ELEMENTS(modes); j++) T_BEGIN {
			(void)test_exec(db, t_strconcat("set plan_cache_mode = ",
							modes[j], NULL));
			assert_plans(db, t_strconcat(plan_states[i].name, ", ",
						     modes[j], NULL));
		} T_END;
	} T_END;
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
