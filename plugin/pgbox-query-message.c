/* The statements that read messages, as typed rows. Knows nothing of
   mailboxes, mails or streams of Dovecot. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-query.h"
#include "pgbox-query-message.h"

/* Columns of message-info, message-info-expunged and message-mails */
enum info_column {
	INFO_UID,
	INFO_MESSAGE_ID,
	INFO_GUID,
	INFO_SIZE,
	INFO_HEADER_SIZE,
	INFO_RECEIVED,
	INFO_SAVED,
	INFO_SENT,
	INFO_SENT_ZONE,
	INFO_MIME_PARTS,
	INFO_ENVELOPE,
	INFO_BODYSTRUCTURE,
	INFO_POP3_UIDL,
	INFO_POP3_ORDER,
	/* of message-mails only */
	INFO_IS_FRAME,
	INFO_DATA,
};

/* Columns of message-headers and message-bodies */
enum chunk_column {
	CHUNK_MESSAGE_ID,
	CHUNK_NUMBER,
	CHUNK_SIZE,
	CHUNK_IS_FRAME,
	CHUNK_DATA,
};

/* Columns of message-range */
enum range_column {
	RANGE_IS_FRAME,
	RANGE_DATA,
};

struct pgbox_message_chunks {
	/* own */
	struct pgbox_db_result *result;
	unsigned int next_row;
};

static void
set_broken_row(const struct pgbox_query *query, const char *what,
	       struct pgbox_db_failure *failure_r)
{
	i_zero(failure_r);
	failure_r->error = PGBOX_DB_ERROR_INTERNAL;
	failure_r->message = t_strdup_printf("%s: %s", query->name, what);
}

static const char *
info_bytes_to_str(const struct pgbox_db_result *result, unsigned int row,
		  enum info_column column, pool_t pool)
{
	const unsigned char *data;
	size_t size;

	data = pgbox_db_result_bytes(result, row, column, &size);
	return data == NULL ? NULL : p_strndup(pool, data, size);
}

static int
info_from_row(const struct pgbox_db_result *result, unsigned int row,
	      pool_t pool, struct pgbox_message_info *info_r)
{
	int64_t uid = pgbox_db_result_int(result, row, INFO_UID);
	int64_t size = pgbox_db_result_int(result, row, INFO_SIZE);
	int64_t header_size =
		pgbox_db_result_int(result, row, INFO_HEADER_SIZE);
	int64_t order = pgbox_db_result_int(result, row, INFO_POP3_ORDER);
	const unsigned char *parts;

	if (uid <= 0 || uid > UINT32_MAX || header_size < 0 ||
	    size < header_size || order < 0 || order > UINT32_MAX)
		return -1;

	i_zero(info_r);
	info_r->uid = uid;
	info_r->message_id = pgbox_db_result_int(result, row, INFO_MESSAGE_ID);
	info_r->guid = p_strdup(pool, pgbox_db_result_text(result, row,
							   INFO_GUID));
	info_r->size = size;
	info_r->header_size = header_size;
	info_r->received = pgbox_db_result_int(result, row, INFO_RECEIVED);
	info_r->saved = pgbox_db_result_is_null(result, row, INFO_SAVED) ?
		(time_t)-1 : pgbox_db_result_int(result, row, INFO_SAVED);
	info_r->has_sent = !pgbox_db_result_is_null(result, row, INFO_SENT);
	info_r->sent = pgbox_db_result_int(result, row, INFO_SENT);
	info_r->sent_zone = pgbox_db_result_int(result, row, INFO_SENT_ZONE);

	parts = pgbox_db_result_bytes(result, row, INFO_MIME_PARTS,
				      &info_r->mime_parts_size);
	if (info_r->mime_parts_size > 0) {
		info_r->mime_parts = p_memdup(pool, parts,
					      info_r->mime_parts_size);
	}
	info_r->envelope = info_bytes_to_str(result, row, INFO_ENVELOPE, pool);
	info_r->bodystructure =
		info_bytes_to_str(result, row, INFO_BODYSTRUCTURE, pool);
	info_r->pop3_uidl = p_strdup(pool, pgbox_db_result_text(result, row,
							INFO_POP3_UIDL));
	info_r->pop3_order = order;
	return 0;
}

int pgbox_message_read_infos(struct pgbox_db *db, int64_t account_id,
			     int64_t mailbox_id,
			     enum pgbox_message_source source,
			     const ARRAY_TYPE(pgbox_uids) *uids,
			     size_t max_bytes, pool_t pool,
			     ARRAY_TYPE(pgbox_message_info) *infos,
			     struct pgbox_db_failure *failure_r)
{
	const struct pgbox_query *query =
		source == PGBOX_MESSAGE_SOURCE_MAILBOX ?
		&pgbox_query_message_info : &pgbox_query_message_info_expunged;
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_array *array;
	struct pgbox_db_result *result;
	unsigned int row, rows;
	uint32_t uid;

