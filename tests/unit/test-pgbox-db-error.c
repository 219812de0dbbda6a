/* Classes and texts of database errors. */

#include "pgbox-config.h"
#include "lib.h"
#include "str.h"
#include "pgbox-db-client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *sqlstate;
	enum pgbox_db_error error;
} sqlstates[] = {
	{ "PB404", PGBOX_DB_ERROR_NOT_FOUND },
	{ "PB410", PGBOX_DB_ERROR_EXPUNGED },
	{ "PB409", PGBOX_DB_ERROR_EXISTS },
	{ "PB400", PGBOX_DB_ERROR_NOT_POSSIBLE },
	{ "PB413", PGBOX_DB_ERROR_LIMIT },
	{ "PB999", PGBOX_DB_ERROR_INTERNAL },
	{ "23505", PGBOX_DB_ERROR_EXISTS },
	{ "23503", PGBOX_DB_ERROR_INTERNAL },
	{ "40001", PGBOX_DB_ERROR_CONFLICT },
	{ "40P01", PGBOX_DB_ERROR_CONFLICT },
	{ "40003", PGBOX_DB_ERROR_UNCERTAIN },
	{ "57014", PGBOX_DB_ERROR_TIMEOUT },
	{ "55P03", PGBOX_DB_ERROR_TIMEOUT },
	{ "57P01", PGBOX_DB_ERROR_RESOURCES },
	{ "57P03", PGBOX_DB_ERROR_RESOURCES },
	{ "57P04", PGBOX_DB_ERROR_CONFIG },
	{ "53100", PGBOX_DB_ERROR_RESOURCES },
	{ "53300", PGBOX_DB_ERROR_RESOURCES },
	{ "54000", PGBOX_DB_ERROR_LIMIT },
	{ "54001", PGBOX_DB_ERROR_INTERNAL },
	{ "08006", PGBOX_DB_ERROR_UNAVAILABLE },
	{ "08P01", PGBOX_DB_ERROR_UNAVAILABLE },
	{ "F0000", PGBOX_DB_ERROR_CONFIG },
	{ "28000", PGBOX_DB_ERROR_CONFIG },
	{ "28P01", PGBOX_DB_ERROR_CONFIG },
	{ "3D000", PGBOX_DB_ERROR_CONFIG },
	{ "42501", PGBOX_DB_ERROR_CONFIG },
	{ "42883", PGBOX_DB_ERROR_CONFIG },
	{ "42P01", PGBOX_DB_ERROR_CONFIG },
	{ "25006", PGBOX_DB_ERROR_CONFIG },
	{ "42601", PGBOX_DB_ERROR_INTERNAL },
	{ "XX000", PGBOX_DB_ERROR_INTERNAL },
	{ "", PGBOX_DB_ERROR_INTERNAL },
};

static void test_sqlstate(void **state ATTR_UNUSED)
{
	for (unsigned int i = 0; i < N_ELEMENTS(sqlstates); i++) {
		if (pgbox_db_error_from_sqlstate(sqlstates[i].sqlstate) !=
		    sqlstates[i].error)
			fail_msg("%s is wrong", sqlstates[i].sqlstate);
	}
}

