#ifndef TEST_DB_H
#define TEST_DB_H

/* Helpers of the tests that use a live server. tests/db/run starts it and sets
   PGBOX_TEST_DSN (connection string), PGBOX_TEST_PORT (its TCP port on
   127.0.0.1) and PGBOX_TEST_SERVER (shell command, takes stop, start, pause or
   continue). Each test runs on the server as the others left it, with the
   tables of test_db_setup(). */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "buffer.h"
#include "str.h"
#include "pgbox-db-session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define TEST_TIMEOUT_MSECS 20000

/* Makes a query that lives on the data stack; counts its parameters. */
const struct pgbox_query *test_query(const char *name, const char *sql);

/* The same, to be prepared when it is run again */
const struct pgbox_query *test_constant_query(const char *name, const char *sql);
/* Makes db, which is not connected, find out whether there is a pooler. */
void test_tell_backend(struct pgbox_db *db);

/* conninfo NULL = the server's */
struct pgbox_db *
test_db_open(const char *conninfo, unsigned int query_timeout_msecs,
	     unsigned int connect_timeout_msecs);

/* Runs a query without parameters; fails the test unless it succeeds. Returns
   column 0 of row 0 if it is an integer, else 0. */
int64_t test_exec(struct pgbox_db *db, const char *sql);
/* Runs a query without parameters; fails the test unless it fails like that.
   Returns the milliseconds that it took. */
int64_t test_exec_fails(struct pgbox_db *db, const char *sql,
			enum pgbox_db_error error, const char *sqlstate);
void test_assert_failure(const struct pgbox_db_failure *failure,
			 enum pgbox_db_error error, const char *sqlstate);

/* Runs SQL on a connection of its own. Returns the first value as a number. */
int test_admin(const char *sql);
/* Does the same in another process, after the condition (SQL, returns a
   boolean) has become true. */
pid_t test_admin_when(const char *condition, const char *sql);
/* Ends such a process successfully. */
void test_child_end(void) ATTR_NORETURN;
/* Waits for it; fails the test if it failed. */
void test_admin_end(pid_t pid);

void test_server(const char *command);

/* Group setup and teardown */
int test_db_setup(void **state);
int test_db_teardown(void **state);

#endif
