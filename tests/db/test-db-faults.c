/* What callers are told, and when, while the server or the network fails. */

#include "test-db.h"

#include "ioloop.h"
#include "net.h"
#include "sleep.h"

/* A statement that lasts until somebody ends it, and how to find it */
#define ENDLESS_SQL "select pg_sleep(600)"
#define OUR_BACKEND "pg_stat_activity where application_name = 'pgbox/'"
#define IS_RUNNING(text) \
	"select count(*) from " OUR_BACKEND " and state = 'active'" \
	" and query ilike '%" text "%'"
#define TERMINATE_ALL "select count(pg_terminate_backend(pid, 5000)) from " \
	OUR_BACKEND

/* What a deadline may be late by: the wait for the cancelled statement, and a
   busy machine */
#define CANCEL_MSECS 2000
#define SLACK_MSECS 1500

static struct pgbox_db *open_db(unsigned int query_timeout_msecs)
{
	struct pgbox_db *db = test_db_open(NULL, query_timeout_msecs, 3000);

	test_exec(db, "select 1");
	return db;
}

static void assert_between(int64_t msecs, int64_t min, int64_t max)
{
	if (msecs < min || msecs > max) {
		fail_msg("%lld ms are not in %lld..%lld", (long long)msecs,
			 (long long)min, (long long)max);
	}
}

/*
 * Deadlines
 */

static void test_deadline(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(300);
	int64_t msecs;

	msecs = test_exec_fails(db, ENDLESS_SQL, PGBOX_DB_ERROR_TIMEOUT, "57014");
	assert_between(msecs, 300, 300 + SLACK_MSECS);
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
}

