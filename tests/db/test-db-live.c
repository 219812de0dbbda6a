/* Statements and transactions on a server that works. */

#include "test-db.h"
#include "ioloop.h"

#define MEGABYTE (1024 * 1024)

static void test_round_trip(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_array *array;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	ARRAY_TYPE(pgbox_int64) numbers;
	const char *const *texts;
	size_t size;

	pgbox_db_param_bool(params, TRUE);
	pgbox_db_param_int2(params, -3);
	pgbox_db_param_int4(params, -4);
	pgbox_db_param_int8(params, INT64_MIN);
	pgbox_db_param_text(params, "\xe2\x82\xac '\"\\");
	pgbox_db_param_bytea(params, "\0\1\2", 3);
	pgbox_db_param_uuid(params, (const unsigned char *)"0123456789abcdef");
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	pgbox_db_array_add_int(array, 1);
	pgbox_db_array_add_int(array, INT64_MAX);
	(void)pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	pgbox_db_array_add_text(array, "");
	pgbox_db_array_add_text(array, "{},\"");

	assert_int_equal(pgbox_db_exec(db, test_query("types",
		"select $1::bool, $2::int2, $3::int4, $4::int8, $5::text,"
		" $6::bytea, $7::uuid, $8::int8[], $9::text[], $10::text[],"
		" null::text, null::int[], '{}'::int2[], 'n'::name"),
		params, &result, &failure), 0);
	assert_true(pgbox_db_result_bool(result, 0, 0));
	assert_int_equal(pgbox_db_result_int(result, 0, 1), -3);
	assert_int_equal(pgbox_db_result_int(result, 0, 2), -4);
	assert_true(pgbox_db_result_int(result, 0, 3) == INT64_MIN);
	assert_string_equal(pgbox_db_result_text(result, 0, 4),
			    "\xe2\x82\xac '\"\\");
	assert_memory_equal(pgbox_db_result_bytes(result, 0, 5, &size),
			    "\0\1\2", 3);
	assert_int_equal(size, 3);
	assert_memory_equal(pgbox_db_result_bytes(result, 0, 6, &size),
			    "0123456789abcdef", 16);
	t_array_init(&numbers, 4);
	pgbox_db_result_int_array(result, 0, 7, &numbers);
	assert_int_equal(array_count(&numbers), 2);
	assert_true(*array_idx(&numbers, 1) == INT64_MAX);
	texts = pgbox_db_result_text_array(result, 0, 8);
	assert_null(texts[0]);
	texts = pgbox_db_result_text_array(result, 0, 9);
	assert_string_equal(texts[0], "");
	assert_string_equal(texts[1], "{},\"");
	assert_null(texts[2]);
	assert_true(pgbox_db_result_is_null(result, 0, 10));
	assert_null(pgbox_db_result_text(result, 0, 10));
	pgbox_db_result_int_array(result, 0, 11, &numbers);
	pgbox_db_result_int_array(result, 0, 12, &numbers);
	assert_int_equal(array_count(&numbers), 2);
	assert_string_equal(pgbox_db_result_text(result, 0, 13), "n");
	pgbox_db_result_free(&result);
	pgbox_db_unref(&db);
}

/* Each type of array arrives as the server would write it itself. */
static void test_arrays_with_nulls(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_array *array;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BOOL);
	pgbox_db_array_add_bool(array, TRUE);
	pgbox_db_array_add_null(array);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT2);
	pgbox_db_array_add_int(array, -1);
	pgbox_db_array_add_null(array);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT4);
	pgbox_db_array_add_null(array);
	pgbox_db_array_add_int(array, 70000);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BYTEA);
	pgbox_db_array_add_bytes(array, "\0", 1);
	pgbox_db_array_add_bytes(array, NULL, 0);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_UUID);
	pgbox_db_array_add_bytes(array, "0123456789abcdef", 16);
	pgbox_db_array_add_null(array);
	assert_int_equal(pgbox_db_exec(db, test_query("arrays",
		"select $1::bool[]::text || $2::int2[]::text || $3::int4[]::text"
		" || $4::bytea[]::text || $5::uuid[]::text"),
		params, &result, &failure), 0);
	assert_string_equal(pgbox_db_result_text(result, 0, 0),
		"{t,NULL}{-1,NULL}{NULL,70000}{\"\\\\x00\",NULL}"
		"{30313233-3435-3637-3839-616263646566,NULL}");
	pgbox_db_result_free(&result);
	pgbox_db_unref(&db);
}