/* What libpq says with PQERRORS_VERBOSE */
static const struct {
	const char *text;
	enum pgbox_db_error error;
	const char *sqlstate, *message;
} connects[] = {
	{ "connection to server at \"db1\" (192.0.2.1), port 5432 failed: "
	  "FATAL:  28P01: password authentication failed for user \"u\"\n"
	  "LOCATION:  auth_failed, auth.c:338\n",
	  PGBOX_DB_ERROR_CONFIG, "28P01",
	  "connection to server at \"db1\" (192.0.2.1), port 5432 failed: "
	  "FATAL:  28P01: password authentication failed for user \"u\"" },
	{ "connection to server at \"db1\" (192.0.2.1), port 5432 failed: "
	  "Connection refused\n"
	  "\tIs the server running on that host and accepting TCP/IP connections?\n",
	  PGBOX_DB_ERROR_UNAVAILABLE, "",
	  "connection to server at \"db1\" (192.0.2.1), port 5432 failed: "
	  "Connection refused; "
	  "Is the server running on that host and accepting TCP/IP connections?" },
	/* one may come back, then all is well */
	{ "connection to server at \"db1\", port 1 failed: Connection refused\n"
	  "connection to server at \"db2\", port 2 failed: "
	  "FATAL:  28000: no pg_hba.conf entry\nLOCATION:  x, y.c:1\n",
	  PGBOX_DB_ERROR_UNAVAILABLE, "", NULL },
	/* with and without TLS */
	{ "a failed: FATAL:  28000: no pg_hba.conf entry, SSL on\n"
	  "a failed: FATAL:  28000: no pg_hba.conf entry, SSL off\n",
	  PGBOX_DB_ERROR_CONFIG, "28000", NULL },
	{ "a failed: FATAL:  28P01: password authentication failed\n"
	  "password retrieved from file \"/etc/passfile\"\n",
	  PGBOX_DB_ERROR_CONFIG, "28P01", NULL },
	{ "a failed: FATAL:  57P03: the database system is starting up\n",
	  PGBOX_DB_ERROR_RESOURCES, "57P03", NULL },
	{ "a failed: FATAL:  53300: sorry, too many clients already\n",
	  PGBOX_DB_ERROR_RESOURCES, "53300", NULL },
	{ "a failed: session is read-only\n",
	  PGBOX_DB_ERROR_UNAVAILABLE, "", NULL },
	/* not a SQLSTATE */
	{ "a failed:  abcde: x\n", PGBOX_DB_ERROR_UNAVAILABLE, "", NULL },
	{ "FATAL:  2800", PGBOX_DB_ERROR_UNAVAILABLE, "", NULL },
	{ "", PGBOX_DB_ERROR_UNAVAILABLE, "", "" },
};

static void test_connect(void **state ATTR_UNUSED)
{
	struct pgbox_db_failure failure;

	for (unsigned int i = 0; i < N_ELEMENTS(connects); i++) {
		pgbox_db_failure_from_connect(connects[i].text, &failure);
		if (failure.error != connects[i].error)
			fail_msg("#%u is class %d", i, failure.error);
		assert_string_equal(failure.sqlstate, connects[i].sqlstate);
		if (connects[i].message != NULL) {
			assert_string_equal(failure.message,
					    connects[i].message);
		}
	}
}

/* What advice the log has, and of which role and database it speaks */
static const struct {
	const char *conninfo, *text, *advice;
} advices[] = {
	{ "user=u dbname=d", "FATAL:  3D000: database \"d\" does not exist",
	  "createdb --encoding=UTF8 --template=template0 d, then" },
	/* libpq takes the role's name */
	{ "user=u", "FATAL:  3D000: database \"u\" does not exist",
	  "createdb --encoding=UTF8 --template=template0 u, then" },
	{ "", "FATAL:  3D000: database \"x\" does not exist",
	  "--template=template0 ROLE, then" },
	{ "user=u", "FATAL:  28000: no pg_hba.conf entry for host \"::1\"",
	  "add a line for role u to the server's pg_hba.conf" },
	{ "user=u", "FATAL:  28000: Peer authentication failed for user \"u\"",
	  "must let the uid or certificate of this process be role u" },
	{ "user=u", "FATAL:  28000: role \"u\" does not exist",
	  "CREATE ROLE u LOGIN IN ROLE pgbox_mail" },
	{ "user=u", "FATAL:  53300: too many connections for role \"u\"",
	  "ALTER ROLE u CONNECTION LIMIT -1" },
	{ "user=u", "FATAL:  53300: sorry, too many clients already",
	  "raise the server's max_connections" },
	{ "user=u", "FATAL:  53300: remaining connection slots are reserved "
	  "for non-replication superuser connections",
	  "raise the server's max_connections" },
	{ "user=u", "root certificate file \"/h/.postgresql/root.crt\" does "
	  "not exist", "sslrootcert=FILE" },
	{ "user=u", "could not open certificate file \"/c\": Permission denied",
	  "sslcert=FILE" },
	{ "user=u", "fe_sendauth: no password supplied", "passfile=FILE" },
	/* it may be in there */
	{ "service=s", "fe_sendauth: no password supplied", NULL },
	{ "passfile=/nonexistent", "fe_sendauth: no password supplied",
	  "stat(/nonexistent) failed: " },
	{ "passfile=/", "fe_sendauth: no password supplied", "/ is not a file" },
	{ "user=u", "connection to server failed: Connection refused", NULL },
	{ "user=u", "FATAL:  57P03: the database system is starting up", NULL },
};

