/* Statements that add, read and change mails, see test-schema.h. */

#include "test-schema.h"
#include "pgbox-chunk.h"
#include "pgbox-folding.h"
#include "pgbox-query-message.h"

/*
 * Adding mails
 */

#define MESSAGE_COLUMNS \
	"a.name, b.name, s.guid, left(encode(s.sha256, 'hex'), 4)," \
	" convert_from(c.data, 'utf8'), c.size, s.size, s.header_size," \
	" extract(epoch from s.received_at)::int," \
	" convert_from(s.mime_parts, 'utf8'), convert_from(s.envelope, 'utf8')," \
	" convert_from(s.bodystructure, 'utf8')," \
	" convert_from(s.sort_subject, 'utf8'), convert_from(s.sort_from, 'utf8')," \
	" convert_from(s.sort_to, 'utf8'), convert_from(s.sort_cc, 'utf8')," \
	" convert_from(s.sort_display_from, 'utf8')," \
	" convert_from(s.sort_display_to, 'utf8')," \
	" m.pop3_uidl, m.pop3_order, m.flags, q.wanted, s.sort_folding"
#define MESSAGE_FROM \
	"pgbox.mail m join pgbox.account a using (account_id)" \
	" join pgbox.mailbox b using (account_id, mailbox_id)" \
	" join pgbox.message s using (account_id, message_id)" \
	" join pgbox.message_text_queue q using (account_id, message_id)" \
	" left join pgbox.message_chunk c using (account_id, message_id)" \
	" where s.guid = 'guid%u'"
#define VIEW_COLUMNS \
	"mailbox, uid, guid, size, extract(epoch from received_at)::int," \
	" extract(epoch from saved_at)::int, extract(epoch from sent_at)::int," \
	" sent_zone_minutes, subject, from_header, to_header, cc_header," \
	" message_id_header, (select array_agg(k order by k) from unnest(keywords) k)"
#define PART_COLUMNS \
	"section, media_type, charset, encoding, disposition, filename," \
	" p.header_offset, p.header_size, p.body_size, p.body_lines"

static void assert_saved(const char *mailbox, unsigned int n, const char *data)
{
	const char *from = t_strdup_printf(MESSAGE_FROM, n);
	unsigned int i;

	assert_row(t_strdup_printf("one,%s,guid%u,%02x%02x,%s,%u,%u,1%06u,"
		"parts%u,envelope%u,structure%u,KSUBJECT%u,KFROM%u,KTO%u,KCC%u,"
		"KDFROM%u,KDTO%u,uidl%u,%u,%u,1,%d",
		mailbox, n, n, n, data, 100 + n, 50 + n, n, n, n, n, n, n, n, n,
		n, n, n, 600 + n, n, pgbox_folding_get()), MESSAGE_COLUMNS, from);
	assert_row(t_strdup_printf("%s,%u,guid%u,%u,1%06u,2%06u,3%06u,%u,"
		"subject%u,from%u,to%u,cc%u,messageid%u,{$all,keyword%u}",
		mailbox, 500 + n, n, 100 + n, n, n, n, 60 + n, n, n, n, n, n, n),
		VIEW_COLUMNS, t_strdup_printf("pgbox.mail_view"
					      " where guid = 'guid%u'", n));
	for (i = n * 10 + 1; i <= n * 10 + 2; i++) {
		assert_row(t_strdup_printf("%u,type%u,charset%u,encoding%u,"
			"disposition%u,file%u,1%03u,2%03u,3%03u,4%03u",
			i % 10, i, i, i, i, i, i, i, i, i), PART_COLUMNS,
			t_strdup_printf("pgbox.message_part p join pgbox.message s"
				" using (account_id, message_id) where"
				" guid = 'guid%u' and section = '%u'", n, i % 10));
		assert_row(t_strdup_printf("one,%u,type%u,disposition%u,file%u,"
			"encoding%u,3%03u", i % 10, i, i, i, i, i),
			"account, section, media_type, disposition, filename,"
			" encoding, encoded_size",
			t_strdup_printf("pgbox.attachment_view where"
				" guid = 'guid%u' and section = '%u'", n, i % 10));
	}
}