static void test_large_values(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	pool_t pool = pool_allocfree_create("test");
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_array *array;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	char *text = i_malloc(MEGABYTE + 1);

	memset(text, 'x', MEGABYTE);
	pgbox_db_param_text(params, text);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BYTEA);
	for (unsigned int i = 0; i < 20; i++)
		pgbox_db_array_add_bytes(array, text, MEGABYTE);

	assert_int_equal(pgbox_db_exec(db, test_query("large",
		"select $1::text, cardinality($2::bytea[]),"
		" (select sum(length(b)) from unnest($2) b)::int8, $2[20]"),
		params, &result, &failure), 0);
	assert_string_equal(pgbox_db_result_text(result, 0, 0), text);
	assert_int_equal(pgbox_db_result_int(result, 0, 1), 20);
	assert_int_equal(pgbox_db_result_int(result, 0, 2), 20 * MEGABYTE);
	pgbox_db_result_free(&result);
	i_free(text);
	pool_unref(&pool);
	pgbox_db_unref(&db);
}

static void test_rows(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	assert_int_equal(pgbox_db_exec(db, test_query("rows",
		"select i from generate_series(1, 5000) i order by i"),
		NULL, &result, &failure), 0);
	assert_int_equal(pgbox_db_result_rows(result), 5000);
	assert_int_equal(pgbox_db_result_int(result, 4999, 0), 5000);
	pgbox_db_result_free(&result);

	assert_int_equal(pgbox_db_exec(db, test_query("none",
		"update test.t set v = 0 where id = 99"),
		NULL, &result, &failure), 0);
	assert_int_equal(pgbox_db_result_rows(result), 0);
	pgbox_db_result_free(&result);
	pgbox_db_unref(&db);
}

static const struct {
	const char *sql;
	enum pgbox_db_error error;
	const char *sqlstate;
} failures[] = {
	{ "selec", PGBOX_DB_ERROR_INTERNAL, "42601" },
	{ "select 1 / 0", PGBOX_DB_ERROR_INTERNAL, "22012" },
	{ "select * from test.nix", PGBOX_DB_ERROR_CONFIG, "42P01" },
	{ "select test.nix()", PGBOX_DB_ERROR_CONFIG, "42883" },
	{ "insert into test.t values (1)", PGBOX_DB_ERROR_EXISTS, "23505" },
	{ "select test.fail_first(1000, 'PB404')",
	  PGBOX_DB_ERROR_NOT_FOUND, "PB404" },
	{ "select test.fail_first(1000, '55P03')",
	  PGBOX_DB_ERROR_TIMEOUT, "55P03" },
	{ "select test.fail_first(1000, '53100')",
	  PGBOX_DB_ERROR_RESOURCES, "53100" },
	{ "copy test.t to stdout", PGBOX_DB_ERROR_INTERNAL, "" },
	{ "", PGBOX_DB_ERROR_INTERNAL, "" },
};

static void test_failures(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);

	test_admin("alter sequence test.runs restart");
	for (unsigned int i = 0; i < N_ELEMENTS(failures); i++) {
		test_exec_fails(db, failures[i].sql, failures[i].error,
				failures[i].sqlstate);
		assert_int_equal(test_exec(db, "select 5"), 5);
	}
	pgbox_db_unref(&db);
}

static void test_failure_message(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	test_admin("alter sequence test.runs restart");
	assert_int_equal(pgbox_db_exec(db, test_query("name",
		"select test.fail_first(1, 'PB413')"),
		NULL, &result, &failure), -1);
	assert_string_equal(failure.message,
		"Query name: test (SQLSTATE PB413); Detail: some detail; "
		"Hint: some hint; Context: PL/pgSQL function "
		"test.fail_first(integer,text) line 1 at RAISE");

	/* no values of rows */
	assert_int_equal(pgbox_db_exec(db, test_query("name",
		"insert into test.t values (1)"), NULL, &result, &failure), -1);
	assert_string_equal(failure.message,
		"Query name: duplicate key value violates unique constraint "
		"\"t_pkey\" (SQLSTATE 23505); Constraint: t_pkey");
	pgbox_db_unref(&db);
}

