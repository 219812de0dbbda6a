/* Adding mails to a mailbox: saving new messages, copying, uploading large
   ones. Knows what sql/queries/mail-save.sql and mail-copy.sql take, nothing of
   lib-storage or libpq. */

#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-folding.h"
#include "pgbox-query.h"
#include "pgbox-message.h"
#include "pgbox-query-mail.h"

ARRAY_DEFINE_TYPE(save_part, struct pgbox_mail_save_part);
ARRAY_DEFINE_TYPE(copy_keyword, struct pgbox_mail_copy_keyword);

static struct pgbox_query_bytes bytes_of_str(const char *str)
{
	const struct pgbox_query_bytes bytes = {
		.data = str,
		.size = str == NULL ? 0 : strlen(str),
	};

	return bytes;
}

static void
save_row_set_message(struct pgbox_mail_save_mail *row,
		     const struct pgbox_message *message)
{
	const char *const *keys = message->sort_keys;

	row->size = message->size;
	row->header_size = message->header_size;
	row->has_sent_at = row->has_sent_zone = message->has_sent;
	row->sent_at = message->sent;
	row->sent_zone = message->sent_zone;
	row->subject = message->subject;
	row->from_header = message->from;
	row->to_header = message->to;
	row->cc_header = message->cc;
	row->message_id_header = message->message_id;
	row->mime_parts.data = message->mime_parts->data;
	row->mime_parts.size = message->mime_parts->used;
	row->envelope = bytes_of_str(message->envelope);
	row->bodystructure = bytes_of_str(message->bodystructure);
	row->sort_subject = bytes_of_str(keys[PGBOX_SORT_KEY_SUBJECT]);
	row->sort_from = bytes_of_str(keys[PGBOX_SORT_KEY_FROM]);
	row->sort_to = bytes_of_str(keys[PGBOX_SORT_KEY_TO]);
	row->sort_cc = bytes_of_str(keys[PGBOX_SORT_KEY_CC]);
	row->sort_display_from =
		bytes_of_str(keys[PGBOX_SORT_KEY_DISPLAYFROM]);
	row->sort_display_to = bytes_of_str(keys[PGBOX_SORT_KEY_DISPLAYTO]);
}

static void
save_row_set(struct pgbox_mail_save_mail *row, const struct pgbox_new_mail *mail)
{
	row->guid = mail->guid;
	row->message_id = mail->message_id;
	row->data.data = mail->data;
	row->data.size = mail->data_size;
	row->sha256.data = mail->sha256;
	row->sha256.size = sizeof(mail->sha256);
	row->received_at = mail->received;
	row->saved_at = mail->saved;
	row->flags = mail->flags;
	row->uid = mail->uid;
	row->pop3_uidl = mail->pop3_uidl;
	row->pop3_order = mail->pop3_order;
	save_row_set_message(row, mail->message);
}

/* place: of the mail, from 1 */
static void
save_parts_add(ARRAY_TYPE(save_part) *rows, unsigned int place,
	       const struct pgbox_message *message)
{
	const struct pgbox_message_part *part;
	struct pgbox_mail_save_part *row;

	array_foreach(&message->parts, part) {
		row = array_append_space(rows);
		row->part_message = place;
		row->part_section = part->section;
		row->part_media_type = part->media_type;
		row->part_charset = part->charset;
		row->part_encoding = part->encoding;
		row->part_disposition = part->disposition;
		row->part_filename = part->filename;
		row->part_header_offset = part->header_offset;
		row->part_header_size = part->header_size;
		row->part_body_size = part->body_size;
		row->part_body_lines = part->body_lines;
	}
}

static uint64_t
mails_min_modseq(const struct pgbox_new_mail *mails, unsigned int count)
{
	uint64_t min_modseq = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		min_modseq = I_MAX(min_modseq, mails[i].min_modseq);
	return min_modseq;
}

/* Nearly all deliveries and APPENDs are of this kind. */
static int
save_one(struct pgbox_db *db, pool_t pool, struct pgbox_mail_save_params *all,
	 const struct pgbox_new_mail *mail, struct pgbox_db_result **result_r,
	 struct pgbox_db_failure *failure_r)
{
	struct pgbox_mail_save_one_params values = {
		.account_id = all->account_id,
		.mailbox_id = all->mailbox_id,
		.min_modseq = all->min_modseq,
		.keyword = mail->keywords,
		.mailbox_name = all->mailbox_name,
		.text_wanted = all->text_wanted,
		.sort_folding = all->sort_folding,
	};
	ARRAY_TYPE(save_part) parts;

	save_row_set(&values.mail, mail);
	p_array_init(&parts, pool, array_count(&mail->message->parts));
	save_parts_add(&parts, 1, mail->message);
	values.parts = array_get(&parts, &values.part_count);
	return pgbox_exec_mail_save_one(db, &values, result_r, failure_r);
}

