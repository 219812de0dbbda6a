/* Adding mails to a mailbox: saving new messages, copying, uploading large
   ones. Knows the parameters of sql/functions/mail-save.sql, mail-save-one.sql and
   mail-copy.sql, nothing of lib-storage or libpq. */

#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-folding.h"
#include "pgbox-query.h"
#include "pgbox-message.h"
#include "pgbox-query-mail.h"

/* pgbox_db_param_array(), or for functions that take a single mail
   pgbox_db_param_element() */
typedef struct pgbox_db_array *
param_add_t(struct pgbox_db_params *params, enum pgbox_db_array_type type);

/* How one parameter is filled from a mail */
struct new_mail_column {
	enum pgbox_db_array_type type;
	void (*add)(struct pgbox_db_array *array,
		    const struct pgbox_new_mail *mail);
};

static void add_guid(struct pgbox_db_array *array,
		     const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->guid);
}

static void add_message_id(struct pgbox_db_array *array,
			   const struct pgbox_new_mail *mail)
{
	if (mail->message_id == 0)
		pgbox_db_array_add_null(array);
	else
		pgbox_db_array_add_int(array, mail->message_id);
}

static void add_data(struct pgbox_db_array *array,
		     const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_bytes(array, mail->data,
				 mail->data_size);
}

static void add_size(struct pgbox_db_array *array,
		     const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->message->size);
}

static void add_header_size(struct pgbox_db_array *array,
			    const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->message->header_size);
}

static void add_sha256(struct pgbox_db_array *array,
		       const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_bytes(array, mail->sha256, sizeof(mail->sha256));
}

static void add_received(struct pgbox_db_array *array,
			 const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->received);
}

static void add_saved(struct pgbox_db_array *array,
		      const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->saved);
}

static void add_sent(struct pgbox_db_array *array,
		     const struct pgbox_new_mail *mail)
{
	if (mail->message->has_sent)
		pgbox_db_array_add_int(array, mail->message->sent);
	else
		pgbox_db_array_add_null(array);
}

static void add_sent_zone(struct pgbox_db_array *array,
			  const struct pgbox_new_mail *mail)
{
	if (mail->message->has_sent)
		pgbox_db_array_add_int(array, mail->message->sent_zone);
	else
		pgbox_db_array_add_null(array);
}

static void add_subject(struct pgbox_db_array *array,
			const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->message->subject);
}

static void add_from(struct pgbox_db_array *array,
		     const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->message->from);
}

static void add_to(struct pgbox_db_array *array,
		   const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->message->to);
}

static void add_cc(struct pgbox_db_array *array,
		   const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->message->cc);
}

static void add_message_id_header(struct pgbox_db_array *array,
				  const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->message->message_id);
}

static void add_mime_parts(struct pgbox_db_array *array,
			   const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_bytes(array, mail->message->mime_parts->data,
				 mail->message->mime_parts->used);
}

static void add_envelope(struct pgbox_db_array *array,
			 const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_bytes(array, mail->message->envelope,
				 strlen(mail->message->envelope));
}

static void add_bodystructure(struct pgbox_db_array *array,
			      const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_bytes(array, mail->message->bodystructure,
				 strlen(mail->message->bodystructure));
}

static void add_flags(struct pgbox_db_array *array,
		      const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->flags);
}

static void add_uid(struct pgbox_db_array *array,
		    const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->uid);
}

static void add_pop3_uidl(struct pgbox_db_array *array,
			  const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_text(array, mail->pop3_uidl);
}

static void add_pop3_order(struct pgbox_db_array *array,
			   const struct pgbox_new_mail *mail)
{
	if (mail->pop3_order == 0)
		pgbox_db_array_add_null(array);
	else
		pgbox_db_array_add_int(array, mail->pop3_order);
}

static void add_flags_remove(struct pgbox_db_array *array,
			     const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->flags_remove);
}

static void add_source_account(struct pgbox_db_array *array,
			       const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->source.account_id);
}

static void add_source_mailbox(struct pgbox_db_array *array,
			       const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->source.mailbox_id);
}

static void add_source_uid(struct pgbox_db_array *array,
			   const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_int(array, mail->source_uid);
}