static void test_save_one(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("one");
	struct pgbox_add_result result;
	struct pgbox_new_mail mail;

	new_mail_set(&mail, 1);
	ASSERT_OK(pgbox_run_save(db, &id, "one", 1, &mail, 1, &result,
				 &failure));
	assert_string_equal(ints_text(&result.uids), "501");
	assert_saved("one", 1, "data1,101");
	assert_row(t_strdup_printf("%u,%lld,502", result.uid_validity,
				   (long long)65536 * 7001),
		   "uid_validity, modseq, uid_next",
		   "pgbox.mailbox where name = 'one'");
	assert_int_equal(pgbox_run_save(db, &id, "other", 1, &mail, 1, &result,
					&failure), -1);
	assert_int_equal(failure.error, PGBOX_DB_ERROR_NOT_FOUND);
}

static void test_save_many(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("many");
	struct pgbox_add_result result;
	struct pgbox_new_mail mails[2];

	new_mail_set(&mails[0], 2);
	new_mail_set(&mails[1], 3);
	ASSERT_OK(pgbox_run_save(db, &id, "many", 1, mails, 2, &result,
				 &failure));
	assert_string_equal(ints_text(&result.uids), "502 503");
	assert_saved("many", 2, "data2,102");
	assert_saved("many", 3, "data3,103");
	assert_row(t_strdup_printf("%u,%lld,504", result.uid_validity,
				   (long long)65536 * 7003),
		   "uid_validity, modseq, uid_next",
		   "pgbox.mailbox where name = 'many'");
	assert_int_equal(pgbox_run_save(db, &id, "other", 1, mails, 2, &result,
					&failure), -1);
	assert_int_equal(failure.error, PGBOX_DB_ERROR_NOT_FOUND);
}

/* What a mail needs not have, alone and among others */
static void test_save_nulls(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("nulls");
	struct pgbox_add_result result;
	struct pgbox_new_mail mails[3];
	struct pgbox_message *message;
	struct pgbox_message_part *part;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(mails); i++) {
		new_mail_set(&mails[i], 4 + i);
		message = message_new(4 + i);
		message->has_sent = FALSE;
		message->subject = message->from = message->to = message->cc =
			message->message_id = NULL;
		for (unsigned int k = 0; k < PGBOX_SORT_KEY_COUNT; k++)
			message->sort_keys[k] = NULL;
		array_foreach_modifiable(&message->parts, part) {
			part->charset = part->encoding = part->disposition =
				part->filename = NULL;
		}
		mails[i].message = message;
		mails[i].keywords = NULL;
		mails[i].pop3_uidl = NULL;
		mails[i].uid = mails[i].pop3_order = 0;
	}
	ASSERT_OK(pgbox_run_save(db, &id, NULL, 2, mails, 1, &result, &failure));
	ASSERT_OK(pgbox_run_save(db, &id, NULL, 2, mails + 1, 2, &result,
				 &failure));
	assert_row("{1/16/2,2/16/2,3/16/2}",
		   "array_agg(m.uid || '/' || num_nulls(s.sent_at, s.sent_zone_minutes,"
		   " subject, from_header, to_header, cc_header, message_id_header,"
		   " sort_subject, sort_from, sort_to, sort_cc, sort_display_from,"
		   " sort_display_to, pop3_uidl, pop3_order, keyword_ids)"
		   " || '/' || q.wanted order by m.uid)",
		   "pgbox.mail m join pgbox.message s using (account_id, message_id)"
		   " join pgbox.message_text_queue q using (account_id, message_id)"
		   " join pgbox.mailbox b using (account_id, mailbox_id)"
		   " where b.name = 'nulls'");
	assert_row("6,24", "count(*), sum(num_nulls(charset, encoding, disposition, filename))",
		   "pgbox.message_part join pgbox.message using (account_id, message_id)"
		   " where guid in ('guid4', 'guid5', 'guid6')");
}

