/* Parameters and results in binary form: the bytes, and the way back. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "buffer.h"
#include "hex-binary.h"
#include "pgbox-db-wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const unsigned char uuid[16] = {
	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
};

static const struct pgbox_query test_query = { .name = "test" };

/* Returns a result with one row of these values. */
static struct pgbox_db_result *
result_from_wire(const struct pgbox_db_wire_params *wire)
{
	PGresAttDesc columns[32];
	PGresult *pg;
	int i;

	assert_true(wire->count <= (int)N_ELEMENTS(columns));
	i_zero(&columns);
	for (i = 0; i < wire->count; i++) {
		columns[i].name = "column";
		columns[i].typid = wire->types[i];
		columns[i].format = 1;
	}
	pg = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	assert_int_not_equal(PQsetResultAttrs(pg, wire->count, columns), 0);
	for (i = 0; i < wire->count; i++) {
		int size = wire->values[i] == NULL ? -1 : wire->lengths[i];

		assert_int_not_equal(
			PQsetvalue(pg, 0, i, (char *)wire->values[i], size), 0);
	}
	return pgbox_db_result_create(&test_query, pg);
}

static void add_scalars(struct pgbox_db_params *params)
{
	pgbox_db_param_bool(params, TRUE);
	pgbox_db_param_bool(params, FALSE);
	pgbox_db_param_int2(params, -2);
	pgbox_db_param_int4(params, INT32_MIN);
	pgbox_db_param_int8(params, INT64_MAX);
	pgbox_db_param_text(params, "t\xc3\xa4g");
	pgbox_db_param_text(params, "");
	pgbox_db_param_text(params, NULL);
	pgbox_db_param_bytea(params, "\0\xff", 2);
	pgbox_db_param_bytea(params, "", 0);
	pgbox_db_param_bytea(params, NULL, 5);
	pgbox_db_param_uuid(params, uuid);
	pgbox_db_param_null(params);
}

static const struct {
	Oid type;
	const char *hex; /* NULL = null */
} scalars[] = {
	{ PGBOX_OID_BOOL, "01" },
	{ PGBOX_OID_BOOL, "00" },
	{ PGBOX_OID_INT2, "fffe" },
	{ PGBOX_OID_INT4, "80000000" },
	{ PGBOX_OID_INT8, "7fffffffffffffff" },
	{ PGBOX_OID_TEXT, "74c3a467" },
	{ PGBOX_OID_TEXT, "" },
	{ PGBOX_OID_TEXT, NULL },
	{ PGBOX_OID_BYTEA, "00ff" },
	{ PGBOX_OID_BYTEA, "" },
	{ PGBOX_OID_BYTEA, NULL },
	{ PGBOX_OID_UUID, "00112233445566778899aabbccddeeff" },
	{ 0, NULL },
};

static void check_hex(const struct pgbox_db_wire_params *wire, unsigned int i,
		      const char *hex)
{
	const char *got;

	assert_int_equal(wire->formats[i], 1);
	if (hex == NULL) {
		if (wire->values[i] != NULL)
			fail_msg("#%u is not null", i);
		return;
	}
	if (wire->values[i] == NULL)
		fail_msg("#%u is null", i);
	got = binary_to_hex((const unsigned char *)wire->values[i],
			    wire->lengths[i]);
	if (strcmp(got, hex) != 0)
		fail_msg("#%u is %s, not %s", i, got, hex);
}

static void test_scalars(void **state ATTR_UNUSED)
{
	pool_t pool = pool_allocfree_create("test");
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_wire_params wire;

	add_scalars(params);
	pgbox_db_params_get_wire(params, &wire);
	assert_int_equal(wire.count, N_ELEMENTS(scalars));
	for (unsigned int i = 0; i < N_ELEMENTS(scalars); i++) {
		if (wire.types[i] != scalars[i].type)
			fail_msg("#%u has type %u", i, wire.types[i]);
		check_hex(&wire, i, scalars[i].hex);
	}
	pool_unref(&pool);
}

/* dimensions, flags, element type, length, lower bound */
#define HEADER(flags, type, count) "00000001" "0000000" flags type count "00000001"