static void add_move(struct pgbox_db_array *array,
		     const struct pgbox_new_mail *mail)
{
	pgbox_db_array_add_bool(array, mail->move);
}

/* p_guid ... p_pop3_order of mail_save() and mail_save_one() */
static const struct new_mail_column save_columns[] = {
	{ PGBOX_DB_ARRAY_TEXT, add_guid },
	{ PGBOX_DB_ARRAY_INT8, add_message_id },
	{ PGBOX_DB_ARRAY_BYTEA, add_data },
	{ PGBOX_DB_ARRAY_INT8, add_size },
	{ PGBOX_DB_ARRAY_INT8, add_header_size },
	{ PGBOX_DB_ARRAY_BYTEA, add_sha256 },
	{ PGBOX_DB_ARRAY_INT8, add_received },
	{ PGBOX_DB_ARRAY_INT8, add_saved },
	{ PGBOX_DB_ARRAY_INT8, add_sent },
	{ PGBOX_DB_ARRAY_INT2, add_sent_zone },
	{ PGBOX_DB_ARRAY_TEXT, add_subject },
	{ PGBOX_DB_ARRAY_TEXT, add_from },
	{ PGBOX_DB_ARRAY_TEXT, add_to },
	{ PGBOX_DB_ARRAY_TEXT, add_cc },
	{ PGBOX_DB_ARRAY_TEXT, add_message_id_header },
	{ PGBOX_DB_ARRAY_BYTEA, add_mime_parts },
	{ PGBOX_DB_ARRAY_BYTEA, add_envelope },
	{ PGBOX_DB_ARRAY_BYTEA, add_bodystructure },
	{ PGBOX_DB_ARRAY_INT2, add_flags },
	{ PGBOX_DB_ARRAY_INT8, add_uid },
	{ PGBOX_DB_ARRAY_TEXT, add_pop3_uidl },
	{ PGBOX_DB_ARRAY_INT8, add_pop3_order },
};

/* p_source_account_id ... p_pop3_order of mail_copy() */
static const struct new_mail_column copy_columns[] = {
	{ PGBOX_DB_ARRAY_INT8, add_source_account },
	{ PGBOX_DB_ARRAY_INT8, add_source_mailbox },
	{ PGBOX_DB_ARRAY_INT8, add_source_uid },
	{ PGBOX_DB_ARRAY_BOOL, add_move },
	{ PGBOX_DB_ARRAY_INT2, add_flags },
	{ PGBOX_DB_ARRAY_INT2, add_flags_remove },
	{ PGBOX_DB_ARRAY_INT8, add_saved },
	{ PGBOX_DB_ARRAY_INT8, add_uid },
	{ PGBOX_DB_ARRAY_TEXT, add_pop3_uidl },
	{ PGBOX_DB_ARRAY_INT8, add_pop3_order },
};

static void
params_add_columns(struct pgbox_db_params *params, param_add_t *param_add,
		   const struct new_mail_column *columns,
		   unsigned int column_count,
		   const struct pgbox_new_mail *mails, unsigned int count)
{
	struct pgbox_db_array *array;
	unsigned int i, j;

	for (i = 0; i < column_count; i++) {
		array = param_add(params, columns[i].type);
		for (j = 0; j < count; j++)
			columns[i].add(array, &mails[j]);
	}
}

static void
params_add_min_modseq(struct pgbox_db_params *params,
		      const struct pgbox_new_mail *mails, unsigned int count)
{
	uint64_t min_modseq = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		min_modseq = I_MAX(min_modseq, mails[i].min_modseq);
	pgbox_db_param_int8(params, min_modseq);
}

static void
params_add_keywords(struct pgbox_db_params *params,
		    const struct pgbox_new_mail *mails, unsigned int count)
{
	struct pgbox_db_array *places, *names;
	const char *const *keyword;
	unsigned int i;

	places = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT4);
	names = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	for (i = 0; i < count; i++) {
		if (mails[i].keywords == NULL)
			continue;
		for (keyword = mails[i].keywords; *keyword != NULL; keyword++) {
			pgbox_db_array_add_int(places, i + 1);
			pgbox_db_array_add_text(names, *keyword);
		}
	}
}