static void test_upload(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_new("uploads");
	struct pgbox_upload *upload = pgbox_upload_init(db, id.account_id);
	struct pgbox_stored_chunk chunk;
	struct pgbox_add_result result;
	struct pgbox_new_mail mail;
	int64_t message_id;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		chunk.size = 5000 + i;
		chunk.data = words("chunk", i);
		chunk.data_size = strlen(chunk.data);
		ASSERT_OK(pgbox_upload_add(upload, &chunk, &failure));
	}
	ASSERT_OK(pgbox_upload_finish(upload, &failure));
	message_id = pgbox_upload_deinit(&upload);
	assert_row(t_strdup_printf("one,%lld,0 5000 chunk0 1 5001 chunk1"
		" 2 5002 chunk2 3 5003 chunk3 4 5004 chunk4 5 5005 chunk5",
		(long long)message_id),
		"a.name, u.message_id, c.chunks",
		"pgbox.message_upload u join pgbox.account a using (account_id)"
		" cross join lateral (select string_agg(n || ' ' || size || ' ' ||"
		" convert_from(data, 'utf8'), ' ' order by n) as chunks"
		" from pgbox.message_chunk k where k.account_id = u.account_id"
		" and k.message_id = u.message_id) c");
	new_mail_set(&mail, 7);
	mail.data = NULL;
	mail.message_id = message_id;
	ASSERT_OK(pgbox_run_save(db, &id, NULL, 1, &mail, 1, &result, &failure));
	assert_row(t_strdup_printf("%lld,6", (long long)message_id),
		   "message_id, count(*)", "pgbox.mail_view v"
		   " join pgbox.message s using (guid)"
		   " join pgbox.message_chunk c using (account_id, message_id)"
		   " where v.mailbox = 'uploads' group by message_id");

	upload = pgbox_upload_init(db, id.account_id);
	ASSERT_OK(pgbox_upload_add(upload, &chunk, &failure));
	ASSERT_OK(pgbox_upload_finish(upload, &failure));
	message_id = pgbox_upload_deinit(&upload);
	assert_row("1", "count(*)", "pgbox.message_upload");
	ASSERT_OK(pgbox_run_upload_abort(db, id.account_id, message_id,
					 &failure));
	assert_row("0", "count(*)", "pgbox.message_upload");
}

static void copy_set(struct pgbox_new_mail *copy,
		     const struct pgbox_mailbox_id *source, unsigned int n)
{
	const char *const add[] = { words("added", n), NULL };
	const char *const remove[] = { words("keyword", n), NULL };

	i_zero(copy);
	copy->source = *source;
	copy->source_uid = 500 + n;
	copy->flags = 16;
	/* n has it */
	copy->flags_remove = n & 3;
	copy->keywords = p_strarray_dup(pool, add);
	copy->keywords_remove = p_strarray_dup(pool, remove);
	copy->saved = 2100000 + n;
	copy->uid = 900 + n;
	copy->pop3_uidl = words("copied", n);
	copy->pop3_order = 800 + n;
	copy->min_modseq = 65536 * (9000 + n);
	copy->move = n == 9;
}

static void test_copy(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id source = mailbox_new("source");
	struct pgbox_mailbox_id id = mailbox_new("target");
	struct pgbox_new_mail mails[2], copies[2];
	struct pgbox_add_result result;
	unsigned int n;

	for (n = 8; n <= 9; n++) {
		new_mail_set(&mails[n - 8], n);
		copy_set(&copies[n - 8], &source, n);
	}
	ASSERT_OK(pgbox_run_save(db, &source, "source", 1, mails, 2, &result,
				 &failure));
	ASSERT_OK(pgbox_run_copy(db, &id, "target", copies, 2, 123456, &result,
				 &failure));
	assert_string_equal(ints_text(&result.uids), "908 909");
	for (n = 8; n <= 9; n++) {
		assert_row(t_strdup_printf("guid%u,%u,%u,2100%03u,copied%u,%u,"
				"{$all,added%u}", n, 900 + n,
				(n & ~(n & 3)) | 16, n, n, 800 + n, n),
			   "s.guid, m.uid, m.flags, extract(epoch from m.saved_at)::int,"
			   " m.pop3_uidl, m.pop3_order,"
			   " (select array_agg(k.name order by k.name) from pgbox.mailbox_keyword k"
			   " where k.mailbox_id = m.mailbox_id and k.keyword_id = any (m.keyword_ids))",
			   t_strdup_printf("pgbox.mail m join pgbox.message s"
				" using (account_id, message_id) where m.uid = %u",
				900 + n));
	}
	/* one was moved */
	assert_row("508", "uid", "pgbox.mail_view where mailbox = 'source'");
	assert_row(t_strdup_printf("%u,%lld,123456", result.uid_validity,
				   (long long)65536 * 9009),
		   "b.uid_validity, b.modseq, c.operation",
		   "pgbox.mailbox b join pgbox.mail_change c using (account_id, mailbox_id)"
		   " where b.name = 'target'");
	assert_int_equal(pgbox_run_copy(db, &id, "other", copies, 1, 1, &result,
					&failure), -1);
	assert_int_equal(failure.error, PGBOX_DB_ERROR_NOT_FOUND);
}

