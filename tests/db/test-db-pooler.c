/* The same through pgbouncer in transaction mode, where each statement may get
   another session of the server. */

#include "test-db.h"

static void test_statements(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	const struct pgbox_query *query =
		test_constant_query("add", "select $1::int8 + 1");
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	test_tell_backend(db);
	pgbox_db_param_int8(params, 41);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(pgbox_db_exec(db, query, params, &result,
					       &failure), 0);
		assert_int_equal(pgbox_db_result_int(result, 0, 0), 42);
		pgbox_db_result_free(&result);
	}
	assert_int_equal(test_exec(db,
		"select count(*) from pg_prepared_statements"), 0);
	pgbox_db_unref(&db);
}

static void test_transaction(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	struct pgbox_db_failure failure;
	int64_t pid;

	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	pid = test_exec(db, "select pg_backend_pid()");
	/* takes a session, too */
	test_admin("select 1");
	assert_true(test_exec(db, "select pg_backend_pid()") == pid);
	assert_int_equal(pgbox_db_commit(db, &failure), 0);
	pgbox_db_unref(&db);
}

/* A cancel request must not hit anything that comes later. */
static void test_deadline(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, 200, 5000);

	for (unsigned int i = 0; i < 5; i++) {
		test_exec_fails(db, "select pg_sleep(600)",
				PGBOX_DB_ERROR_TIMEOUT, "57014");
		assert_int_equal(test_exec(db, "select 5"), 5);
	}
	pgbox_db_unref(&db);
}

/* The pooler lets us wait for a session, and says nothing. */
static void test_no_session_is_free(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, 200, 5000);
	PGconn *others[2];
	unsigned int i;

	/* as many as the pool has */
	for (i = 0; i < N_ELEMENTS(others); i++) {
		others[i] = PQconnectdb(getenv("PGBOX_TEST_DSN"));
		PQclear(PQexec(others[i], "begin"));
		assert_int_equal(PQtransactionStatus(others[i]), PQTRANS_INTRANS);
	}
	test_exec_fails(db, "select 1", PGBOX_DB_ERROR_UNCERTAIN, "");
	for (i = 0; i < N_ELEMENTS(others); i++)
		PQfinish(others[i]);
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
}

/* Runs last. The pooler keeps us, and tells that it has no server. */
static void test_server_stopped(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = test_db_open(NULL, 1000, 5000);
	struct pgbox_db_result *result = NULL;
	struct pgbox_db_failure failure;
	int64_t end;

	assert_int_equal(test_exec(db, "select 5"), 5);
	test_server("stop");
	assert_int_equal(pgbox_db_exec(db, test_query("test", "select 1"), NULL,
				       &result, &failure), -1);
	test_server("start");
	end = pgbox_db_now_msecs() + TEST_TIMEOUT_MSECS;
	while (pgbox_db_exec(db, test_query("test", "select 1"), NULL,
			     &result, &failure) < 0) {
		if (pgbox_db_now_msecs() > end)
			fail_msg("%s", failure.message);
		usleep(10000);
	}
	pgbox_db_result_free(&result);
	pgbox_db_unref(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_no_session_is_free),
		cmocka_unit_test(test_server_stopped),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_db_setup, test_db_teardown);
	lib_deinit();
	return ret;
}