static void test_deadline_of_one_statement(void **state ATTR_UNUSED)
{
	const struct pgbox_db_patience patience = { .timeout_msecs = 100 };
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	assert_int_equal(pgbox_db_exec_patient(db, test_query("test",
		ENDLESS_SQL), NULL, &patience, &result, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_TIMEOUT, "57014");
	pgbox_db_unref(&db);
}

/* What a client has sent meanwhile doesn't matter, that it is gone does. */
static void test_client_hangs_up(void **state ATTR_UNUSED)
{
	struct pgbox_db_patience patience = { .timeout_msecs = 300 };
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t start = pgbox_db_now_msecs();
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	patience.client_fd = fds[0];
	assert_int_equal(pgbox_db_exec_patient(db, test_query("test",
		ENDLESS_SQL), NULL, &patience, &result, &failure), -1);
	assert_between(pgbox_db_now_msecs() - start, 300, 300 + SLACK_MSECS);

	patience.timeout_msecs = TEST_TIMEOUT_MSECS;
	start = pgbox_db_now_msecs();
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(pgbox_db_exec_patient(db, test_query("test",
		ENDLESS_SQL), NULL, &patience, &result, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_TIMEOUT, "57014");
	assert_between(pgbox_db_now_msecs() - start, 0, SLACK_MSECS);
	assert_int_equal(test_exec(db, "select 5"), 5);
	assert_int_equal(close(fds[0]), 0);
	pgbox_db_unref(&db);
}

static void test_deadline_in_lock_wait(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(300);
	PGconn *other = PQconnectdb(getenv("PGBOX_TEST_DSN"));
	int64_t msecs;

	PQclear(PQexec(other, "begin; lock table test.t"));
	msecs = test_exec_fails(db, "update test.t set v = 0 where id = 1",
				PGBOX_DB_ERROR_TIMEOUT, "57014");
	assert_between(msecs, 300, 300 + SLACK_MSECS);
	PQfinish(other);
	test_exec(db, "update test.t set v = 0 where id = 1");
	pgbox_db_unref(&db);
}

static void test_deadline_in_transaction(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(300);
	struct pgbox_db_failure failure;

	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (20)");
	test_exec_fails(db, ENDLESS_SQL, PGBOX_DB_ERROR_TIMEOUT, "57014");
	pgbox_db_rollback(db);
	assert_int_equal(test_exec(db,
		"select count(*) from test.t where id = 20"), 0);
	pgbox_db_unref(&db);
}

static void test_deadline_in_commit(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(300);
	struct pgbox_db_failure failure;

	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.slow values (20)");
	assert_int_equal(pgbox_db_commit(db, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_TIMEOUT, "57014");
	assert_int_equal(test_exec(db, "select count(*) from test.slow"), 0);
	pgbox_db_unref(&db);
}

/* Nothing answers, not even to the cancel request. */
static void test_deadline_of_stopped_server(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(300), *db2;
	int64_t msecs;

	test_server("pause");
	msecs = test_exec_fails(db, "select 1", PGBOX_DB_ERROR_UNCERTAIN, "");
	assert_between(msecs, 300, 300 + CANCEL_MSECS + SLACK_MSECS);

	/* connecting has its deadline, too */
	db2 = test_db_open(t_strconcat(getenv("PGBOX_TEST_DSN"), " ", NULL),
			   300, 400);
	msecs = test_exec_fails(db2, "select 1", PGBOX_DB_ERROR_UNAVAILABLE, "");
	assert_between(msecs, 400, 400 + SLACK_MSECS);
	pgbox_db_unref(&db2);

	test_server("continue");
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
}

/* The last bytes of a statement are still here at the deadline. */
/* All statements until the ioloop is there again */
static void test_deadline_of_command(void **state ATTR_UNUSED)
{
	struct ioloop *ioloop = io_loop_create();
	struct pgbox_db *db = test_db_open(NULL, 3000, 500);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t start = pgbox_db_now_msecs();
	struct timeout *to;

	test_exec(db, "select 1 from pg_sleep(1.4)");
	test_exec(db, "select 1 from pg_sleep(1.4)");
	/* a quick one is not one of them */
	assert_int_equal(test_exec(db, "select 5"), 5);
	assert_int_equal(pgbox_db_exec(db, test_query("test", ENDLESS_SQL),
				       NULL, &result, &failure), -1);
	assert_between(pgbox_db_now_msecs() - start, 2800, 3500 + SLACK_MSECS);
	start = pgbox_db_now_msecs();
	test_exec_fails(db, "select 1", PGBOX_DB_ERROR_TIMEOUT, "");
	assert_false(pgbox_db_command_wait(db, 200));
	assert_between(pgbox_db_now_msecs() - start, 0, 50);

	/* what has passed is given back */
	i_sleep_msecs(600);
	assert_int_equal(test_exec(db, "select 5"), 5);
	/* the next command */
	to = timeout_add_short(1, io_loop_stop, ioloop);
	io_loop_run(ioloop);
	timeout_remove(&to);
	test_exec(db, "select 1 from pg_sleep(1)");
	pgbox_db_unref(&db);
	io_loop_destroy(&ioloop);
}

static void test_deadline_while_sending(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(500);
	pool_t pool = pool_allocfree_create("test");
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	size_t size = 20 * 1024 * 1024;
	void *data = i_malloc(size);

	pgbox_db_param_bytea(params, data, size);
	test_server("pause");
	assert_int_equal(pgbox_db_exec(db, test_query("big",
		"insert into test.body values (1, $1)"),
		params, &result, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_TIMEOUT, "");
	test_server("continue");
	while (test_admin("select count(*) from " OUR_BACKEND) > 0)
		usleep(10000);
	assert_int_equal(test_admin("select count(*) from test.body"), 0);
	i_free(data);
	pool_unref(&pool);
	pgbox_db_unref(&db);
}

/*
 * Lost connections
 */

static void test_lost_while_idle(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	struct pgbox_db_failure failure;

	assert_int_equal(test_admin(TERMINATE_ALL), 1);
	assert_int_equal(test_exec(db, "select 5"), 5);
	assert_int_equal(test_admin(TERMINATE_ALL), 1);
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	pgbox_db_rollback(db);
	pgbox_db_unref(&db);
}

static void test_lost_while_busy(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	pid_t pid = test_admin_when(IS_RUNNING("pg_sleep"), TERMINATE_ALL);

	test_exec_fails(db, ENDLESS_SQL, PGBOX_DB_ERROR_UNCERTAIN, "57P01");
	test_admin_end(pid);
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
}

static void test_lost_in_transaction(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	struct pgbox_db_failure failure;
	pid_t pid;

	/* between two statements */
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (30)");
	assert_int_equal(test_admin(TERMINATE_ALL), 1);
	test_exec_fails(db, "insert into test.t values (31)",
			PGBOX_DB_ERROR_UNAVAILABLE, "");
	assert_int_equal(pgbox_db_commit(db, &failure), -1);
	pgbox_db_rollback(db);

	/* in one */
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (30)");
	pid = test_admin_when(IS_RUNNING("pg_sleep"), TERMINATE_ALL);
	test_exec_fails(db, ENDLESS_SQL, PGBOX_DB_ERROR_RESOURCES, "57P01");
	test_admin_end(pid);

	/* before COMMIT was sent */
	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.t values (30)");
	assert_int_equal(test_admin(TERMINATE_ALL), 1);
	assert_int_equal(pgbox_db_commit(db, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_UNAVAILABLE, "");

	assert_int_equal(test_exec(db,
		"select count(*) from test.t where id in (30, 31)"), 0);
	pgbox_db_unref(&db);
}

static void test_lost_in_commit(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	struct pgbox_db_failure failure;
	pid_t pid;

	assert_int_equal(pgbox_db_begin(db, &failure), 0);
	test_exec(db, "insert into test.slow values (30)");
	pid = test_admin_when(IS_RUNNING("commit"), TERMINATE_ALL);
	assert_int_equal(pgbox_db_commit(db, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_UNCERTAIN, "57P01");
	test_admin_end(pid);
	assert_int_equal(test_exec(db, "select count(*) from test.slow"), 0);
	pgbox_db_unref(&db);
}

/*
 * No server
 */

static void exec_until_it_works(struct pgbox_db *db)
{
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t end = pgbox_db_now_msecs() + TEST_TIMEOUT_MSECS;

	while (pgbox_db_exec(db, test_query("test", "select 1"), NULL,
			     &result, &failure) < 0) {
		if (pgbox_db_now_msecs() > end)
			fail_msg("%s", failure.message);
		usleep(10000);
	}
	pgbox_db_result_free(&result);
}

static void test_server_stopped(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t msecs;

	test_server("stop");
	msecs = test_exec_fails(db, "select 1", PGBOX_DB_ERROR_UNAVAILABLE, "");
	assert_between(msecs, 0, SLACK_MSECS);

	/* the next ones don't even try */
	assert_int_equal(pgbox_db_exec(db, test_query("test", "select 1"), NULL,
				       &result, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_UNAVAILABLE, "");
	assert_non_null(strstr(failure.message, "Connection refused"));
	assert_non_null(strstr(failure.message, "no new attempt within"));

	test_server("start");
	exec_until_it_works(db);
	pgbox_db_unref(&db);
}

static void test_server_stopped_while_busy(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);
	pid_t pid = fork();

	if (pid == 0) {
		while (test_admin(IS_RUNNING("pg_sleep")) == 0)
			usleep(10000);
		test_server("stop");
		test_child_end();
	}
	test_exec_fails(db, ENDLESS_SQL, PGBOX_DB_ERROR_UNCERTAIN, "");
	test_admin_end(pid);
	test_server("start");
	exec_until_it_works(db);
	pgbox_db_unref(&db);
}

/* After a failover an old session may be on a server that can only read. */
static void test_read_only(void **state ATTR_UNUSED)
{
	struct pgbox_db *db = open_db(TEST_TIMEOUT_MSECS);

	test_admin("alter system set default_transaction_read_only = on");
	test_admin("select pg_reload_conf()");
	while (test_exec(db, "select count(*) from pg_settings where name = "
			 "'transaction_read_only' and setting = 'on'") == 0)
		usleep(10000);
	/* it looks for another server; there is none */
	test_exec_fails(db, "insert into test.t values (40)",
			PGBOX_DB_ERROR_UNAVAILABLE, "");

	test_admin("alter system reset default_transaction_read_only");
	test_admin("select pg_reload_conf()");
	exec_until_it_works(db);
	test_exec(db, "insert into test.t values (40)");
	pgbox_db_unref(&db);
}

/*
 * Several hosts
 */

/* Returns the port of a server that takes connections and says nothing. */
static unsigned int mute_server(int *fd_r)
{
	struct ip_addr ip;
	in_port_t port = 0;

	assert_int_equal(net_addr2ip("127.0.0.1", &ip), 0);
	*fd_r = net_listen(&ip, &port, 8);
	assert_true(*fd_r >= 0);
	return port;
}

static void test_first_host_refuses(void **state ATTR_UNUSED)
{
	struct pgbox_db *db;

	/* port 1: nobody is there */
	db = test_db_open(t_strdup_printf("host=127.0.0.1,127.0.0.1 port=1,%s "
		"user=postgres dbname=postgres", getenv("PGBOX_TEST_PORT")),
		TEST_TIMEOUT_MSECS, 3000);
	assert_int_equal(test_exec(db, "select 5"), 5);
	pgbox_db_unref(&db);
}

static void test_first_host_is_mute(void **state ATTR_UNUSED)
{
	struct pgbox_db *db;
	int64_t start = pgbox_db_now_msecs();
	int fd;

	db = test_db_open(t_strdup_printf("host=127.0.0.1,127.0.0.1 port=%u,%s "
		"user=postgres dbname=postgres", mute_server(&fd),
		getenv("PGBOX_TEST_PORT")), TEST_TIMEOUT_MSECS, 1000);
	assert_int_equal(test_exec(db, "select 5"), 5);
	assert_between(pgbox_db_now_msecs() - start, 500, 500 + SLACK_MSECS);

	/* the good one is remembered */
	assert_int_equal(test_admin(TERMINATE_ALL), 1);
	start = pgbox_db_now_msecs();
	assert_int_equal(test_exec(db, "select 5"), 5);
	assert_between(pgbox_db_now_msecs() - start, 0, 400);
	pgbox_db_unref(&db);
	(void)close(fd);
}

struct hosts_test {
	/* how many hosts are refused */
	unsigned int refuse;
	unsigned int asked;
	char *elsewhere;
};

static void hosts_params(struct pgbox_db_params *params, void *context)
{
	struct hosts_test *test = context;

	pgbox_db_param_int8(params, ++test->asked);
}

static int
hosts_connected(struct pgbox_db *db ATTR_UNUSED,
		const struct pgbox_db_result *result, void *context,
		const char **error_r)
{
	struct hosts_test *test = context;
	int64_t number = pgbox_db_result_int(result, 0, 0);

	if (number > test->refuse)
		return 0;
	*error_r = t_strdup_printf("no. %lld is refused", (long long)number);
	return -1;
}

static void
hosts_failed(struct pgbox_db *db ATTR_UNUSED, struct pgbox_db_failure *failure,
	     void *context)
{
	struct hosts_test *test = context;

	failure->message = t_strdup_printf("no. %u failed", test->asked);
}

static void hosts_elsewhere(const char *message, void *context)
{
	struct hosts_test *test = context;

	i_free(test->elsewhere);
	test->elsewhere = i_strdup(message);
}

/* What answers but is not wanted is as if it did not answer. */
static void test_refused_hosts(void **state ATTR_UNUSED)
{
	static const struct pgbox_db_connected_hooks hooks = {
		.params = hosts_params,
		.failed = hosts_failed,
		.elsewhere = hosts_elsewhere,
	};
	static const struct {
		const char *sql;
		unsigned int refuse;
		/* NULL: no host is used */
		const char *elsewhere;
		const char *error;
	} tests[] = {
		{ "select $1::bigint", 0, "", NULL },
		{ "select $1::bigint", 2, "no. 1 is refused", NULL },
		{ "select $1::bigint", 3, NULL, "no. 3 is refused" },
		{ "select 6 / ($1::bigint / 2)", 0, "no. 1 failed", NULL },
		{ "select 6 / ($1::bigint / 9)", 0, NULL, "no. 3 failed" },
	};
	const char *port = getenv("PGBOX_TEST_PORT");
	struct pgbox_db_failure failure;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(tests); i++) {
		struct hosts_test test = { .refuse = tests[i].refuse };
		struct pgbox_query query = *test_query("hosts", tests[i].sql);
		struct pgbox_db *db = test_db_open(t_strdup_printf(
			"host=127.0.0.1,127.0.0.1,127.0.0.1 port=%s "
			"user=postgres dbname=postgres", port),
			TEST_TIMEOUT_MSECS, 5000);

		query.param_count = 1;
		pgbox_db_set_connected_callback(db, &query, hosts_connected,
						&test);
		pgbox_db_set_connected_hooks(db, &hooks);
		if (tests[i].elsewhere != NULL) {
			assert_int_equal(test_exec(db, "select 1"), 1);
			assert_int_equal(*tests[i].elsewhere == '\0',
					 test.elsewhere == NULL);
			if (test.elsewhere != NULL) {
				assert_non_null(strstr(test.elsewhere,
						tests[i].elsewhere));
			}
		} else {
			assert_int_equal(pgbox_db_begin(db, &failure), -1);
			assert_true(failure.error != PGBOX_DB_ERROR_UNAVAILABLE);
			assert_non_null(strstr(failure.message,
					       tests[i].error));
			assert_null(test.elsewhere);
		}
		i_free(test.elsewhere);
		pgbox_db_unref(&db);
	}
}

static void test_no_host_answers(void **state ATTR_UNUSED)
{
	const char *msecs;
	struct pgbox_db *db;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int fd;

	db = test_db_open(t_strdup_printf("host=127.0.0.1,127.0.0.1 port=%u,1 "
		"user=postgres dbname=postgres password=geheim",
		mute_server(&fd)), TEST_TIMEOUT_MSECS, 400);
	assert_int_equal(pgbox_db_exec(db, test_query("test", "select 1"), NULL,
				       &result, &failure), -1);
	test_assert_failure(&failure, PGBOX_DB_ERROR_UNAVAILABLE, "");
	/* each host gets half of the time */
	msecs = strstr(failure.message, "timed out after ");
	assert_non_null(msecs);
	assert_between(strtol(msecs + strlen("timed out after "), NULL, 10),
		       190, 190 + SLACK_MSECS);
	assert_non_null(strstr(failure.message, "Connection refused"));
	assert_null(strstr(failure.message, "geheim"));
	pgbox_db_unref(&db);
	(void)close(fd);
}

static const struct {
	const char *options;
	enum pgbox_db_error error;
	const char *sqlstate;
} refusals[] = {
	{ "user=nobody_of_this_name password=geheim",
	  PGBOX_DB_ERROR_CONFIG, "28000" },
	{ "dbname=nix password=geheim", PGBOX_DB_ERROR_CONFIG, "3D000" },
	{ "sslmode=require password=geheim", PGBOX_DB_ERROR_UNAVAILABLE, "" },
	{ "nix=x password=geheim", PGBOX_DB_ERROR_CONFIG, "" },
};

static void test_refusals(void **state ATTR_UNUSED)
{
	struct pgbox_db *db;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	for (unsigned int i = 0; i < N_ELEMENTS(refusals); i++) {
		db = test_db_open(t_strconcat(getenv("PGBOX_TEST_DSN"), " ",
					      refusals[i].options, NULL),
				  TEST_TIMEOUT_MSECS, 1000);
		assert_int_equal(pgbox_db_exec(db, test_query("test",
			"select 1"), NULL, &result, &failure), -1);
		test_assert_failure(&failure, refusals[i].error,
				    refusals[i].sqlstate);
		assert_null(strstr(failure.message, "geheim"));
		pgbox_db_unref(&db);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_of_one_statement),
		cmocka_unit_test(test_client_hangs_up),
		cmocka_unit_test(test_deadline_in_lock_wait),
		cmocka_unit_test(test_deadline_in_transaction),
		cmocka_unit_test(test_deadline_in_commit),
		cmocka_unit_test(test_deadline_of_stopped_server),
		cmocka_unit_test(test_deadline_of_command),
		cmocka_unit_test(test_deadline_while_sending),
		cmocka_unit_test(test_lost_while_idle),
		cmocka_unit_test(test_lost_while_busy),
		cmocka_unit_test(test_lost_in_transaction),
		cmocka_unit_test(test_lost_in_commit),
		cmocka_unit_test(test_server_stopped),
		cmocka_unit_test(test_server_stopped_while_busy),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_first_host_refuses),
		cmocka_unit_test(test_first_host_is_mute),
		cmocka_unit_test(test_refused_hosts),
		cmocka_unit_test(test_no_host_answers),
		cmocka_unit_test(test_refusals),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_db_setup, test_db_teardown);
	lib_deinit();
	return ret;
}