/*
 * Reading and changing mails
 */

static void
assert_info(const struct pgbox_message_info *info, unsigned int n, bool expunged)
{
	assert_int_equal(info->uid, 500 + n);
	assert_int_equal(info->message_id, sql_int(t_strdup_printf(
		"select message_id from pgbox.message where guid = 'guid%u'", n)));
	assert_string_equal(info->guid, words("guid", n));
	assert_int_equal(info->size, 100 + n);
	assert_int_equal(info->header_size, 50 + n);
	assert_int_equal(info->received, 1000000 + n);
	assert_int_equal(info->saved, expunged ? -1 : 2000000 + (time_t)n);
	assert_true(info->has_sent);
	assert_int_equal(info->sent, 3000000 + n);
	assert_int_equal(info->sent_zone, 60 + n);
	assert_int_equal(info->mime_parts_size, strlen(words("parts", n)));
	assert_memory_equal(info->mime_parts, words("parts", n),
			    info->mime_parts_size);
	assert_string_equal(info->envelope, words("envelope", n));
	assert_string_equal(info->bodystructure, words("structure", n));
	if (expunged) {
		assert_null(info->pop3_uidl);
		assert_int_equal(info->pop3_order, 0);
	} else {
		assert_string_equal(info->pop3_uidl, words("uidl", n));
		assert_int_equal(info->pop3_order, 600 + n);
	}
}

static void
assert_infos(const struct pgbox_mailbox_id *id, unsigned int n,
	     enum pgbox_message_source source)
{
	ARRAY_TYPE(pgbox_message_info) infos;
	ARRAY_TYPE(pgbox_uids) uids;
	uint32_t uid;

	t_array_init(&infos, 2);
	t_array_init(&uids, 2);
	for (uid = 500 + n; uid <= 501 + n; uid++)
		array_push_back(&uids, &uid);
	ASSERT_OK(pgbox_message_read_infos(db, id->account_id, id->mailbox_id,
					   source, &uids, 1000, pool, &infos,
					   &failure));
	assert_int_equal(array_count(&infos), 2);
	assert_info(array_idx(&infos, 0), n,
		    source == PGBOX_MESSAGE_SOURCE_EXPUNGED);
	assert_info(array_idx(&infos, 1), n + 1,
		    source == PGBOX_MESSAGE_SOURCE_EXPUNGED);
	/* the first one is enough */
	array_clear(&infos);
	ASSERT_OK(pgbox_message_read_infos(db, id->account_id, id->mailbox_id,
					   source, &uids, 1, pool, &infos,
					   &failure));
	assert_int_equal(array_count(&infos), 1);
}

static void
assert_chunk(const struct pgbox_message_chunk *chunk, unsigned int n,
	     size_t size, const char *data)
{
	assert_int_equal(chunk->message_id, sql_int(t_strdup_printf(
		"select message_id from pgbox.message where guid = 'guid%u'", n)));
	assert_int_equal(chunk->offset, 0);
	assert_int_equal(chunk->size, size);
	assert_true(chunk->is_frame);
	assert_int_equal(chunk->data_size, strlen(data));
	assert_memory_equal(chunk->data, data, chunk->data_size);
}