static const struct {
	enum pgbox_db_array_type array_type;
	Oid type;
	const char *empty, *filled;
} arrays[] = {
	{ PGBOX_DB_ARRAY_BOOL, PGBOX_OID_BOOL_ARRAY,
	  "00000000" "00000000" "00000010",
	  HEADER("1", "00000010", "00000003")
	  "00000001" "01" "ffffffff" "00000001" "00" },
	{ PGBOX_DB_ARRAY_INT2, PGBOX_OID_INT2_ARRAY,
	  "00000000" "00000000" "00000015",
	  HEADER("0", "00000015", "00000002")
	  "00000002" "8000" "00000002" "7fff" },
	{ PGBOX_DB_ARRAY_INT4, PGBOX_OID_INT4_ARRAY,
	  "00000000" "00000000" "00000017",
	  HEADER("0", "00000017", "00000002")
	  "00000004" "80000000" "00000004" "7fffffff" },
	{ PGBOX_DB_ARRAY_INT8, PGBOX_OID_INT8_ARRAY,
	  "00000000" "00000000" "00000014",
	  HEADER("0", "00000014", "00000002")
	  "00000008" "ffffffffffffffff" "00000008" "0000000000000001" },
	{ PGBOX_DB_ARRAY_TEXT, PGBOX_OID_TEXT_ARRAY,
	  "00000000" "00000000" "00000019",
	  HEADER("1", "00000019", "00000003")
	  "00000002" "6162" "ffffffff" "00000000" },
	{ PGBOX_DB_ARRAY_BYTEA, PGBOX_OID_BYTEA_ARRAY,
	  "00000000" "00000000" "00000011",
	  HEADER("1", "00000011", "00000003")
	  "00000002" "00ff" "ffffffff" "00000000" },
	{ PGBOX_DB_ARRAY_UUID, PGBOX_OID_UUID_ARRAY,
	  "00000000" "00000000" "00000b86",
	  HEADER("1", "00000b86", "00000002")
	  "00000010" "00112233445566778899aabbccddeeff" "ffffffff" },
};

static void fill_array(struct pgbox_db_array *array,
		       enum pgbox_db_array_type type)
{
	switch (type) {
	case PGBOX_DB_ARRAY_BOOL:
		pgbox_db_array_add_bool(array, TRUE);
		pgbox_db_array_add_null(array);
		pgbox_db_array_add_bool(array, FALSE);
		break;
	case PGBOX_DB_ARRAY_INT2:
		pgbox_db_array_add_int(array, INT16_MIN);
		pgbox_db_array_add_int(array, INT16_MAX);
		break;
	case PGBOX_DB_ARRAY_INT4:
		pgbox_db_array_add_int(array, INT32_MIN);
		pgbox_db_array_add_int(array, INT32_MAX);
		break;
	case PGBOX_DB_ARRAY_INT8:
		pgbox_db_array_add_int(array, -1);
		pgbox_db_array_add_int(array, 1);
		break;
	case PGBOX_DB_ARRAY_TEXT:
		pgbox_db_array_add_text(array, "ab");
		pgbox_db_array_add_text(array, NULL);
		pgbox_db_array_add_text(array, "");
		break;
	case PGBOX_DB_ARRAY_BYTEA:
		pgbox_db_array_add_bytes(array, "\0\xff", 2);
		pgbox_db_array_add_bytes(array, NULL, 0);
		pgbox_db_array_add_bytes(array, "", 0);
		break;
	case PGBOX_DB_ARRAY_UUID:
		pgbox_db_array_add_bytes(array, uuid, sizeof(uuid));
		pgbox_db_array_add_bytes(array, NULL, 0);
		break;
	}
}

static void test_arrays(void **state ATTR_UNUSED)
{
	pool_t pool = pool_allocfree_create("test");
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_array *array;
	struct pgbox_db_wire_params wire;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(arrays); i++) {
		(void)pgbox_db_param_array(params, arrays[i].array_type);
		array = pgbox_db_param_array(params, arrays[i].array_type);
		fill_array(array, arrays[i].array_type);
	}
	pgbox_db_params_get_wire(params, &wire);
	assert_int_equal(wire.count, 2 * N_ELEMENTS(arrays));
	for (i = 0; i < N_ELEMENTS(arrays); i++) {
		assert_int_equal(wire.types[2 * i], arrays[i].type);
		check_hex(&wire, 2 * i, arrays[i].empty);
		check_hex(&wire, 2 * i + 1, arrays[i].filled);
	}
	pool_unref(&pool);
}

static void test_no_parameters(void **state ATTR_UNUSED)
{
	struct pgbox_db_wire_params wire;

	pgbox_db_params_get_wire(NULL, &wire);
	assert_int_equal(wire.count, 0);
}