static void test_conflict_is_retried(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_failure failure;

	test_admin("alter sequence test.runs restart");
	assert_int_equal(test_exec(db, "select test.fail_first(3, '40001')"), 7);
	test_admin("alter sequence test.runs restart");
	test_exec_fails(db, "select test.fail_first(4, '40001')",
			PGBOX_DB_ERROR_CONFLICT, "40001");
	assert_int_equal(test_admin("select last_value from test.runs"), 4);

	/* in a transaction it is the caller's turn */
	test_admin("alter sequence test.runs restart");
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec_fails(db, "select test.fail_first(3, '40001')",
			PGBOX_DB_ERROR_CONFLICT, "40001");
	assert_int_equal(test_admin("select last_value from test.runs"), 1);
	pgbox_db_rollback(db);
	pgbox_db_unref(&db);
}

/* We hold row 1 and wait for row 2, the other side the other way round. Its
   deadlock check is late, so we are the victim. */
static void test_deadlock_is_retried(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	PGconn *other = PQconnectdb(getenv("PGBOX_TEST_DSN"));
	int start = test_admin("select sum(v) from test.t");

	PQclear(PQexec(other, "set deadlock_timeout = '1h'; begin;"
		       "update test.t set v = v + 1 where id = 2"));
	assert_int_equal(PQtransactionStatus(other), PQTRANS_INTRANS);
	/* while we wait below, the other side closes the circle */
	assert_int_equal(PQsendQuery(other,
		"do $$ begin while not exists (select from pg_stat_activity"
		" where wait_event_type = 'Lock' and query like '%bump(1, 2)%'"
		" and pid <> pg_backend_pid()) loop perform pg_sleep(0.01),"
		" pg_stat_clear_snapshot(); end loop; end $$;"
		"select test.bump(2, 1); commit"), 1);
	assert_int_equal(test_exec(db, "select test.bump(1, 2)"), 1);
	PQfinish(other);
	assert_int_equal(test_admin("select sum(v) from test.t"), start + 5);
	pgbox_db_unref(&db);
}