static void assert_mails(const struct pgbox_mailbox_id *id, unsigned int n)
{
	ARRAY_TYPE(pgbox_uids) uids;
	struct pgbox_message_request request = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.uids = &uids,
		.max_bytes = 1000,
		/* the second one has one more */
		.max_message_bytes = 100 + n,
	};
	struct pgbox_message_chunks *chunks;
	struct pgbox_message_chunk chunk;
	struct pgbox_message_info info;
	uint32_t uid;

	t_array_init(&uids, 2);
	for (uid = 500 + n; uid <= 501 + n; uid++)
		array_push_back(&uids, &uid);
	ASSERT_OK(pgbox_message_read(db, &request, &chunks, &failure));
	assert_true(pgbox_message_mails_next(chunks, pool, &info, &chunk));
	assert_info(&info, n, FALSE);
	assert_chunk(&chunk, n, 100 + n, words("data", n));
	assert_true(pgbox_message_mails_next(chunks, pool, &info, &chunk));
	assert_info(&info, n + 1, FALSE);
	assert_null(chunk.data);
	assert_false(pgbox_message_mails_next(chunks, pool, &info, &chunk));
	pgbox_message_chunks_free(&chunks);
}

static void
assert_chunks(const struct pgbox_mailbox_id *id, unsigned int n,
	      enum pgbox_message_extent extent, size_t size, const char *data)
{
	ARRAY_TYPE(pgbox_int64) ids;
	const struct pgbox_message_request request = {
		.account_id = id->account_id,
		.message_ids = &ids,
		.extent = extent,
	};
	struct pgbox_message_chunks *chunks;
	struct pgbox_message_chunk chunk;
	int64_t message_id = sql_int(t_strdup_printf(
		"select message_id from pgbox.message where guid = 'guid%u'", n));

	t_array_init(&ids, 1);
	array_push_back(&ids, &message_id);
	ASSERT_OK(pgbox_message_read(db, &request, &chunks, &failure));
	assert_true(pgbox_message_chunks_next(chunks, &chunk));
	assert_chunk(&chunk, n, size, data);
	assert_false(pgbox_message_chunks_next(chunks, &chunk));
	pgbox_message_chunks_free(&chunks);
}

static void
assert_range(const struct pgbox_mailbox_id *id, unsigned int n)
{
	const struct pgbox_message_range range = {
		.account_id = id->account_id,
		.message_id = sql_int(t_strdup_printf("select message_id"
			" from pgbox.message where guid = 'guid%u'", n)),
		.offset = PGBOX_CHUNK_BYTES + 3,
		.size = 5,
	};
	const struct pgbox_message_request request = { .range = &range };
	struct pgbox_message_chunks *chunks;
	unsigned char dest[6] = { 0 };

	(void)test_admin(t_strdup_printf("insert into pgbox.message_chunk"
		" select account_id, message_id, 1, 12, 'twelve bytes'"
		" from pgbox.message where guid = 'guid%u'", n));
	ASSERT_OK(pgbox_message_read(db, &request, &chunks, &failure));
	assert_int_equal(pgbox_message_range_get(chunks, &range, dest,
						 &failure), 1);
	assert_string_equal((const char *)dest, "lve b");
	pgbox_message_chunks_free(&chunks);
}

static void test_read(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("read", 10, 2);
	char octets[20 + 1 + 128 + 1] = "";
	unsigned int count;

	assert_infos(&id, 10, PGBOX_MESSAGE_SOURCE_MAILBOX);
	assert_mails(&id, 10);
	assert_chunks(&id, 10, PGBOX_MESSAGE_EXTENT_WHOLE, 110, "data10");
	/* of a frame so much as the header may need */
	memset(octets, 'x', sizeof(octets) - 1);
	(void)test_admin("update pgbox.message_chunk c"
			 " set size = 300, data = repeat('x', 299)::bytea"
			 " from pgbox.message s where s.guid = 'guid11'"
			 " and s.message_id = c.message_id;"
			 "update pgbox.message set header_size = 20 where guid = 'guid11'");
	assert_chunks(&id, 11, PGBOX_MESSAGE_EXTENT_HEADER, 300, octets);
	assert_range(&id, 10);
	ASSERT_OK(pgbox_message_read_refcount(db, id.account_id, sql_int(
		"select message_id from pgbox.message where guid = 'guid10'"),
		&count, &failure));
	assert_int_equal(count, 1);
}

static struct pgbox_mail_change *
change_add(ARRAY_TYPE(pgbox_mail_change) *changes, uint32_t uid)
{
	struct pgbox_mail_change *change = array_append_space(changes);

	change->uid = uid;
	return change;
}

