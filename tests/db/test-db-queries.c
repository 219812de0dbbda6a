/* Statements that are not about single mails, see test-schema.h. */

#include "test-schema.h"
#include "pgbox-folding.h"
#include "pgbox-history.h"
#include "pgbox-message-text.h"
#include "pgbox-query.h"
#include "pgbox-query-mailbox.h"
#include "pgbox-query-session.h"
#include "pgbox-query-text.h"

#include <stdlib.h>

/*
 * Accounts and mailboxes
 */

static void test_account(void **state ATTR_UNUSED)
{
	int64_t id;

	assert_int_equal(pgbox_run_account_open(db, "two", FALSE, TRUE, FALSE, &id,
						&failure), -1);
	assert_int_equal(failure.error, PGBOX_DB_ERROR_NOT_FOUND);
	ASSERT_OK(pgbox_run_account_open(db, "two", TRUE, TRUE, FALSE, &id,
					 &failure));
	assert_int_equal(id, sql_int("select account_id from pgbox.account"
				     " where name = 'two'"));
	assert_row("1,0", "count(*) filter (where a.name = 'two'),"
		   " count(*) filter (where a.name = 'one' and b.guid::text not like '11%')",
		   "pgbox.mailbox b join pgbox.account a using (account_id)"
		   " where b.name = 'INBOX'");
}

static void test_mailbox_create(void **state ATTR_UNUSED)
{
	const guid_128_t guid = { 0x22, [15] = 0x33 };

	ASSERT_OK(pgbox_run_mailbox_create(db, inbox.account_id, "created",
					   guid, FALSE, 3900000001, 6553600000,
					   &failure));
	assert_row("one,created,22000000-0000-0000-0000-000000000033,f,"
		   "3900000001,6553600000",
		   "a.name, b.name, b.guid, b.selectable, b.uid_validity, b.modseq",
		   "pgbox.mailbox b join pgbox.account a using (account_id)"
		   " where b.name = 'created'");
}

static void test_mailbox_update(void **state ATTR_UNUSED)
{
	const struct pgbox_mailbox_change change = {
		.uid_validity = 3900000002,
		.min_uid_next = 501,
		.min_first_recent_uid = 401,
		.min_modseq = 65536000000,
		.guid = { 0x44, [15] = 0x55 },
	};
	const struct pgbox_mailbox_change nothing = { .uid_validity = 0 };
	struct pgbox_mailbox_id id = mailbox_new("updated");
	unsigned int i;

	/* the second one leaves all as it is */
	for (i = 0; i < 2; i++) {
		ASSERT_OK(pgbox_run_mailbox_update(db, id.account_id,
			id.mailbox_id, i == 0 ? &change : &nothing, &failure));
		assert_row("3900000002,501,401,65536000000,"
			   "44000000-0000-0000-0000-000000000055",
			   "uid_validity, uid_next, first_recent_uid, modseq, guid",
			   "pgbox.mailbox where name = 'updated'");
	}
}

#define STATE_SQL \
	"update pgbox.mailbox set guid = '66000000-0000-0000-0000-000000000077'," \
	" uid_validity = 101, uid_next = 111, modseq = 121, messages = 131," \
	" unseen = 141, bytes = 151, first_recent_uid = 109, keywords = 171" \
	" where name = 'state';" \
	"insert into pgbox.mail (account_id, mailbox_id, uid, modseq," \
	" message_id, saved_at, flags)" \
	" select account_id, mailbox_id, u, 1, 1, to_timestamp(u), 0" \
	" from pgbox.mailbox cross join unnest(array[108, 109, 110]) u" \
	" where name = 'state'"

static void assert_mailbox_row(const struct pgbox_mailbox_row *row,
			       const struct pgbox_mailbox_id *id)
{
	assert_int_equal(row->mailbox_id, id->mailbox_id);
	assert_int_equal(row->guid[0], 0x66);
	assert_int_equal(row->guid[15], 0x77);
	assert_true(row->selectable);
	assert_int_equal(row->uid_validity, 101);
	assert_int_equal(row->uid_next, 111);
	assert_int_equal(row->modseq, 121);
	assert_int_equal(row->messages, 131);
	assert_int_equal(row->unseen, 141);
	assert_int_equal(row->bytes, 151);
	assert_int_equal(row->recent, 2);
	assert_int_equal(row->first_recent_uid, 109);
	assert_string_equal(row->name, "state");
	assert_int_equal(row->epoch, sql_int("select epoch from pgbox.epoch"));
	assert_int_equal(row->keywords, 171);
}