static void test_transaction(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_failure failure;

	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (10)");
	assert_int_equal(test_admin("select count(*) from test.t where id = 10"), 0);
	assert_int_equal(pgbox_db_commit(db, &failure), 0);
	assert_int_equal(test_admin("select count(*) from test.t where id = 10"), 1);

	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (11)");
	pgbox_db_rollback(db);
	pgbox_db_rollback(db);
	assert_int_equal(test_admin("select count(*) from test.t where id = 11"), 0);

	/* after a failure all is rolled back */
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (12)");
	test_exec_fails(db, "insert into test.t values (12)",
			PGBOX_DB_ERROR_EXISTS, "23505");
	assert_int_equal(pgbox_db_commit(db, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_INTERNAL, "");
	assert_int_equal(test_admin("select count(*) from test.t where id = 12"), 0);
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
}

/* A constraint that is checked at COMMIT: the result comes before the error. */
static void test_deferred_constraint(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_failure failure;

	test_admin("create table test.later (id int unique deferrable "
		   "initially deferred); insert into test.later values (1)");
	test_exec_fails(db, "insert into test.later values (1) returning id",
			PGBOX_DB_ERROR_EXISTS, "23505");
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.later values (1)");
	assert_int_equal(pgbox_db_commit(db, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_EXISTS, "23505");
	assert_int_equal(test_exec(db, "select count(*) from test.later"), 1);
	pgbox_db_unref(&db);
}

static int
connected(struct pgbox_db *db ATTR_UNUSED,
	  const struct pgbox_db_result *result, void *context,
	  const char **error_r)
{
	unsigned int *calls = context;

	if (pgbox_db_result_int(result, 0, 0) != 15) {
		*error_r = "version 16 instead of 15";
		return -1;
	}
	(*calls)++;
	return 0;
}

static void test_connected_callback(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db *db2 = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_failure failure;
	unsigned int calls = 0;

	assert_ptr_equal(db, db2);
	pgbox_db_set_connected_callback(db, test_query("version", "select 15"),
					connected, &calls);
	assert_int_equal(test_exec(db, "select 1"), 1);
	assert_int_equal(test_exec(db2, "select 2"), 2);
	assert_int_equal(calls, 1);
	pgbox_db_unref(&db2);
	assert_null(db2);
	assert_int_equal(test_exec(db, "select 3"), 3);
	pgbox_db_unref(&db);

	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	pgbox_db_set_connected_callback(db, test_query("version", "select 16"),
					connected, &calls);
	assert_int_equal(pgbox_db_begin(db, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_CONFIG, "");
	assert_non_null(strstr(failure.message,
			       "Query version: version 16 instead of 15"));
	pgbox_db_unref(&db);
}

/* A pooler hands the session to others: nothing of ours may stay in it. */
static void test_session_is_clean(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);

	assert_int_equal(test_exec(db, "select count(*) from pg_settings "
				   "where source = 'session'"), 0);
	assert_int_equal(test_exec(db, "select count(*) "
				   "from pg_prepared_statements"), 0);
	assert_int_equal(test_exec(db, "select count(*) from pg_settings "
		"where name = 'application_name' and setting = 'pgbox/'"), 1);
	pgbox_db_unref(&db);
}

static int64_t run_constant(struct pgbox_db *db, const struct pgbox_query *query)
{
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t value;

	if (pgbox_db_exec(db, query, NULL, &result, &failure) < 0)
		fail_msg("%s", failure.message);
	value = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return value;
}

static int64_t count_prepared(struct pgbox_db *db)
{
	return test_exec(db, "select count(*) from pg_prepared_statements");
}

static void test_prepared(void **state ATTR_UNUSED)
{
	const struct pgbox_query *query =
		test_constant_query("answer", "select 42");
	const struct pgbox_query *wrong =
		test_constant_query("wrong", "select 1 / 0");
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	/* nobody says that there is no pooler */
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(run_constant(db, query), 42);
	assert_int_equal(count_prepared(db), 0);
	pgbox_db_unref(&db);

	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	test_tell_backend(db);
	assert_int_equal(run_constant(db, query), 42);
	assert_int_equal(count_prepared(db), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(run_constant(db, query), 42);
	assert_int_equal(count_prepared(db), 1);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(pgbox_db_exec(db, wrong, NULL, &result,
					       &failure), -1);
		test_assert_failure(&failure, PGBOX_DB_ERROR_INTERNAL, "22012");
	}
	/* in a transaction an error would be one of the transaction */
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	assert_int_equal(run_constant(db, query), 42);
	assert_int_equal(pgbox_db_commit(db, &failure), 0);
	assert_int_equal(run_constant(db, query), 42);
	pgbox_db_unref(&db);
}

/* What is prepared can become useless while the connection stays. */
static void test_prepared_is_stale(void **state ATTR_UNUSED)
{
	const struct pgbox_query *query =
		test_constant_query("count", "select * from test.changing");
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);

	test_admin("create table test.changing as select 7 as a");
	test_tell_backend(db);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(run_constant(db, query), 7);
	test_exec(db, "deallocate all");
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(run_constant(db, query), 7);
	test_admin("alter table test.changing add b text");
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(run_constant(db, query), 7);
	test_admin("drop table test.changing");
	pgbox_db_unref(&db);
}

static int64_t finish_started(struct pgbox_db_started **started)
{
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t value;

	assert_int_equal(pgbox_db_exec_finish(started, &result, &failure), 0);
	assert_null(*started);
	value = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return value;
}

static struct pgbox_db_started *start(struct pgbox_db *db, const char *sql)
{
	struct pgbox_db_started *started;
	struct pgbox_db_failure failure;

	started = pgbox_db_exec_start(db, test_query("started", sql), NULL,
				      &failure);
	assert_non_null(started);
	return started;
}

static void test_started(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_started *first, *second;
	int64_t start_msecs = pgbox_db_now_msecs();

	first = start(db, "select 1 from pg_sleep(0.5)");
	assert_true(pgbox_db_now_msecs() - start_msecs < 400);
	assert_int_equal(finish_started(&first), 1);
	assert_true(pgbox_db_now_msecs() - start_msecs >= 500);

	/* others wait, and take nothing away */
	first = start(db, "select 1");
	assert_int_equal(test_exec(db, "select 2"), 2);
	second = start(db, "select 3");
	assert_int_equal(test_exec(db, "select 4"), 4);
	assert_int_equal(finish_started(&second), 3);
	assert_int_equal(finish_started(&first), 1);
	pgbox_db_unref(&db);
}

static void test_started_fails(void **state ATTR_UNUSED)
{
	static const struct {
		const char *sql;
		enum pgbox_db_error error;
		const char *sqlstate;
	} tests[] = {
		{ "select 1 / 0", PGBOX_DB_ERROR_INTERNAL, "22012" },
		{ "select 1 from pg_sleep(60)", PGBOX_DB_ERROR_TIMEOUT, "57014" },
		{ "select 1 from pg_terminate_backend(pg_backend_pid())",
		  PGBOX_DB_ERROR_UNCERTAIN, "57P01" },
	};
	struct pgbox_db *db = test_db_open(NULL, 500, 5000);
	struct pgbox_db_started *started;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(tests) * 2; i++) {
		started = start(db, tests[i / 2].sql);
		/* whoever waits for the answer */
		if (i % 2 == 1)
			assert_int_equal(test_exec(db, "select 5"), 5);
		assert_int_equal(pgbox_db_exec_finish(&started, &result,
						      &failure), -1);
		assert_null(result);
		test_assert_failure(&failure, tests[i / 2].error,
				    tests[i / 2].sqlstate);
	}
	pgbox_db_unref(&db);
}