static void
change_keyword(struct pgbox_mail_change *change, const char *name, bool add)
{
	struct pgbox_keyword_change *keyword;

	if (!array_is_created(&change->keywords))
		t_array_init(&change->keywords, 2);
	keyword = array_append_space(&change->keywords);
	keyword->name = name;
	keyword->add = add;
}

static void
assert_change_result(const char *mailbox, const struct pgbox_change_result *result,
		     uint64_t old_modseq)
{
	assert_true(result->known && result->changed);
	assert_int_equal(result->old_modseq, old_modseq);
	assert_int_equal(result->modseq, old_modseq + 65536);
	assert_row(t_strdup_printf("%llu,%u,%u,%u,%llu,%u",
			(unsigned long long)result->modseq, result->uid_validity,
			result->uid_next, result->first_recent_uid,
			(unsigned long long)result->epoch, result->keywords),
		   "modseq, uid_validity, uid_next, first_recent_uid, epoch, keywords",
		   t_strdup_printf("pgbox.mailbox where name = '%s'", mailbox));
}

static uint64_t mailbox_prepare(const char *name)
{
	(void)test_admin(t_strdup_printf("update pgbox.mailbox set"
		" first_recent_uid = 345 where name = '%s'", name));
	return sql_int(t_strdup_printf("select modseq from pgbox.mailbox"
				       " where name = '%s'", name));
}

static void test_flags_change(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("flags", 12, 2);
	uint64_t modseq = mailbox_prepare("flags");
	struct pgbox_change_condition condition = { .max_modseq = modseq - 1 };
	ARRAY_TYPE(pgbox_mail_change) changes;
	struct pgbox_mail_change *change;
	struct pgbox_change_result result;

	t_array_init(&changes, 1);
	change = change_add(&changes, 512);
	change->flags_add = 1;
	change->flags_remove = 4;
	ASSERT_OK(pgbox_run_change(db, &id, &condition, &changes, 1111, &result,
				   &failure));
	assert_string_equal(ints_text(&result.conflict_uids), "512");
	condition.max_modseq = 0;
	ASSERT_OK(pgbox_run_change(db, &id, &condition, &changes, 1112, &result,
				   &failure));
	assert_int_equal(array_count(&result.conflict_uids), 0);
	assert_change_result("flags", &result, modseq);
	assert_true(seq_range_exists(&result.changed_uids, 512));
	assert_row("512,9", "m.uid, m.flags", "pgbox.mail m where m.uid = 512");
	assert_row("1112,{[512,513)}", "c.operation, c.uids",
		   "pgbox.mail_change c join pgbox.mailbox b using (account_id, mailbox_id)"
		   " where b.name = 'flags'");
}

