/* The statements generated from sql/queries: complete and well-formed. */

#include "pgbox-config.h"
#include "lib.h"
#include "hex-binary.h"
#include "pgbox-db-wire.h"
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

/* Fields that have one offset would be one. */
static void
assert_offsets_differ(const struct pgbox_query *query,
		      const struct pgbox_query_field *fields, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (fields[i].row_size == fields[j].row_size &&
			    fields[i].rows_offset == fields[j].rows_offset &&
			    fields[i].offset == fields[j].offset)
				fail_msg("%s: %s is %s", query->name,
					 fields[i].name, fields[j].name);
		}
	}
}

static void test_fields(void **state ATTR_UNUSED)
{
	for (unsigned int i = 0; i < pgbox_queries_count; i++) {
		const struct pgbox_query *query = pgbox_queries[i];

		assert_true(query->param_count > 0);
		assert_offsets_differ(query, query->params, query->param_count);
		assert_offsets_differ(query, query->columns,
				      query->column_count);
	}
}

/* Asserts that the parameter is this text, number, or null; of an array the only
   element is. */
static void
assert_param(const struct pgbox_query *query,
	     const struct pgbox_db_wire_params *wire, const char *name,
	     const char *hex)
{
	const struct pgbox_query_field *field;
	unsigned int i;

	for (i = 0; i < query->param_count; i++) {
		field = &query->params[i];
		if (strcmp(field->name, name) != 0)
			continue;
		if (hex == NULL) {
			assert_null(wire->values[i]);
			return;
		}
		assert_string_equal(binary_to_hex(
			(const unsigned char *)wire->values[i],
			wire->lengths[i]), hex);
		return;
	}
	fail_msg("%s has no %s", query->name, name);
}

#define ARRAY_HEX(nulls, oid, count) \
	"00000001" nulls oid count "00000001"

/* One parameter of each type, with and without a value, alone and in a row */
static void test_bind(void **state ATTR_UNUSED)
{
	const char *const keywords[] = { "k", "l", NULL };
	const int64_t expunge[] = { 5, 6 };
	const struct pgbox_mail_save_mail mails[] = {
		{ .guid = "g", .message_id = 2, .has_sent_zone = TRUE,
		  .sent_zone = 0, .data = { "d", 1 } },
		{ .guid = NULL, .message_id = 0, .sent_zone = 7 },
	};
	const struct pgbox_mail_save_params save = {
		.account_id = 1, .mails = mails, .mail_count = 2,
		.text_wanted = -2,
	};
	const struct pgbox_mail_save_one_params save_one = {
		.mail = mails[0], .keyword = keywords,
	};
	const struct pgbox_mail_change_params change = {
		.expunge_uid = { expunge, 2 }, .expunge_flags = 4,
		.max_modseq = 0, .expunge_max_modseq = 3,
	};
	pool_t pool = pool_alloconly_create("test bind", 1024);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_wire_params wire;

	pgbox_bind_mail_save(params, &save);
	pgbox_db_params_get_wire(params, &wire);
	assert_int_equal(wire.count, pgbox_query_mail_save.param_count);
#define SAVE(name, hex) \
	assert_param(&pgbox_query_mail_save, &wire, name, hex)
	SAVE("account_id", "0000000000000001");
	SAVE("text_wanted", "fffffffe");
	SAVE("guid", ARRAY_HEX("00000001", "00000019", "00000002")
	     "0000000167" "ffffffff");
	SAVE("message_id", ARRAY_HEX("00000001", "00000014", "00000002")
	     "000000080000000000000002" "ffffffff");
	SAVE("sent_zone", ARRAY_HEX("00000001", "00000015", "00000002")
	     "000000020000" "ffffffff");
	SAVE("data", ARRAY_HEX("00000001", "00000011", "00000002")
	     "0000000164" "ffffffff");
	SAVE("keyword", "00000000" "00000000" "00000019");
	SAVE("mailbox_name", NULL);

	params = pgbox_db_params_create(pool);
	pgbox_bind_mail_save_one(params, &save_one);
	pgbox_db_params_get_wire(params, &wire);
	assert_int_equal(wire.count, pgbox_query_mail_save_one.param_count);
#define ONE(name, hex) \
	assert_param(&pgbox_query_mail_save_one, &wire, name, hex)
	ONE("guid", "67");
	ONE("data", "64");
	ONE("sent_zone", "0000");
	ONE("sent_at", NULL);
	ONE("sha256", NULL);
	ONE("keyword", ARRAY_HEX("00000000", "00000019", "00000002")
	    "000000016b" "000000016c");

	params = pgbox_db_params_create(pool);
	pgbox_bind_mail_change(params, &change);
	pgbox_db_params_get_wire(params, &wire);
#define CHANGE(name, hex) \
	assert_param(&pgbox_query_mail_change, &wire, name, hex)
	CHANGE("max_modseq", NULL);
	CHANGE("expunge_max_modseq", "0000000000000003");
	CHANGE("expunge_flags", "0004");
	CHANGE("expunge_uid", ARRAY_HEX("00000000", "00000014", "00000002")
	       "000000080000000000000005" "000000080000000000000006");
	pool_unref(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_is_complete),
		cmocka_unit_test(test_text_is_one_statement),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_bind),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