static const struct {
	const char *conninfo, *error; /* NULL = valid */
} conninfos[] = {
	{ "host=a dbname=b password=secret", NULL },
	{ "postgresql://user:secret@host/db", NULL },
	{ "", NULL },
	{ "secret=x", "Unknown keyword in the connection string" },
	{ "password='secret", "Syntax error in the connection string" },
	{ "secret", "Syntax error in the connection string" },
};

static void test_conninfo_check(void **state ATTR_UNUSED)
{
	const char *error;

	for (unsigned int i = 0; i < N_ELEMENTS(conninfos); i++) {
		int ret = pgbox_db_conninfo_check(conninfos[i].conninfo, &error);

		assert_int_equal(ret, conninfos[i].error == NULL ? 0 : -1);
		if (ret < 0)
			assert_string_equal(error, conninfos[i].error);
	}
}

static void loop_stop(struct ioloop *ioloop)
{
	io_loop_stop(ioloop);
}

static void loop_run(struct ioloop *ioloop, unsigned int msecs)
{
	struct timeout *to = timeout_add(msecs, loop_stop, ioloop);

	io_loop_run(ioloop);
	timeout_remove(&to);
}

static void test_idle_disconnect(void **state ATTR_UNUSED)
{
	struct ioloop *root = io_loop_create(), *nested;
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_failure failure;

	/* the timer must survive a nested loop */
	nested = io_loop_create();
	assert_int_equal(test_exec(db, "select 1"), 1);
	io_loop_destroy(&nested);
	assert_int_equal(db->state, PGBOX_DB_STATE_IDLE);
	loop_run(root, 50);
	assert_int_equal(db->state, PGBOX_DB_STATE_IDLE);
	loop_run(root, 600);
	assert_int_equal(db->state, PGBOX_DB_STATE_DISCONNECTED);

	/* comes back, and is not dropped within a transaction */
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "select 1");
	loop_run(root, 600);
	assert_int_equal(db->state, PGBOX_DB_STATE_TXN);
	assert_int_equal(pgbox_db_commit(db, &failure), 0);
	loop_run(root, 600);
	assert_int_equal(db->state, PGBOX_DB_STATE_DISCONNECTED);
	assert_int_equal(test_exec(db, "select 1"), 1);
	pgbox_db_unref(&db);
	io_loop_destroy(&root);
}

/* Whoever started it need not wait for its answer: that comes with the root
   loop, or while somebody looks. */
static void test_started_is_taken_over(void **state ATTR_UNUSED)
{
	/* more than the kernel holds for us */
	static const char *const large =
		"select 7, repeat('x', 20000000) from pg_sleep(0.1)";
	struct ioloop *root = io_loop_create(), *nested;
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_started *started;
	unsigned int i;

	nested = io_loop_create();
	started = start(db, large);
	io_loop_destroy(&nested);
	for (i = 0; i < 200 && db->state == PGBOX_DB_STATE_BUSY; i++)
		loop_run(root, 50);
	assert_int_equal(db->state, PGBOX_DB_STATE_IDLE);
	assert_int_equal(finish_started(&started), 7);

	started = start(db, large);
	for (i = 0; i < 2000 && db->state == PGBOX_DB_STATE_BUSY; i++) {
		pgbox_db_exec_look(started);
		(void)pgbox_db_wait_msecs(5, INT64_MAX);
	}
	assert_int_equal(db->state, PGBOX_DB_STATE_IDLE);
	assert_int_equal(finish_started(&started), 7);
	pgbox_db_unref(&db);
	io_loop_destroy(&root);
}