static void test_advice(void **state ATTR_UNUSED)
{
	struct pgbox_db_failure failure;
	struct pgbox_db db;
	const char *advice;

	i_zero(&db);
	for (unsigned int i = 0; i < N_ELEMENTS(advices); i++) {
		db.options = PQconninfoParse(advices[i].conninfo, NULL);
		assert_non_null(db.options);
		pgbox_db_failure_from_connect(advices[i].text, &failure);
		pgbox_db_failure_advise(&db, &failure);
		PQconninfoFree(db.options);

		advice = strstr(failure.message, "; what helps: ");
		if ((advice == NULL) != (advices[i].advice == NULL) ||
		    (advice != NULL &&
		     strstr(advice, advices[i].advice) == NULL))
			fail_msg("#%u: %s", i, failure.message);
	}
}

static const struct pgbox_query test_query = { .name = "test" };

static const struct {
	enum pgbox_db_state state;
	bool sent;
	enum pgbox_db_error lost, deadline;
} losses[] = {
	{ PGBOX_DB_STATE_IDLE, FALSE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_CHECKING, TRUE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_PREPARING, TRUE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_BUSY, FALSE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_BUSY, TRUE,
	  PGBOX_DB_ERROR_UNCERTAIN, PGBOX_DB_ERROR_UNCERTAIN },
	{ PGBOX_DB_STATE_TXN_BEGINNING, TRUE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_TXN_BUSY, TRUE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_TXN_COMMITTING, FALSE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
	{ PGBOX_DB_STATE_TXN_COMMITTING, TRUE,
	  PGBOX_DB_ERROR_UNCERTAIN, PGBOX_DB_ERROR_UNCERTAIN },
	{ PGBOX_DB_STATE_TXN_ROLLING_BACK, TRUE,
	  PGBOX_DB_ERROR_UNAVAILABLE, PGBOX_DB_ERROR_TIMEOUT },
};

static void test_loss(void **state ATTR_UNUSED)
{
	struct pgbox_db_failure failure;
	struct pgbox_db db;

	i_zero(&db);
	for (unsigned int i = 0; i < N_ELEMENTS(losses); i++) {
		db.state = losses[i].state;
		pgbox_db_failure_lost(&db, &test_query, losses[i].sent,
				      "gone", &failure);
		if (failure.error != losses[i].lost)
			fail_msg("#%u is class %d", i, failure.error);
		assert_non_null(strstr(failure.message, "test: gone"));
		assert_string_equal(failure.sqlstate, "");
		pgbox_db_failure_deadline(&db, &test_query, losses[i].sent,
					  &failure);
		if (failure.error != losses[i].deadline)
			fail_msg("#%u is class %d", i, failure.error);
	}
}

static void test_one_line(void **state ATTR_UNUSED)
{
	string_t *str = t_str_new(4096);

	assert_string_equal(pgbox_db_error_one_line(" a \r\n\n\tb\nLOCATION:  c\n"),
			    "a; b");
	while (str_len(str) < 4000)
		str_append(str, "\xc3\xa4");
	assert_true(strlen(pgbox_db_error_one_line(str_c(str))) <= 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlstate),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_one_line),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
