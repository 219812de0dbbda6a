/* The statements generated from sql/queries: complete and well-formed. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_list_is_complete(void **state ATTR_UNUSED)
{
	unsigned int i;

	assert_true(pgbox_queries_count > 0);
	for (i = 0; i < pgbox_queries_count; i++)
		assert_int_equal(pgbox_queries[i]->number, i + 1);
	assert_null(pgbox_queries[i]);
}

static void test_text_is_one_statement(void **state ATTR_UNUSED)
{
	for (unsigned int i = 0; i < pgbox_queries_count; i++) {
		const struct pgbox_query *query = pgbox_queries[i];

		if (strncmp(query->sql, "select", 6) != 0 &&
		    strncmp(query->sql, "with", 4) != 0 &&
		    strncmp(query->sql, "insert", 6) != 0 &&
		    strncmp(query->sql, "update", 6) != 0 &&
		    strncmp(query->sql, "delete", 6) != 0)
			fail_msg("%s begins with: %.20s", query->name, query->sql);
		if (strstr(query->sql, "--") != NULL)
			fail_msg("%s still has a comment", query->name);
		if (query->sql[strlen(query->sql) - 1] == ';')
			fail_msg("%s still has its semicolon", query->name);
	}
}

/* A gap in the numbers would be a parameter whose type nobody knows. */
static void test_parameters_are_used(void **state ATTR_UNUSED)
{
	for (unsigned int i = 0; i < pgbox_queries_count; i++) {
		const struct pgbox_query *query = pgbox_queries[i];

		for (unsigned int n = 1; n <= query->param_count; n++) {
			const char *name = t_strdup_printf("$%u", n);
			const char *pos = query->sql;
			bool found = FALSE;

			while (!found && (pos = strstr(pos, name)) != NULL) {
				pos += strlen(name);
				found = *pos < '0' || *pos > '9';
			}
			if (!found)
				fail_msg("%s does not use $%u", query->name, n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_is_complete),
		cmocka_unit_test(test_text_is_one_statement),
		cmocka_unit_test(test_parameters_are_used),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