static void test_mailbox_read(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("state");
	ARRAY_TYPE(pgbox_mailbox_row) rows;
	const struct pgbox_mailbox_row *row;
	struct pgbox_mailbox_row row_by_name;
	unsigned int found = 0;
	time_t first;

	(void)test_admin(STATE_SQL);
	assert_int_equal(pgbox_run_mailbox_by_name(db, id.account_id, "state",
						   pool, &row_by_name,
						   &failure), 1);
	assert_mailbox_row(&row_by_name, &id);
	t_array_init(&rows, 8);
	ASSERT_OK(pgbox_run_mailbox_list(db, id.account_id, pool, &rows,
					 &failure));
	array_foreach(&rows, row) {
		if (strcmp(row->name, "state") != 0)
			continue;
		assert_mailbox_row(row, &id);
		found++;
	}
	assert_int_equal(found, 1);
	ASSERT_OK(pgbox_run_mailbox_first_saved(db, id.account_id,
						id.mailbox_id, &first,
						&failure));
	assert_int_equal(first, 108);
	id = mailbox_new("empty");
	ASSERT_OK(pgbox_run_mailbox_first_saved(db, id.account_id,
						id.mailbox_id, &first,
						&failure));
	assert_int_equal(first, -1);
}

static void test_mailbox_rename_delete(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("old");
	struct pgbox_mailbox_id new_id = id;

	ASSERT_OK(pgbox_run_mailbox_rename(db, id.account_id, "old", "new",
					   FALSE, &failure));
	assert_row(t_strdup_printf("%lld,new", (long long)id.mailbox_id),
		   "mailbox_id, name", "pgbox.mailbox where name in ('old', 'new')");
	ASSERT_OK(pgbox_run_mailbox_rename(db, id.account_id, "new", "newer",
					   TRUE, &failure));
	assert_row("{new,newer}", "array_agg(name order by mailbox_id desc)",
		   "pgbox.mailbox where name like 'new%'");
	/* it has another name */
	assert_int_equal(pgbox_run_mailbox_delete(db, id.account_id,
		id.mailbox_id, "new", &failure), -1);
	assert_int_equal(failure.error, PGBOX_DB_ERROR_NOT_FOUND);
	ASSERT_OK(pgbox_run_mailbox_delete(db, id.account_id, id.mailbox_id,
					   "newer", &failure));
	new_id.mailbox_id = sql_int("select mailbox_id from pgbox.mailbox"
				    " where name like 'new%' and deleted_at is null");
	assert_true(new_id.mailbox_id > id.mailbox_id);
}

static void test_mailbox_epoch(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("epoch");
	int64_t epoch = sql_int("select epoch from pgbox.epoch"), new_epoch;

	ASSERT_OK(pgbox_run_history_lost(db, epoch, &failure));
	new_epoch = sql_int("select epoch from pgbox.epoch");
	assert_true(new_epoch != epoch);
	/* only once */
	ASSERT_OK(pgbox_run_history_lost(db, epoch, &failure));
	assert_true(sql_int("select epoch from pgbox.epoch") == new_epoch);
	assert_row("t", "b.epoch <> e.epoch",
		   "pgbox.mailbox b cross join pgbox.epoch e where name = 'epoch'");
	ASSERT_OK(pgbox_run_enter_epoch(db, &id, &failure));
	assert_row("t", "b.epoch = e.epoch",
		   "pgbox.mailbox b cross join pgbox.epoch e where name = 'epoch'");
	ASSERT_OK(pgbox_run_restart(db, &id, &failure));
	assert_row("t", "b.modseq_floor = b.modseq",
		   "pgbox.mailbox b where name = 'epoch'");
}

