/* Every statement that the compiler of searches makes is one that the server
   takes: random trees on an installed schema. Environment: PGBOX_FUZZ_STATEMENTS. */

#include "test-db.h"
#include "../unit/search-trees.h"

#include <stdlib.h>

#define STATEMENTS 2000

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
	const char *statements = getenv("PGBOX_FUZZ_STATEMENTS");
	unsigned int left = statements == NULL ? STATEMENTS :
		strtoul(statements, NULL, 10);

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_db_setup, test_db_teardown);
	lib_deinit();
	return ret;
}