	pgbox_db_param_int8(params, account_id);
	pgbox_db_param_int8(params, mailbox_id);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	array_foreach_elem(uids, uid)
		pgbox_db_array_add_int(array, uid);
	pgbox_db_param_int8(params, max_bytes);

	if (pgbox_db_exec_repeatable(db, query, params, &result, failure_r) < 0)
		return -1;
	rows = pgbox_db_result_rows(result);
	for (row = 0; row < rows; row++) {
		struct pgbox_message_info *info = array_append_space(infos);

		if (info_from_row(result, row, pool, info) < 0) {
			array_pop_back(infos);
			set_broken_row(query, "impossible UID or size",
				       failure_r);
			break;
		}
	}
	pgbox_db_result_free(&result);
	return row < rows ? -1 : 0;
}

int pgbox_message_read_refcount(struct pgbox_db *db, int64_t account_id,
				int64_t message_id, unsigned int *count_r,
				struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, account_id);
	pgbox_db_param_int8(params, message_id);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_message_refcount, params,
				     &result, failure_r) < 0)
		return -1;
	*count_r = pgbox_db_result_rows(result) == 0 ? 0 :
		pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

static const struct pgbox_query *
chunks_get_query(enum pgbox_message_extent extent)
{
	return extent == PGBOX_MESSAGE_EXTENT_HEADER ?
		&pgbox_query_message_headers : &pgbox_query_message_bodies;
}

static struct pgbox_db_params *
chunks_get_params(int64_t account_id, const ARRAY_TYPE(pgbox_int64) *message_ids)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_array *array;
	int64_t message_id;

	pgbox_db_param_int8(params, account_id);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	array_foreach_elem(message_ids, message_id)
		pgbox_db_array_add_int(array, message_id);
	return params;
}

static struct pgbox_message_chunks *
chunks_create(struct pgbox_db_result *result)
{
	struct pgbox_message_chunks *chunks;

	chunks = i_new(struct pgbox_message_chunks, 1);
	chunks->result = result;
	return chunks;
}

int pgbox_message_read_chunks(struct pgbox_db *db, int64_t account_id,
			      const ARRAY_TYPE(pgbox_int64) *message_ids,
			      enum pgbox_message_extent extent,
			      struct pgbox_message_chunks **chunks_r,
			      struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec_repeatable(db, chunks_get_query(extent),
				     chunks_get_params(account_id, message_ids),
				     &result, failure_r) < 0)
		return -1;
	*chunks_r = chunks_create(result);
	return 0;
}

struct pgbox_db_started *
pgbox_message_start_chunks(struct pgbox_db *db, int64_t account_id,
			   const ARRAY_TYPE(pgbox_int64) *message_ids,
			   enum pgbox_message_extent extent)
{
	struct pgbox_db_failure failure;

	return pgbox_db_exec_start(db, chunks_get_query(extent),
				   chunks_get_params(account_id, message_ids),
				   &failure);
}

int pgbox_message_finish_chunks(struct pgbox_db_started **started,
				struct pgbox_message_chunks **chunks_r,
				struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec_finish(started, &result, failure_r) < 0)
		return -1;
	*chunks_r = chunks_create(result);
	return 0;
}

bool pgbox_message_chunks_next(struct pgbox_message_chunks *chunks,
			       struct pgbox_message_chunk *chunk_r)
{
	unsigned int row = chunks->next_row;

	if (row >= pgbox_db_result_rows(chunks->result))
		return FALSE;
	chunks->next_row++;

	i_zero(chunk_r);
	chunk_r->message_id =
		pgbox_db_result_int(chunks->result, row, CHUNK_MESSAGE_ID);
	chunk_r->offset = PGBOX_CHUNK_BYTES *
		(uoff_t)pgbox_db_result_int(chunks->result, row, CHUNK_NUMBER);
	chunk_r->size = pgbox_db_result_int(chunks->result, row, CHUNK_SIZE);
	chunk_r->is_frame =
		pgbox_db_result_bool(chunks->result, row, CHUNK_IS_FRAME);
	chunk_r->data = pgbox_db_result_bytes(chunks->result, row, CHUNK_DATA,
					      &chunk_r->data_size);
	return TRUE;
}

void pgbox_message_chunks_free(struct pgbox_message_chunks **_chunks)
{
	struct pgbox_message_chunks *chunks = *_chunks;

	if (chunks == NULL)
		return;
	*_chunks = NULL;
	pgbox_db_result_free(&chunks->result);
	i_free(chunks);
}