static void test_subscriptions(void **state ATTR_UNUSED)
{
	const char *const *names;

	ASSERT_OK(pgbox_run_subscription_set(db, inbox.account_id, "reader",
					     "Lists/pgsql", TRUE, &failure));
	assert_row("one,reader,Lists/pgsql", "a.name, s.user_name, s.name",
		   "pgbox.subscription s join pgbox.account a using (account_id)");
	ASSERT_OK(pgbox_run_subscription_list(db, inbox.account_id, "reader",
					      pool, &names, &failure));
	assert_string_equal(t_strarray_join(names, " "), "Lists/pgsql");
	ASSERT_OK(pgbox_run_subscription_set(db, inbox.account_id, "reader",
					     "Lists/pgsql", FALSE, &failure));
	assert_row("0", "count(*)", "pgbox.subscription");
}

static void attribute_add(ARRAY_TYPE(pgbox_attribute_change) *changes,
			  const char *user_name, const char *key,
			  const char *value, time_t changed_at)
{
	struct pgbox_attribute_change *change = array_append_space(changes);

	change->user_name = user_name;
	change->key = key;
	change->value.data = (const unsigned char *)value;
	change->value.size = value == NULL ? 0 : strlen(value);
	change->value.changed_at = changed_at;
}

static void test_attributes(void **state ATTR_UNUSED)
{
	ARRAY_TYPE(pgbox_attribute_change) changes;
	struct pgbox_attribute_value value;
	const char *const *keys;

	t_array_init(&changes, 2);
	attribute_add(&changes, "reader", "vendor/a", "value a", 1001);
	attribute_add(&changes, "", "vendor/b", "value b", 0);
	ASSERT_OK(pgbox_run_attribute_set(db, inbox.account_id,
					  inbox.mailbox_id, &changes,
					  &failure));
	assert_row("one,INBOX,reader,vendor/a,value a,1001",
		   "a.name, b.name, t.user_name, t.key, convert_from(t.value, 'utf8'),"
		   " extract(epoch from t.changed_at)::int",
		   "pgbox.mailbox_attribute t join pgbox.account a using (account_id)"
		   " join pgbox.mailbox b using (account_id, mailbox_id)"
		   " where t.user_name <> ''");
	assert_row("vendor/b,t", "key, changed_at > now() - interval '1 minute'",
		   "pgbox.mailbox_attribute where user_name = ''");
	assert_int_equal(pgbox_run_attribute_get(db, inbox.account_id,
		inbox.mailbox_id, "reader", "vendor/a", pool, &value,
		&failure), 1);
	assert_int_equal(value.size, 7);
	assert_string_equal((const char *)value.data, "value a");
	assert_int_equal(value.changed_at, 1001);
	ASSERT_OK(pgbox_run_attribute_list(db, inbox.account_id,
					   inbox.mailbox_id, "reader", "vend",
					   pool, &keys, &failure));
	assert_string_equal(t_strarray_join(keys, " "), "vendor/a");
	array_clear(&changes);
	attribute_add(&changes, "reader", "vendor/a", NULL, 0);
	ASSERT_OK(pgbox_run_attribute_set(db, inbox.account_id,
					  inbox.mailbox_id, &changes,
					  &failure));
	assert_int_equal(pgbox_run_attribute_get(db, inbox.account_id,
		inbox.mailbox_id, "reader", "vendor/a", pool, &value,
		&failure), 0);
}

/*
 * Text
 */

static void test_text_claim(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("claims", 36, 4);
	ARRAY_TYPE(pgbox_text_claim) claims;
	const struct pgbox_text_claim *claim;
	bool queued;

	t_array_init(&claims, 4);
	(void)test_admin("update pgbox.message_text_queue q set has_header = true"
			 " from pgbox.message s where s.guid = 'guid36'"
			 " and s.message_id = q.message_id");
	/* 537 and 538, and no more of them */
	ASSERT_OK(pgbox_run_text_claim(db, &id, 538, FALSE, 3, 100000, &claims,
				       &failure));
	assert_int_equal(array_count(&claims), 2);
	claim = array_idx(&claims, 1);
	assert_int_equal(claim->uid, 538);
	assert_int_equal(claim->message_id, sql_int("select message_id"
		" from pgbox.message where guid = 'guid38'"));
	array_clear(&claims);
	ASSERT_OK(pgbox_run_text_claim(db, &id, 540, TRUE, 1, 100000, &claims,
				       &failure));
	claim = array_front(&claims);
	assert_int_equal(array_count(&claims), 1);
	assert_int_equal(claim->uid, 536);

	(void)test_admin("update pgbox.message_text_queue set has_header = true");
	ASSERT_OK(pgbox_run_text_queued(db, &id, FALSE, &queued, &failure));
	assert_false(queued);
	ASSERT_OK(pgbox_run_text_queued(db, &id, TRUE, &queued, &failure));
	assert_true(queued);
}