static void test_change(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("change", 16, 6);
	uint64_t modseq = mailbox_prepare("change");
	const struct pgbox_change_condition condition = {
		.expunge_flags = 4, .max_modseq = INT64_MAX,
	};
	struct pgbox_change_condition old = { .expunge_max_modseq = 1 };
	ARRAY_TYPE(pgbox_mail_change) changes;
	struct pgbox_mail_change *change;
	struct pgbox_change_result result;
	const struct pgbox_sync_tombstone *tombstone;

	t_array_init(&changes, 8);
	change = change_add(&changes, 516);
	change->flags_add = 2;
	change->flags_remove = 16;
	change->keywords_clear = TRUE;
	change_keyword(change, "new16", TRUE);
	change = change_add(&changes, 517);
	change->flags_add = 8;
	change->flags_remove = 1;
	change_keyword(change, "new17", TRUE);
	change_keyword(change, "keyword17", FALSE);
	/* 518 has no \Deleted */
	change_add(&changes, 518)->expunge = TRUE;
	change_add(&changes, 520)->expunge = TRUE;
	ASSERT_OK(pgbox_run_change(db, &id, &condition, &changes, 2222, &result,
				   &failure));
	assert_change_result("change", &result, modseq);
	assert_int_equal(array_count(&result.expunged), 1);
	tombstone = array_front(&result.expunged);
	assert_int_equal(tombstone->uid, 520);
	assert_string_equal(tombstone->guid, "guid20");
	assert_true(seq_range_exists(&result.changed_uids, 516));
	assert_false(seq_range_exists(&result.changed_uids, 515));
	assert_row("{516/2/new16,517/24/$all,new17,518/18/$all,keyword18,"
		   "519/19/$all,keyword19,521/21/$all,keyword21}",
		   "array_agg(m.uid || '/' || m.flags || '/' || (select string_agg("
		   "k, ',' order by k) from unnest(v.keywords) k) order by uid)",
		   "pgbox.mail_view v join pgbox.mail m using (uid)"
		   " where v.mailbox = 'change'");
	assert_row("2222,{[516,518)}", "c.operation, c.uids",
		   "pgbox.mail_change c join pgbox.mailbox b using (account_id, mailbox_id)"
		   " where b.name = 'change'");
	/* all have changed since */
	array_clear(&changes);
	change_add(&changes, 521)->expunge = TRUE;
	ASSERT_OK(pgbox_run_change(db, &id, &old, &changes, 2223, &result,
				   &failure));
	assert_int_equal(array_count(&result.expunged), 0);
	old.expunge_max_modseq = 0;
	change_add(&changes, 519)->expunge = TRUE;
	ASSERT_OK(pgbox_run_change(db, &id, &old, &changes, 2224, &result,
				   &failure));
	assert_int_equal(array_count(&result.expunged), 2);
}

static void test_read_expunged(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("expunged", 30, 2);
	const struct pgbox_change_condition condition = { .max_modseq = 0 };
	ARRAY_TYPE(pgbox_mail_change) changes;
	struct pgbox_change_result result;

	t_array_init(&changes, 2);
	change_add(&changes, 530)->expunge = TRUE;
	change_add(&changes, 531)->expunge = TRUE;
	ASSERT_OK(pgbox_run_change(db, &id, &condition, &changes, 1, &result,
				   &failure));
	assert_infos(&id, 30, PGBOX_MESSAGE_SOURCE_EXPUNGED);
}

static void
assert_done(const struct pgbox_mailbox_id *id,
	    const struct pgbox_operation *operation, const char *uids)
{
	struct pgbox_add_result result;
	bool done;

	ASSERT_OK(pgbox_run_operation_done(db, id, operation, &done, &result,
					   &failure));
	assert_true(done == (uids != NULL));
	if (done)
		assert_string_equal(ints_text(&result.uids), uids);
	assert_int_equal(result.uid_validity, sql_int(t_strdup_printf(
		"select uid_validity from pgbox.mailbox where mailbox_id = %lld",
		(long long)id->mailbox_id)));
}

static void test_operation_done(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("operations", 32, 2);
	const char *const guids[] = { "guid33", NULL };
	struct pgbox_operation operation = { .guids = guids, .min_uid = 533 };
	const struct pgbox_change_condition condition = { .max_modseq = 0 };
	ARRAY_TYPE(pgbox_mail_change) changes;
	struct pgbox_change_result result;

	assert_done(&id, &operation, "533");
	operation.min_uid++;
	assert_done(&id, &operation, NULL);

	t_array_init(&changes, 1);
	change_add(&changes, 532)->flags_add = 8;
	ASSERT_OK(pgbox_run_change(db, &id, &condition, &changes, 3333, &result,
				   &failure));
	i_zero(&operation);
	operation.operation = 3333;
	operation.min_modseq = result.modseq;
	assert_done(&id, &operation, "532");
	operation.min_modseq++;
	assert_done(&id, &operation, NULL);
}

/* Flags of a mail, and keywords by their numbers */
static void
assert_sync_mail(const struct pgbox_sync_rows *rows, unsigned int i,
		 uint32_t uid, uint8_t flags, uint64_t modseq,
		 const char *keyword_ids)
{
	const struct pgbox_sync_mail *mail = array_idx(&rows->mails, i);
	ARRAY_TYPE(pgbox_int64) ids;

	t_array_init(&ids, 4);
	array_append(&ids, array_idx(&rows->keyword_ids, mail->keyword_idx),
		     mail->keyword_count);
	assert_int_equal(mail->uid, uid);
	assert_int_equal(mail->flags, flags);
	assert_int_equal(mail->modseq, modseq);
	assert_string_equal(ints_text(&ids), keyword_ids);
}