static void test_scalars_round_trip(void **state ATTR_UNUSED)
{
	pool_t pool = pool_allocfree_create("test");
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_wire_params wire;
	struct pgbox_db_result *result;
	const unsigned char *bytes;
	size_t size;

	add_scalars(params);
	pgbox_db_params_get_wire(params, &wire);
	result = result_from_wire(&wire);

	assert_int_equal(pgbox_db_result_rows(result), 1);
	assert_true(pgbox_db_result_bool(result, 0, 0));
	assert_false(pgbox_db_result_bool(result, 0, 1));
	assert_int_equal(pgbox_db_result_int(result, 0, 2), -2);
	assert_int_equal(pgbox_db_result_int(result, 0, 3), INT32_MIN);
	assert_int_equal(pgbox_db_result_int(result, 0, 4), INT64_MAX);
	assert_string_equal(pgbox_db_result_text(result, 0, 5), "t\xc3\xa4g");
	assert_string_equal(pgbox_db_result_text(result, 0, 6), "");
	assert_null(pgbox_db_result_text(result, 0, 7));
	bytes = pgbox_db_result_bytes(result, 0, 8, &size);
	assert_int_equal(size, 2);
	assert_memory_equal(bytes, "\0\xff", 2);
	assert_non_null(pgbox_db_result_bytes(result, 0, 9, &size));
	assert_int_equal(size, 0);
	assert_null(pgbox_db_result_bytes(result, 0, 10, &size));
	bytes = pgbox_db_result_bytes(result, 0, 11, &size);
	assert_int_equal(size, sizeof(uuid));
	assert_memory_equal(bytes, uuid, sizeof(uuid));
	/* nulls of no type at all */
	assert_true(pgbox_db_result_is_null(result, 0, 12));
	assert_int_equal(pgbox_db_result_int(result, 0, 12), 0);
	assert_false(pgbox_db_result_bool(result, 0, 12));
	assert_null(pgbox_db_result_text_array(result, 0, 12));

	pgbox_db_result_free(&result);
	assert_null(result);
	pgbox_db_result_free(&result);
	pool_unref(&pool);
}

static void test_arrays_round_trip(void **state ATTR_UNUSED)
{
	pool_t pool = pool_allocfree_create("test");
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_array *numbers, *texts;
	struct pgbox_db_wire_params wire;
	struct pgbox_db_result *result;
	ARRAY_TYPE(pgbox_int64) dest;
	const char *const *strings;

	/* both grow at the same time */
	numbers = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT4);
	texts = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	for (int i = 0; i < 1000; i++) {
		pgbox_db_array_add_int(numbers, -i);
		pgbox_db_array_add_text(texts, dec2str(i));
	}
	(void)pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	(void)pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	pgbox_db_params_get_wire(params, &wire);
	result = result_from_wire(&wire);

	i_array_init(&dest, 16);
	pgbox_db_result_int_array(result, 0, 0, &dest);
	assert_int_equal(array_count(&dest), 1000);
	assert_int_equal(*array_idx(&dest, 999), -999);
	pgbox_db_result_int_array(result, 0, 2, &dest);
	assert_int_equal(array_count(&dest), 1000);
	array_free(&dest);

	strings = pgbox_db_result_text_array(result, 0, 1);
	assert_int_equal(str_array_length(strings), 1000);
	assert_string_equal(strings[999], "999");
	strings = pgbox_db_result_text_array(result, 0, 3);
	assert_non_null(strings);
	assert_null(strings[0]);

	pgbox_db_result_free(&result);
	pool_unref(&pool);
}

static const struct {
	const char *text;
	size_t size;
	bool valid;
} texts[] = {
	{ "", 0, TRUE },
	{ "abc", 3, TRUE },
	{ "\xe2\x82\xac", 3, TRUE },
	{ "\xf0\x9f\x93\xa7", 4, TRUE },
	{ "a\0b", 3, FALSE },
	{ "\xe4", 1, FALSE },
	{ "\xc0\x80", 2, FALSE },		/* overlong */
	{ "\xed\xa0\x80", 3, FALSE },		/* surrogate */
	{ "\xf4\x90\x80\x80", 4, FALSE },	/* above U+10FFFF */
};

static void test_text_is_valid(void **state ATTR_UNUSED)
{
	for (unsigned int i = 0; i < N_ELEMENTS(texts); i++) {
		if (pgbox_db_text_is_valid(texts[i].text, texts[i].size) !=
		    texts[i].valid)
			fail_msg("#%u is wrong", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_no_parameters),
		cmocka_unit_test(test_scalars_round_trip),
		cmocka_unit_test(test_arrays_round_trip),
		cmocka_unit_test(test_text_is_valid),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