static void
assert_text_item(const struct pgbox_text_item *item, unsigned int n,
		 bool want_body, bool failed)
{
	assert_int_equal(item->account_id, inbox.account_id);
	assert_int_equal(item->message_id, sql_int(t_strdup_printf(
		"select message_id from pgbox.message where guid = 'guid%u'", n)));
	assert_int_equal(item->size, failed ? 0 : 100 + n);
	assert_true(item->want_body == want_body);
	assert_true(item->failed == failed);
	if (failed)
		return;
	assert_int_equal(item->mime_parts_size, strlen(words("parts", n)));
	assert_memory_equal(item->mime_parts, words("parts", n),
			    item->mime_parts_size);
	assert_memory_equal(item->data, words("data", n), 6);
}

static void test_text_next(void **state ATTR_UNUSED)
{
	ARRAY_TYPE(pgbox_text_item) items;

	(void)test_admin("delete from pgbox.message_text_queue");
	(void)mailbox_with("texts", 42, 4);
	(void)test_admin("update pgbox.message_chunk c set data ="
		" c.data || repeat('.', c.size - octet_length(c.data))::bytea"
		" from pgbox.message s where s.guid in ('guid42', 'guid43')"
		" and s.message_id = c.message_id;"
		"update pgbox.message_text_queue q set wanted = 2"
		" from pgbox.message s where s.guid = 'guid43'"
		" and s.message_id = q.message_id;"
		"update pgbox.message_text_queue q set attempts = 3,"
		" leased_until = now() - interval '1 second'"
		" from pgbox.message s where s.guid = 'guid45'"
		" and s.message_id = q.message_id");
	t_array_init(&items, 4);
	/* 44 is above the limit of octets */
	ASSERT_OK(pgbox_run_text_next(db, 3, 150, pool, &items, &failure));
	assert_int_equal(array_count(&items), 3);
	assert_text_item(array_idx(&items, 0), 45, FALSE, TRUE);
	assert_text_item(array_idx(&items, 1), 42, FALSE, FALSE);
	assert_text_item(array_idx(&items, 2), 43, TRUE, FALSE);
}

static string_t *text_new(const char *what)
{
	string_t *str = str_new(pool, 16);

	str_append(str, what);
	return str;
}

static void test_text_store(void **state ATTR_UNUSED)
{
	static const char *const fields[PGBOX_TEXT_FIELD_COUNT] = {
		[PGBOX_TEXT_FIELD_FROM] = "T-FROM",
		[PGBOX_TEXT_FIELD_TO] = "T-TO",
		[PGBOX_TEXT_FIELD_CC] = "T-CC",
		[PGBOX_TEXT_FIELD_BCC] = "T-BCC",
		[PGBOX_TEXT_FIELD_SUBJECT] = "T-SUBJECT",
		[PGBOX_TEXT_FIELD_MESSAGE_ID] = "T-ID",
	};
	struct pgbox_message_text texts[2];
	struct pgbox_text_row rows[2];
	unsigned int i, field;

	(void)mailbox_with("stored", 46, 2);
	i_zero(&texts);
	for (i = 0; i < 2; i++) {
		for (field = 0; field < N_ELEMENTS(fields); field++)
			texts[i].fields[field] = text_new(fields[field]);
		rows[i].account_id = inbox.account_id;
		rows[i].message_id = sql_int(t_strdup_printf("select message_id"
			" from pgbox.message where guid = 'guid%u'", 46 + i));
		rows[i].text = &texts[i];
	}
	texts[0].header = text_new("T-HEADER");
	texts[0].body = text_new("T-BODY");
	texts[1].error = "T-ERROR";
	ASSERT_OK(pgbox_run_text_store(db, rows, 2, &failure));
	assert_row(t_strdup_printf("one,guid46,%d,T-HEADER,T-FROM,T-TO,T-CC,T-BCC,"
				   "T-SUBJECT,T-ID,T-BODY",
				   pgbox_folding_get()),
		   "a.name, s.guid, t.folding, t.header, t.from_field, t.to_field,"
		   " t.cc_field, t.bcc_field, t.subject_field, t.message_id_field, t.body",
		   "pgbox.message_text t join pgbox.message s using (account_id, message_id)"
		   " join pgbox.account a using (account_id)");
	assert_row("guid47,T-ERROR", "s.guid, q.error",
		   "pgbox.message_text_queue q join pgbox.message s"
		   " using (account_id, message_id) where guid in ('guid46', 'guid47')");
}