/* Of copies: what they have, and haven't, whatever their sources have */
static void
params_add_keyword_changes(struct pgbox_db_params *params,
			   const struct pgbox_new_mail *mails,
			   unsigned int count)
{
	struct pgbox_db_array *places, *names, *adds;
	const char *const *keyword;
	unsigned int i, add;

	places = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT4);
	names = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	adds = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BOOL);
	for (i = 0; i < count; i++) {
		for (add = 0; add <= 1; add++) {
			keyword = add != 0 ? mails[i].keywords :
				mails[i].keywords_remove;
			for (; keyword != NULL && *keyword != NULL; keyword++) {
				pgbox_db_array_add_int(places, i + 1);
				pgbox_db_array_add_text(names, *keyword);
				pgbox_db_array_add_bool(adds, add != 0);
			}
		}
	}
}

/* Of a single mail: no places, and rarely any keywords */
static void
params_add_keywords_one(struct pgbox_db_params *params,
			const struct pgbox_new_mail *mail)
{
	struct pgbox_db_array *names;
	const char *const *keyword;

	if (mail->keywords == NULL) {
		pgbox_db_param_null(params);
		return;
	}
	names = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	for (keyword = mail->keywords; *keyword != NULL; keyword++)
		pgbox_db_array_add_text(names, *keyword);
}

/* places: whether to say which mail a part is of */
static void
params_add_parts(struct pgbox_db_params *params, bool places,
		 const struct pgbox_new_mail *mails, unsigned int count)
{
	enum {
		MESSAGE, SECTION, MEDIA_TYPE, CHARSET, ENCODING, DISPOSITION,
		FILENAME, HEADER_OFFSET, HEADER_SIZE, BODY_SIZE, BODY_LINES,
		COLUMN_COUNT
	};
	struct pgbox_db_array *columns[COLUMN_COUNT];
	const struct pgbox_message_part *part;
	unsigned int i;

	for (i = places ? MESSAGE : SECTION; i < COLUMN_COUNT; i++) {
		columns[i] = pgbox_db_param_array(params,
			i == MESSAGE || i == BODY_LINES ? PGBOX_DB_ARRAY_INT4 :
			i >= HEADER_OFFSET ? PGBOX_DB_ARRAY_INT8 :
			PGBOX_DB_ARRAY_TEXT);
	}
	for (i = 0; i < count; i++) {
		array_foreach(&mails[i].message->parts, part) {
			if (places) {
				pgbox_db_array_add_int(columns[MESSAGE],
						       i + 1);
			}
			pgbox_db_array_add_text(columns[SECTION], part->section);
			pgbox_db_array_add_text(columns[MEDIA_TYPE],
						part->media_type);
			pgbox_db_array_add_text(columns[CHARSET], part->charset);
			pgbox_db_array_add_text(columns[ENCODING],
						part->encoding);
			pgbox_db_array_add_text(columns[DISPOSITION],
						part->disposition);
			pgbox_db_array_add_text(columns[FILENAME],
						part->filename);
			pgbox_db_array_add_int(columns[HEADER_OFFSET],
					       part->header_offset);
			pgbox_db_array_add_int(columns[HEADER_SIZE],
					       part->header_size);
			pgbox_db_array_add_int(columns[BODY_SIZE],
					       part->body_size);
			pgbox_db_array_add_int(columns[BODY_LINES],
					       part->body_lines);
		}
	}
}

static void
params_add_sort_keys(struct pgbox_db_params *params, param_add_t *param_add,
		     const struct pgbox_new_mail *mails, unsigned int count)
{
	struct pgbox_db_array *array;
	const char *value;
	unsigned int i, key;

	pgbox_db_param_int4(params, pgbox_folding_get());
	for (key = 0; key < PGBOX_SORT_KEY_COUNT; key++) {
		array = param_add(params, PGBOX_DB_ARRAY_BYTEA);
		for (i = 0; i < count; i++) {
			value = mails[i].message->sort_keys[key];
			pgbox_db_array_add_bytes(array, value, value == NULL ?
						 0 : strlen(value));
		}
	}
}

