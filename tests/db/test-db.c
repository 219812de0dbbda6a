/* Helpers of the tests that use a live server. */

#include "test-db.h"

#include <signal.h>
#include <sys/wait.h>

#define POLL_MSECS 10

static const char setup_sql[] =
	"drop schema if exists test cascade;"
	"create schema test;"
	"create table test.t (id int primary key, v int not null default 0);"
	"insert into test.t values (1), (2);"
	"create table test.body (id int primary key, data bytea);"
	"create sequence test.runs;"
	/* fails with the SQLSTATE in its first runs, counting from reset */
	"create function test.fail_first(p_times int, p_sqlstate text)"
	" returns int language plpgsql as $$ begin"
	"  if nextval('test.runs') <= p_times then"
	"   raise exception using errcode = p_sqlstate, message = 'test',"
	"    detail = 'some detail', hint = 'some hint';"
	"  end if; return 7; end $$;"
	/* locks two rows in this order */
	"create function test.bump(p_first int, p_second int)"
	" returns int language plpgsql as $$ begin"
	"  update test.t set v = v + 1 where id = p_first;"
	"  update test.t set v = v + 1 where id = p_second;"
	"  return 1; end $$;"
	/* makes COMMIT slow */
	"create table test.slow (id int);"
	"create function test.sleep() returns trigger language plpgsql as"
	" $$ begin perform pg_sleep(60); return null; end $$;"
	"create constraint trigger slow after insert on test.slow"
	" deferrable initially deferred for each row"
	" execute function test.sleep();";

static const char *test_getenv(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		i_fatal("%s is not set: use tests/db/run", name);
	return value;
}

const struct pgbox_query *test_query(const char *name, const char *sql)
{
	struct pgbox_query *query = t_new(struct pgbox_query, 1);

	query->name = name;
	query->sql = sql;
	while (strstr(sql, t_strdup_printf("$%u", query->param_count + 1)) != NULL)
		query->param_count++;
	return query;
}

const struct pgbox_query *test_constant_query(const char *name, const char *sql)
{
	static unsigned int number = 0;
	struct pgbox_query *query = t_new(struct pgbox_query, 1);

	*query = *test_query(name, sql);
	query->number = ++number;
	return query;
}

static int
backend_callback(struct pgbox_db *db, const struct pgbox_db_result *result,
		 void *context ATTR_UNUSED, const char **error_r ATTR_UNUSED)
{
	pgbox_db_set_backend_pid(db, pgbox_db_result_int(result, 0, 0));
	return 0;
}

void test_tell_backend(struct pgbox_db *db)
{
	static const struct pgbox_query query = {
		.name = "backend", .sql = "select pg_backend_pid()",
	};

	pgbox_db_set_connected_callback(db, &query, backend_callback, NULL);
}

struct pgbox_db *
test_db_open(const char *conninfo, unsigned int query_timeout_msecs,
	     unsigned int connect_timeout_msecs)
{
	const struct pgbox_db_settings set = {
		.conninfo = conninfo != NULL ? conninfo :
			test_getenv("PGBOX_TEST_DSN"),
		.query_timeout_msecs = query_timeout_msecs,
		.connect_timeout_msecs = connect_timeout_msecs,
		.idle_disconnect_msecs = 300,
	};

	return pgbox_db_ref(&set, NULL);
}

int64_t test_exec(struct pgbox_db *db, const char *sql)
{
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t value = 0;
	Oid type;

	if (pgbox_db_exec(db, test_query("test", sql), NULL,
			  &result, &failure) < 0)
		fail_msg("%s: class %d: %s", sql, failure.error,
			 failure.message);
	type = PQftype(result->pg, 0);
	if (pgbox_db_result_rows(result) > 0 &&
	    (type == PGBOX_OID_INT4 || type == PGBOX_OID_INT8))
		value = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return value;
}

void test_assert_failure(const struct pgbox_db_failure *failure,
			 enum pgbox_db_error error, const char *sqlstate)
{
	if (failure->error != error || strcmp(failure->sqlstate, sqlstate) != 0)
		fail_msg("class %d, SQLSTATE \"%s\" instead of %d, \"%s\": %s",
			 failure->error, failure->sqlstate, error, sqlstate,
			 failure->message);
}

int64_t test_exec_fails(struct pgbox_db *db, const char *sql,
			enum pgbox_db_error error, const char *sqlstate)
{
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	int64_t start = pgbox_db_now_msecs();

	if (pgbox_db_exec(db, test_query("test", sql), NULL,
			  &result, &failure) == 0)
		fail_msg("%s succeeded", sql);
	assert_null(result);
	test_assert_failure(&failure, error, sqlstate);
	return pgbox_db_now_msecs() - start;
}

/*
 * The other side
 */

static void no_notice(void *context ATTR_UNUSED, const char *text ATTR_UNUSED)
{
}

static PGconn *admin_connect(void)
{
	PGconn *conn = PQconnectdb(test_getenv("PGBOX_TEST_DSN"));

	if (PQstatus(conn) != CONNECTION_OK)
		i_fatal("admin: %s", PQerrorMessage(conn));
	(void)PQsetNoticeProcessor(conn, no_notice, NULL);
	return conn;
}

static int admin_exec(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	int value = 0;

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		i_fatal("admin: %s: %s", sql, PQerrorMessage(conn));
	if (PQntuples(result) > 0 && PQnfields(result) > 0) {
		const char *text = PQgetvalue(result, 0, 0);

		value = *text == 't' ? 1 : atoi(text);
	}
	PQclear(result);
	return value;
}

int test_admin(const char *sql)
{
	PGconn *conn = admin_connect();
	int value = admin_exec(conn, sql);

	PQfinish(conn);
	return value;
}

pid_t test_admin_when(const char *condition, const char *sql)
{
	pid_t pid = fork();
	PGconn *conn;

	if (pid < 0)
		i_fatal("fork() failed: %m");
	if (pid > 0)
		return pid;

	conn = admin_connect();
	alarm(TEST_TIMEOUT_MSECS / 1000);
	while (admin_exec(conn, condition) == 0)
		usleep(POLL_MSECS * 1000);
	admin_exec(conn, sql);
	test_child_end();
}

void test_child_end(void)
{
	/* valgrind would report everything that the parent still uses */
	(void)execlp("true", "true", (char *)NULL);
	i_fatal("execlp(true) failed: %m");
}

void test_admin_end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		i_fatal("waitpid() failed: %m");
	assert_int_equal(status, 0);
}

void test_server(const char *command)
{
	const char *server = test_getenv("PGBOX_TEST_SERVER");

	if (system(t_strdup_printf("%s %s", server, command)) != 0)
		i_fatal("%s %s failed", server, command);
}

int test_db_setup(void **state ATTR_UNUSED)
{
	/* as in any Dovecot process */
	(void)signal(SIGPIPE, SIG_IGN);
	test_admin(setup_sql);
	return 0;
}

int test_db_teardown(void **state ATTR_UNUSED)
{
	test_admin("drop schema test cascade");
	return 0;
}