/*
 * Others
 */

static void test_purge(void **state ATTR_UNUSED)
{
	uint64_t removed;

	(void)mailbox_with("purged", 50, 3);
	(void)test_admin("update pgbox.mailbox set deleted_at = now() - interval '10 seconds'"
			 " where name = 'purged'");
	ASSERT_OK(pgbox_run_purge(db, inbox.account_id, 3600, 2, &removed,
				  &failure));
	assert_row("3", "count(*)", "pgbox.mail where uid between 550 and 552");
	ASSERT_OK(pgbox_run_purge(db, inbox.account_id, 5, 2, &removed,
				  &failure));
	assert_int_equal(removed, 2);
	assert_row("1", "count(*)", "pgbox.mail where uid between 550 and 552");
}

/* Connects as a frontend does. */
static void session_connect(struct pgbox_history *history)
{
	struct pgbox_db *session =
		test_db_open(t_strconcat(getenv("PGBOX_TEST_DSN"),
					 " application_name=session", NULL),
			     TEST_TIMEOUT_MSECS, 5000);

	pgbox_query_session_init(session, history);
	if (pgbox_db_try_connect(session, &failure) < 0)
		fail_msg("%s", failure.message);
	pgbox_db_unref(&session);
}

static void test_session(void **state ATTR_UNUSED)
{
	struct pgbox_history *history = pgbox_history_get("test", NULL);
	int64_t epoch = sql_int("select epoch from pgbox.epoch");
	struct pgbox_history_position seen;
	unsigned int i;

	/* all of this server, but an epoch that nobody knows: it is raised */
	i_zero(&seen);
	seen.system_identifier =
		sql_int("select system_identifier from pg_control_system()");
	seen.timeline = sql_int("select timeline_id from pg_control_checkpoint()");
	seen.position = 1;
	seen.epoch = epoch + 5;
	seen.raised_at = sql_int("select extract(epoch from raised_at) * 1000000 + 1000000"
				 " from pgbox.epoch");
	pgbox_history_seen(history, &seen);
	session_connect(history);
	pgbox_history_read(history, &seen);
	assert_true(seen.epoch != epoch && seen.epoch != epoch + 5);
	/* and the second time not */
	for (i = 0; i < 2; i++) {
		assert_row(t_strdup_printf("%lld,%lld,%lld,%lld,t",
				(long long)seen.system_identifier,
				(long long)seen.timeline, (long long)seen.epoch,
				(long long)seen.raised_at),
			   t_strdup_printf("s.system_identifier, e.timeline,"
				" e.epoch, (extract(epoch from raised_at)"
				" * 1000000)::bigint, '0/0'::pg_lsn + %lld"
				" between '0/1000' and pg_current_wal_lsn()",
				(long long)seen.position),
			   "pgbox.epoch e cross join pg_control_system() s");
		session_connect(history);
	}
	pgbox_history_deinit();
}

static void test_notify(void **state ATTR_UNUSED)
{
	const char *const payloads[] = { "p1", "p2", NULL };
	const struct pgbox_notify_params values = { .payloads = payloads };
	struct pgbox_notify_columns columns;
	struct pgbox_db_result *result;

	ASSERT_OK(pgbox_exec_notify(db, &values, &result, &failure));
	pgbox_read_notify(result, 0, &columns);
	assert_true(columns.position > 0);
	pgbox_db_result_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_mailbox_create),
		cmocka_unit_test(test_mailbox_update),
		cmocka_unit_test(test_mailbox_read),
		cmocka_unit_test(test_mailbox_rename_delete),
		cmocka_unit_test(test_mailbox_epoch),
		cmocka_unit_test(test_subscriptions),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_text_claim),
		cmocka_unit_test(test_text_next),
		cmocka_unit_test(test_text_store),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_notify),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_schema_setup, test_schema_teardown);
	lib_deinit();
	return ret;
}
