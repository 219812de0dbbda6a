/* Helpers of the tests of statements, which need an installed schema. */

#include "test-schema.h"
#include "pgbox-query-mailbox.h"

#include <stdlib.h>

/* Each program begins with an empty database. No two ids are equal. */
#define SETUP_SQL \
	"truncate pgbox.account, pgbox.message, pgbox.mail, pgbox.message_chunk," \
	" pgbox.message_part, pgbox.message_upload, pgbox.message_text," \
	" pgbox.message_text_queue, pgbox.mail_change, pgbox.expunged cascade;" \
	"alter table pgbox.account alter column account_id restart with 11;" \
	"alter table pgbox.mailbox alter column mailbox_id restart with 2200;" \
	"alter sequence pgbox.message_id_seq restart with 330000"

struct pgbox_db *db;
struct pgbox_db_failure failure;
pool_t pool;
struct pgbox_mailbox_id inbox;

/* Returns the text that the statement gives. */
static const char *sql_text(const char *sql)
{
	struct pgbox_db_result *result;
	const char *text;

	if (pgbox_db_exec(db, test_query("test", sql), NULL, &result,
			  &failure) < 0)
		fail_msg("%s: %s", sql, failure.message);
	text = pgbox_db_result_rows(result) == 0 ? "no row" :
		t_strdup(pgbox_db_result_text(result, 0, 0));
	pgbox_db_result_free(&result);
	return text;
}

void assert_row(const char *expected, const char *columns, const char *from)
{
	const char *row = sql_text(t_strdup_printf(
		"select replace(row(%s)::text, '\"', '') from %s", columns, from));

	assert_string_equal(row, t_strdup_printf("(%s)", expected));
}

int64_t sql_int(const char *sql)
{
	return strtoll(sql_text(t_strdup_printf("select (%s)::text", sql)),
		       NULL, 10);
}

const char *ints_text(const ARRAY_TYPE(pgbox_int64) *ints)
{
	string_t *str = t_str_new(64);
	int64_t value;

	array_foreach_elem(ints, value)
		str_printfa(str, "%s%lld", str_len(str) > 0 ? " " : "",
			    (long long)value);
	return str_c(str);
}

int test_schema_setup(void **state)
{
	guid_128_t guid = { 0x11 };

	(void)test_db_setup(state);
	(void)test_admin(SETUP_SQL);
	pool = pool_alloconly_create("test queries", 4096);
	db = test_db_open(NULL, TEST_TIMEOUT_MSECS, 5000);
	T_BEGIN {
		int64_t account_id;

		if (pgbox_run_account_open(db, "one", TRUE, FALSE, FALSE, &account_id,
					   &failure) < 0 ||
		    pgbox_run_mailbox_create(db, account_id, "INBOX", guid,
					     TRUE, 0, 0, &failure) < 0)
			i_fatal("%s", failure.message);
		inbox.account_id = account_id;
		inbox.mailbox_id =
			sql_int("select mailbox_id from pgbox.mailbox");
	} T_END;
	return 0;
}

int test_schema_teardown(void **state)
{
	pgbox_db_unref(&db);
	pool_unref(&pool);
	return test_db_teardown(state);
}

struct pgbox_mailbox_id mailbox_new(const char *name)
{
	struct pgbox_mailbox_id id = inbox;
	guid_128_t guid = { 0 };

	memcpy(guid, name, I_MIN(strlen(name), sizeof(guid)));
	ASSERT_OK(pgbox_run_mailbox_create(db, id.account_id, name, guid, TRUE,
					   0, 0, &failure));
	id.mailbox_id = sql_int(t_strdup_printf(
		"select mailbox_id from pgbox.mailbox where name = '%s'", name));
	return id;
}

const char *words(const char *what, unsigned int n)
{
	return p_strdup_printf(pool, "%s%u", what, n);
}

struct pgbox_message *message_new(unsigned int n)
{
	struct pgbox_message *message = p_new(pool, struct pgbox_message, 1);
	struct pgbox_message_part *part;
	buffer_t *parts = buffer_create_dynamic(pool, 16);
	unsigned int i;

	buffer_append(parts, words("parts", n), strlen(words("parts", n)));
	message->size = 100 + n;
	message->header_size = 50 + n;
	message->has_sent = TRUE;
	message->sent = 3000000 + n;
	message->sent_zone = 60 + n;
	message->subject = words("subject", n);
	message->from = words("from", n);
	message->to = words("to", n);
	message->cc = words("cc", n);
	message->message_id = words("messageid", n);
	message->sort_keys[PGBOX_SORT_KEY_SUBJECT] = words("KSUBJECT", n);
	message->sort_keys[PGBOX_SORT_KEY_FROM] = words("KFROM", n);
	message->sort_keys[PGBOX_SORT_KEY_TO] = words("KTO", n);
	message->sort_keys[PGBOX_SORT_KEY_CC] = words("KCC", n);
	message->sort_keys[PGBOX_SORT_KEY_DISPLAYFROM] = words("KDFROM", n);
	message->sort_keys[PGBOX_SORT_KEY_DISPLAYTO] = words("KDTO", n);
	message->mime_parts = parts;
	message->envelope = words("envelope", n);
	message->bodystructure = words("structure", n);
	p_array_init(&message->parts, pool, 2);
	for (i = 1; i <= 2; i++) {
		part = array_append_space(&message->parts);
		part->section = words("", i);
		part->media_type = words("type", n * 10 + i);
		part->charset = words("charset", n * 10 + i);
		part->encoding = words("encoding", n * 10 + i);
		part->disposition = words("disposition", n * 10 + i);
		part->filename = words("file", n * 10 + i);
		part->header_offset = 1000 + n * 10 + i;
		part->header_size = 2000 + n * 10 + i;
		part->body_size = 3000 + n * 10 + i;
		part->body_lines = 4000 + n * 10 + i;
	}
	return message;
}

void new_mail_set(struct pgbox_new_mail *mail, unsigned int n)
{
	const char *const keywords[] = { words("keyword", n), "$all", NULL };

	i_zero(mail);
	mail->flags = n;
	mail->keywords = p_strarray_dup(pool, keywords);
	mail->saved = 2000000 + n;
	mail->uid = 500 + n;
	mail->pop3_uidl = words("uidl", n);
	mail->pop3_order = 600 + n;
	mail->min_modseq = 65536 * (7000 + n);
	mail->message = message_new(n);
	mail->guid = words("guid", n);
	mail->received = 1000000 + n;
	memset(mail->sha256, n, sizeof(mail->sha256));
	mail->data = words("data", n);
	mail->data_size = strlen(mail->data);
}

struct pgbox_mailbox_id
mailbox_with(const char *name, unsigned int first, unsigned int count)
{
	struct pgbox_mailbox_id id = mailbox_new(name);
	struct pgbox_new_mail *mails = p_new(pool, struct pgbox_new_mail, count);
	struct pgbox_add_result result;
	unsigned int i;

	for (i = 0; i < count; i++)
		new_mail_set(&mails[i], first + i);
	ASSERT_OK(pgbox_run_save(db, &id, name, 1, mails, count, &result,
				 &failure));
	return id;
}