static void test_started_is_lost(void **state ATTR_UNUSED)
{
	struct ioloop *root = io_loop_create();
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_started *started;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	unsigned int i, run;

	for (run = 0; run < 2; run++) {
		started = start(db, "select 1 from pg_sleep(60)");
		for (i = 0; i < 200 && db->state == PGBOX_DB_STATE_BUSY; i++) {
			/* until it has begun */
			test_admin("select pg_terminate_backend(pid) "
				   "from pg_stat_activity "
				   "where query like '%pg_sleep(60)' "
				   "and pid <> pg_backend_pid()");
			if (run == 0)
				loop_run(root, 20);
			else
				pgbox_db_exec_look(started);
			(void)pgbox_db_wait_msecs(5, INT64_MAX);
		}
		assert_int_equal(db->state, PGBOX_DB_STATE_DISCONNECTED);
		assert_int_equal(test_exec(db, "select 2"), 2);
		assert_int_equal(pgbox_db_exec_finish(&started, &result,
						      &failure), -1);
		test_assert_failure(&failure, PGBOX_DB_ERROR_UNCERTAIN, "57P01");
	}
	pgbox_db_unref(&db);
	io_loop_destroy(&root);
}

static void test_started_is_abandoned(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	int64_t pid = test_exec(db, "select pg_backend_pid()"), start_msecs;
	struct pgbox_db_started *started;

	started = start(db, "select 1");
	pgbox_db_exec_abandon(&started);
	assert_null(started);
	started = start(db, "select 1");
	assert_int_equal(test_exec(db, "select 2"), 2);
	pgbox_db_exec_abandon(&started);
	assert_true(test_exec(db, "select pg_backend_pid()") == pid);

	/* not for as long as a query may take */
	start_msecs = pgbox_db_now_msecs();
	started = start(db, "select 1 from pg_sleep(60)");
	pgbox_db_exec_abandon(&started);
	assert_in_range(pgbox_db_now_msecs() - start_msecs, 500, 5000);
	assert_int_equal(test_exec(db, "select 3"), 3);
	pgbox_db_unref(&db);
}

static void test_lingering(void **state ATTR_UNUSED)
{
	struct ioloop *root = io_loop_create();
	struct pgbox_db *db;
	int64_t pid;

	pgbox_db_init();
	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	pid = test_exec(db, "select pg_backend_pid()");
	pgbox_db_unref(&db);
	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	assert_true(test_exec(db, "select pg_backend_pid()") == pid);
	pgbox_db_unref(&db);

	/* only one lingers */
	db = test_db_open(t_strconcat(getenv("PGBOX_TEST_DSN"), " ", NULL),
			  TEST_TIMEOUT_MSECS, 5000);
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	assert_false(test_exec(db, "select pg_backend_pid()") == pid);
	pid = test_exec(db, "select pg_backend_pid()");
	pgbox_db_unref(&db);

	/* not for ever */
	loop_run(root, 600);
	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	assert_false(test_exec(db, "select pg_backend_pid()") == pid);
	pgbox_db_unref(&db);
	pgbox_db_deinit();
	io_loop_destroy(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_arrays_with_nulls),
		cmocka_unit_test(test_large_values),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_failure_message),
		cmocka_unit_test(test_conflict_is_retried),
		cmocka_unit_test(test_deadlock_is_retried),
		cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_deferred_constraint),
		cmocka_unit_test(test_connected_callback),
		cmocka_unit_test(test_started),
		cmocka_unit_test(test_started_fails),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_prepared_is_stale),
		cmocka_unit_test(test_session_is_clean),
		cmocka_unit_test(test_conninfo_check),
		cmocka_unit_test(test_idle_disconnect),
		cmocka_unit_test(test_started_is_taken_over),
		cmocka_unit_test(test_started_is_lost),
		cmocka_unit_test(test_started_is_abandoned),
		cmocka_unit_test(test_lingering),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_db_setup, test_db_teardown);
	lib_deinit();
	return ret;
}