static int
save_many(struct pgbox_db *db, pool_t pool, struct pgbox_mail_save_params *all,
	  const struct pgbox_new_mail *mails, unsigned int count,
	  struct pgbox_db_result **result_r, struct pgbox_db_failure *failure_r)
{
	struct pgbox_mail_save_mail *rows =
		p_new(pool, struct pgbox_mail_save_mail, count);
	ARRAY(struct pgbox_mail_save_keyword) keywords;
	ARRAY_TYPE(save_part) parts;
	struct pgbox_mail_save_keyword *keyword;
	const char *const *name;
	unsigned int i;

	p_array_init(&keywords, pool, 8);
	p_array_init(&parts, pool, count);
	for (i = 0; i < count; i++) {
		save_row_set(&rows[i], &mails[i]);
		save_parts_add(&parts, i + 1, mails[i].message);
		name = mails[i].keywords;
		for (; name != NULL && *name != NULL; name++) {
			keyword = array_append_space(&keywords);
			keyword->keyword_message = i + 1;
			keyword->keyword = *name;
		}
	}
	all->mails = rows;
	all->mail_count = count;
	all->keywords = array_get(&keywords, &all->keyword_count);
	all->parts = array_get(&parts, &all->part_count);
	return pgbox_exec_mail_save(db, all, result_r, failure_r);
}

static void
add_read(struct pgbox_db_result **result, unsigned int count,
	 struct pgbox_add_result *result_r)
{
	struct pgbox_mail_save_columns columns;

	pgbox_read_mail_save(*result, 0, &columns);
	i_assert(columns.uids.count == count);
	result_r->uid_validity = columns.uid_validity;
	t_array_init(&result_r->uids, count);
	array_append(&result_r->uids, columns.uids.values, count);
	pgbox_db_result_free(result);
}

int pgbox_run_save(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const char *mailbox_name, unsigned int text_wanted,
		     const struct pgbox_new_mail *mails, unsigned int count,
		     struct pgbox_add_result *result_r,
		     struct pgbox_db_failure *failure_r)
{
	struct pgbox_mail_save_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.min_modseq = mails_min_modseq(mails, count),
		.mailbox_name = mailbox_name,
		.text_wanted = text_wanted,
		.sort_folding = pgbox_folding_get(),
	};
	pool_t pool = pool_alloconly_create("pgbox save", 2048);
	struct pgbox_db_result *result;
	int ret;

	ret = count == 1 ?
		save_one(db, pool, &values, mails, &result, failure_r) :
		save_many(db, pool, &values, mails, count, &result, failure_r);
	pool_unref(&pool);
	if (ret < 0)
		return -1;
	add_read(&result, count, result_r);
	return 0;
}

static void
copy_row_set(struct pgbox_mail_copy_mail *row, const struct pgbox_new_mail *mail)
{
	row->source_account_id = mail->source.account_id;
	row->source_mailbox_id = mail->source.mailbox_id;
	row->source_uid = mail->source_uid;
	row->move = mail->move;
	row->flag_add = mail->flags;
	row->flag_remove = mail->flags_remove;
	row->saved_at = mail->saved;
	row->uid = mail->uid;
	row->pop3_uidl = mail->pop3_uidl;
	row->pop3_order = mail->pop3_order;
}

static void
copy_keywords_add(ARRAY_TYPE(copy_keyword) *rows, unsigned int place,
		  const char *const *names, bool add)
{
	struct pgbox_mail_copy_keyword *row;

	for (; names != NULL && *names != NULL; names++) {
		row = array_append_space(rows);
		row->keyword_message = place;
		row->keyword = *names;
		row->keyword_add = add;
	}
}

int pgbox_run_copy(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const char *mailbox_name,
		     const struct pgbox_new_mail *mails, unsigned int count,
		     int64_t operation, struct pgbox_add_result *result_r,
		     struct pgbox_db_failure *failure_r)
{
	pool_t pool = pool_alloconly_create("pgbox copy", 4 * 1024);
	struct pgbox_mail_copy_mail *rows =
		p_new(pool, struct pgbox_mail_copy_mail, count);
	struct pgbox_mail_copy_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.mails = rows,
		.mail_count = count,
		.min_modseq = mails_min_modseq(mails, count),
		.operation = operation,
		.mailbox_name = mailbox_name,
	};
	ARRAY_TYPE(copy_keyword) keywords;
	struct pgbox_db_result *result;
	unsigned int i;
	int ret;

	p_array_init(&keywords, pool, 8);
	for (i = 0; i < count; i++) {
		copy_row_set(&rows[i], &mails[i]);
		copy_keywords_add(&keywords, i + 1, mails[i].keywords_remove,
				  FALSE);
		copy_keywords_add(&keywords, i + 1, mails[i].keywords, TRUE);
	}
	values.keywords = array_get(&keywords, &values.keyword_count);
	ret = pgbox_exec_mail_copy(db, &values, &result, failure_r);
	pool_unref(&pool);
	if (ret < 0)
		return -1;
	add_read(&result, count, result_r);
	return 0;
}

