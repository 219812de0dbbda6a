#ifndef TEST_SCHEMA_H
#define TEST_SCHEMA_H

/* Tests of the statements in sql/queries against an installed schema: every parameter
   and column is what C calls it. Each gets a value that nothing else has, which is then
   looked for in the tables and views, or comes from there. */

#include "test-db.h"
#include "pgbox-message.h"
#include "pgbox-query-mail.h"

/* for all tests of a program */
extern struct pgbox_db *db;
extern struct pgbox_db_failure failure;
extern pool_t pool;
/* of the account "one" */
extern struct pgbox_mailbox_id inbox;

/* Group setup and teardown; call those of test-db.h. */
int test_schema_setup(void **state);
int test_schema_teardown(void **state);

#define ASSERT_OK(call) do { \
	if ((call) < 0) \
		fail_msg("%s: %s", #call, failure.message); \
} while (0)

/* Fails the test unless the columns of the only row have these values, separated by
   commas, without any quotes. */
void assert_row(const char *expected, const char *columns, const char *from);
/* Returns the value of the expression or statement. */
int64_t sql_int(const char *sql);
/* Returns the numbers with spaces between them. */
const char *ints_text(const ARRAY_TYPE(pgbox_int64) *ints);

/* Makes a mailbox of the account "one". */
struct pgbox_mailbox_id mailbox_new(const char *name);
/* Text of the mail with the number n, what: e.g. "subject" */
const char *words(const char *what, unsigned int n);
/* Texts and numbers that differ from all others', and among themselves: the UID is
   500 + n, the GUID "guidn", n the flags, ... */
struct pgbox_message *message_new(unsigned int n);
void new_mail_set(struct pgbox_new_mail *mail, unsigned int n);
/* Makes a mailbox with mails of these numbers. */
struct pgbox_mailbox_id
mailbox_with(const char *name, unsigned int first, unsigned int count);

#endif