static void
assert_sync_mailbox(struct pgbox_sync_rows *rows, bool full,
		    uint64_t tombstones_after, const char *keywords)
{
	assert_true(rows->exists && !rows->epoch_pending && rows->pop3_values);
	assert_int_equal(rows->full, full);
	assert_int_equal(rows->tombstones_after, tombstones_after);
	assert_int_equal(rows->first_recent_uid, 345);
	assert_row(t_strdup_printf("%llu,%u,%u,%llu",
			(unsigned long long)rows->epoch, rows->uid_validity,
			rows->uid_next, (unsigned long long)rows->modseq),
		   "epoch, uid_validity, uid_next, modseq",
		   "pgbox.mailbox where name = 'sync'");
	array_append_zero(&rows->new_keywords);
	assert_string_equal(t_strarray_join(array_front(&rows->new_keywords), " "),
			    keywords);
}

static void test_sync(void **state ATTR_UNUSED)
{
	struct pgbox_mailbox_id id = mailbox_with("sync", 24, 3);
	uint64_t modseq = mailbox_prepare("sync");
	struct pgbox_sync_position position = { .modseq = 0 };
	const struct pgbox_change_condition condition = { .max_modseq = 0 };
	ARRAY_TYPE(pgbox_mail_change) changes;
	struct pgbox_change_result change;
	const struct pgbox_sync_tombstone *tombstone;
	struct pgbox_sync_rows rows;

	ASSERT_OK(pgbox_run_sync(db, &id, &position, FALSE, pool, &rows,
				 &failure));
	assert_sync_mailbox(&rows, TRUE, 0, "keyword24 $all keyword25 keyword26");
	assert_int_equal(array_count(&rows.mails), 3);
	assert_sync_mail(&rows, 0, 524, 24, modseq, "1 2");
	assert_sync_mail(&rows, 1, 525, 25, modseq, "2 3");
	assert_int_equal(rows.taken_recent_uid, 0);

	t_array_init(&changes, 2);
	change_add(&changes, 524)->expunge = TRUE;
	change_add(&changes, 525)->flags_remove = 1;
	ASSERT_OK(pgbox_run_change(db, &id, &condition, &changes, 1, &change,
				   &failure));
	position.epoch = rows.epoch;
	position.modseq = modseq;
	position.uid_next = 526;
	position.keywords = 3;
	ASSERT_OK(pgbox_run_sync(db, &id, &position, TRUE, pool, &rows,
				 &failure));
	assert_sync_mailbox(&rows, FALSE, modseq, "keyword26");
	assert_int_equal(rows.taken_recent_uid, 345);
	assert_int_equal(array_count(&rows.mails), 2);
	assert_sync_mail(&rows, 0, 525, 24, change.modseq, "2 3");
	assert_sync_mail(&rows, 1, 526, 26, modseq, "2 4");
	assert_int_equal(array_count(&rows.tombstones), 1);
	tombstone = array_front(&rows.tombstones);
	assert_int_equal(tombstone->uid, 524);
	assert_int_equal(tombstone->modseq, change.modseq);
	assert_string_equal(tombstone->guid, "guid24");

	/* nothing is new */
	position.modseq = rows.modseq;
	position.uid_next = rows.uid_next;
	position.keywords = 4;
	ASSERT_OK(pgbox_run_sync(db, &id, &position, FALSE, pool, &rows,
				 &failure));
	assert_int_equal(array_count(&rows.mails), 0);
	assert_int_equal(rows.tombstones_after, position.modseq);
	assert_int_equal(rows.uid_next, 527);
	id.mailbox_id++;
	ASSERT_OK(pgbox_run_sync(db, &id, &position, FALSE, pool, &rows,
				 &failure));
	assert_false(rows.exists);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_one),
		cmocka_unit_test(test_save_many),
		cmocka_unit_test(test_save_nulls),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_flags_change),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_read_expunged),
		cmocka_unit_test(test_operation_done),
		cmocka_unit_test(test_sync),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, test_schema_setup, test_schema_teardown);
	lib_deinit();
	return ret;
}