/*
 * Uploads
 */

/* Chunks in one statement: so many parameters it has for them */
#define UPLOAD_MAX_CHUNKS 4

struct pgbox_upload {
	/* foreign */
	struct pgbox_db *db;
	int64_t account_id;
	/* 0 until the first answer */
	int64_t message_id;
	/* number of the next chunk */
	unsigned int next_n;

	/* the chunks of the next statement; their buffers are used again */
	struct {
		unsigned int size;
		/* own; NULL if never used */
		buffer_t *data;
	} chunks[UPLOAD_MAX_CHUNKS];
	unsigned int chunk_count;
	/* own: the one before, which the server is at work on; or NULL */
	struct pgbox_db_started *sent;
};

struct pgbox_upload *
pgbox_upload_init(struct pgbox_db *db, int64_t account_id)
{
	struct pgbox_upload *upload;

	upload = i_new(struct pgbox_upload, 1);
	upload->db = db;
	upload->account_id = account_id;
	return upload;
}

static int
upload_wait(struct pgbox_upload *upload, struct pgbox_db_failure *failure_r)
{
	struct pgbox_upload_chunks_columns columns;
	struct pgbox_db_result *result;

	if (upload->sent == NULL)
		return 0;
	if (pgbox_db_exec_finish(&upload->sent, &result, failure_r) < 0)
		return -1;
	pgbox_read_upload_chunks(result, 0, &columns);
	upload->message_id = columns.message_id;
	pgbox_db_result_free(&result);
	return 0;
}

static int
upload_send(struct pgbox_upload *upload, struct pgbox_db_failure *failure_r)
{
	struct pgbox_upload_chunks_params values;
	const struct {
		int64_t *size;
		struct pgbox_query_bytes *data;
	} chunks[UPLOAD_MAX_CHUNKS] = {
		{ &values.size0, &values.data0 },
		{ &values.size1, &values.data1 },
		{ &values.size2, &values.data2 },
		{ &values.size3, &values.data3 },
	};
	unsigned int i;

	/* its answer has the id that all others need */
	if (upload_wait(upload, failure_r) < 0)
		return -1;

	i_zero(&values);
	values.account_id = upload->account_id;
	values.message_id = upload->message_id;
	values.n = upload->next_n;
	for (i = 0; i < upload->chunk_count; i++) {
		*chunks[i].size = upload->chunks[i].size;
		chunks[i].data->data = upload->chunks[i].data->data;
		chunks[i].data->size = upload->chunks[i].data->used;
	}
	upload->sent = pgbox_start_upload_chunks(upload->db, &values, failure_r);
	upload->next_n += upload->chunk_count;
	upload->chunk_count = 0;
	return upload->sent != NULL ? 0 : -1;
}

int pgbox_upload_add(struct pgbox_upload *upload,
		     const struct pgbox_stored_chunk *chunk,
		     struct pgbox_db_failure *failure_r)
{
	buffer_t **data = &upload->chunks[upload->chunk_count].data;

	if (*data == NULL)
		*data = buffer_create_dynamic(default_pool, chunk->data_size);
	buffer_set_used_size(*data, 0);
	buffer_append(*data, chunk->data, chunk->data_size);
	upload->chunks[upload->chunk_count].size = chunk->size;
	if (++upload->chunk_count < UPLOAD_MAX_CHUNKS)
		return 0;
	return upload_send(upload, failure_r);
}

int pgbox_upload_finish(struct pgbox_upload *upload,
			struct pgbox_db_failure *failure_r)
{
	if (upload->chunk_count > 0 && upload_send(upload, failure_r) < 0)
		return -1;
	return upload_wait(upload, failure_r);
}

int64_t pgbox_upload_deinit(struct pgbox_upload **_upload)
{
	struct pgbox_upload *upload = *_upload;
	struct pgbox_db_failure failure;
	int64_t message_id;
	unsigned int i;

	*_upload = NULL;
	/* a failure was returned, or the caller has one of its own */
	(void)upload_wait(upload, &failure);
	message_id = upload->message_id;
	for (i = 0; i < UPLOAD_MAX_CHUNKS; i++)
		buffer_free(&upload->chunks[i].data);
	i_free(upload);
	return message_id;
}

int pgbox_run_upload_abort(struct pgbox_db *db, int64_t account_id,
			     int64_t message_id,
			     struct pgbox_db_failure *failure_r)
{
	const struct pgbox_upload_abort_params values = {
		.account_id = account_id,
		.message_id = message_id,
	};

	return pgbox_exec_upload_abort(db, &values, NULL, failure_r);
}