static int
add_exec(struct pgbox_db *db, const struct pgbox_query *query,
	 const struct pgbox_db_params *params, unsigned int count,
	 struct pgbox_add_result *result_r, struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec(db, query, params, &result, failure_r) < 0)
		return -1;
	result_r->uid_validity = pgbox_db_result_int(result, 0, 0);
	t_array_init(&result_r->uids, count);
	pgbox_db_result_int_array(result, 0, 2, &result_r->uids);
	i_assert(array_count(&result_r->uids) == count);
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_save(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const char *mailbox_name, unsigned int text_wanted,
		     const struct pgbox_new_mail *mails, unsigned int count,
		     struct pgbox_add_result *result_r,
		     struct pgbox_db_failure *failure_r)
{
	/* the bytes of several messages are too much for the data stack, which
	   never shrinks again */
	pool_t pool = pool_alloconly_create("pgbox save", 16 * 1024);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	bool one = count == 1;
	param_add_t *param_add = one ? pgbox_db_param_element :
		pgbox_db_param_array;
	int ret;

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	params_add_columns(params, param_add, save_columns,
			   N_ELEMENTS(save_columns), mails, count);
	params_add_min_modseq(params, mails, count);
	if (one)
		params_add_keywords_one(params, mails);
	else
		params_add_keywords(params, mails, count);
	params_add_parts(params, !one, mails, count);
	pgbox_db_param_text(params, mailbox_name);
	pgbox_db_param_int4(params, text_wanted);
	params_add_sort_keys(params, param_add, mails, count);
	ret = add_exec(db, one ? &pgbox_query_mail_save_one :
		       &pgbox_query_mail_save, params, count, result_r,
		       failure_r);
	pool_unref(&pool);
	return ret;
}

int pgbox_run_copy(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const char *mailbox_name,
		     const struct pgbox_new_mail *mails, unsigned int count,
		     int64_t operation, struct pgbox_add_result *result_r,
		     struct pgbox_db_failure *failure_r)
{
	pool_t pool = pool_alloconly_create("pgbox copy", 4 * 1024);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	int ret;

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	params_add_columns(params, pgbox_db_param_array, copy_columns,
			   N_ELEMENTS(copy_columns), mails, count);
	params_add_min_modseq(params, mails, count);
	params_add_keyword_changes(params, mails, count);
	pgbox_db_param_int8(params, operation);
	pgbox_db_param_text(params, mailbox_name);
	ret = add_exec(db, &pgbox_query_mail_copy, params, count, result_r,
		       failure_r);
	pool_unref(&pool);
	return ret;
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
	struct pgbox_db_result *result;

	if (upload->sent == NULL)
		return 0;
	if (pgbox_db_exec_finish(&upload->sent, &result, failure_r) < 0)
		return -1;
	upload->message_id = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

static struct pgbox_db_params *upload_get_params(struct pgbox_upload *upload)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	unsigned int i;

	pgbox_db_param_int8(params, upload->account_id);
	if (upload->message_id == 0)
		pgbox_db_param_null(params);
	else
		pgbox_db_param_int8(params, upload->message_id);
	pgbox_db_param_int4(params, upload->next_n);
	for (i = 0; i < UPLOAD_MAX_CHUNKS; i++) {
		if (i >= upload->chunk_count) {
			pgbox_db_param_null(params);
			pgbox_db_param_null(params);
			continue;
		}
		pgbox_db_param_int4(params, upload->chunks[i].size);
		pgbox_db_param_bytea(params, upload->chunks[i].data->data,
				     upload->chunks[i].data->used);
	}
	return params;
}

static int
upload_send(struct pgbox_upload *upload, struct pgbox_db_failure *failure_r)
{
	/* its answer has the id that all others need */
	if (upload_wait(upload, failure_r) < 0)
		return -1;
	upload->sent = pgbox_db_exec_start(upload->db,
					   &pgbox_query_upload_chunks,
					   upload_get_params(upload),
					   failure_r);
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
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, account_id);
	pgbox_db_param_int8(params, message_id);
	if (pgbox_db_exec(db, &pgbox_query_upload_abort, params, &result,
			  failure_r) < 0)
		return -1;
	pgbox_db_result_free(&result);
	return 0;
}