static struct pgbox_db_params *
mails_get_params(const struct pgbox_message_request *request)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_array *array;
	uint32_t uid;

	i_assert(request->max_message_bytes <= PGBOX_CHUNK_BYTES);

	pgbox_db_param_int8(params, request->account_id);
	pgbox_db_param_int8(params, request->mailbox_id);
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	array_foreach_elem(request->uids, uid)
		pgbox_db_array_add_int(array, uid);
	pgbox_db_param_int8(params, request->max_bytes);
	pgbox_db_param_int8(params, request->max_message_bytes);
	return params;
}

int pgbox_message_read_mails(struct pgbox_db *db,
			     const struct pgbox_message_request *request,
			     struct pgbox_message_chunks **chunks_r,
			     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec_repeatable(db, &pgbox_query_message_mails,
				     mails_get_params(request), &result,
				     failure_r) < 0)
		return -1;
	*chunks_r = chunks_create(result);
	return 0;
}

struct pgbox_db_started *
pgbox_message_start_mails(struct pgbox_db *db,
			  const struct pgbox_message_request *request)
{
	struct pgbox_db_failure failure;

	return pgbox_db_exec_start(db, &pgbox_query_message_mails,
				   mails_get_params(request), &failure);
}

bool pgbox_message_mails_next(struct pgbox_message_chunks *chunks, pool_t pool,
			      struct pgbox_message_info *info_r,
			      struct pgbox_message_chunk *chunk_r)
{
	const struct pgbox_db_result *result = chunks->result;
	unsigned int row = chunks->next_row;

	if (row >= pgbox_db_result_rows(result) ||
	    info_from_row(result, row, pool, info_r) < 0)
		return FALSE;
	chunks->next_row++;

	i_zero(chunk_r);
	chunk_r->message_id = info_r->message_id;
	chunk_r->size = info_r->size;
	chunk_r->is_frame = pgbox_db_result_bool(result, row, INFO_IS_FRAME);
	chunk_r->data = pgbox_db_result_bytes(result, row, INFO_DATA,
					      &chunk_r->data_size);
	return TRUE;
}

static struct pgbox_db_params *
range_get_params(const struct pgbox_message_range *range)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	unsigned int start = range->offset % PGBOX_CHUNK_BYTES;

	i_assert(range->size > 0 && range->size <= PGBOX_CHUNK_BYTES - start);

	pgbox_db_param_int8(params, range->account_id);
	pgbox_db_param_int8(params, range->message_id);
	pgbox_db_param_int4(params, range->offset / PGBOX_CHUNK_BYTES);
	pgbox_db_param_int4(params, start + 1);
	pgbox_db_param_int4(params, range->size);
	pgbox_db_param_int4(params,
			    pgbox_chunk_frame_prefix(start + range->size));
	return params;
}

int pgbox_message_read_range(struct pgbox_db *db,
			     const struct pgbox_message_range *range,
			     struct pgbox_message_chunks **chunks_r,
			     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec_repeatable(db, &pgbox_query_message_range,
				     range_get_params(range), &result,
				     failure_r) < 0)
		return -1;
	*chunks_r = chunks_create(result);
	return 0;
}

struct pgbox_db_started *
pgbox_message_start_range(struct pgbox_db *db,
			  const struct pgbox_message_range *range)
{
	struct pgbox_db_failure failure;

	return pgbox_db_exec_start(db, &pgbox_query_message_range,
				   range_get_params(range), &failure);
}

/* Decodes the beginning of a chunk, and copies what is behind start. */
static int
range_decode(const unsigned char *data, size_t data_size, size_t start,
	     size_t size, unsigned char *dest, const char **error_r)
{
	unsigned char *octets;
	int ret;

	if (start == 0) {
		return pgbox_chunk_decode(data, data_size, TRUE, dest, size,
					  error_r);
	}
	octets = i_malloc(start + size);
	ret = pgbox_chunk_decode(data, data_size, TRUE, octets, start + size,
				 error_r);
	if (ret == 0)
		memcpy(dest, octets + start, size);
	i_free(octets);
	return ret;
}

int pgbox_message_range_get(const struct pgbox_message_chunks *chunks,
			    const struct pgbox_message_range *range,
			    unsigned char *dest,
			    struct pgbox_db_failure *failure_r)
{
	const struct pgbox_db_result *result = chunks->result;
	const unsigned char *data;
	size_t data_size;
	const char *error;

	if (pgbox_db_result_rows(result) == 0)
		return 0;
	data = pgbox_db_result_bytes(result, 0, RANGE_DATA, &data_size);
	if (!pgbox_db_result_bool(result, 0, RANGE_IS_FRAME)) {
		if (data_size < range->size)
			return 0;
		memcpy(dest, data, range->size);
		return 1;
	}
	if (range_decode(data, data_size, range->offset % PGBOX_CHUNK_BYTES,
			 range->size, dest, &error) < 0) {
		set_broken_row(&pgbox_query_message_range, error, failure_r);
		return -1;
	}
	return 1;
}
