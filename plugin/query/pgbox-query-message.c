/* The statements that read messages, as typed rows. Knows nothing of
   mailboxes, mails or streams of Dovecot. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-query.h"
#include "pgbox-query-message.h"

/* Chunks are numbered with 32 bits. */
#define INFO_MAX_SIZE ((int64_t)PGBOX_CHUNK_BYTES * INT32_MAX)

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
bytes_to_str(pool_t pool, const struct pgbox_query_bytes *bytes)
{
	return bytes->data == NULL ? NULL :
		p_strndup(pool, bytes->data, bytes->size);
}

static int
info_from_columns(const struct pgbox_message_info_columns *columns, pool_t pool,
		  struct pgbox_message_info *info_r)
{
	if (columns->uid <= 0 || columns->uid > UINT32_MAX ||
	    columns->header_size < 0 || columns->size < columns->header_size ||
	    columns->size > INFO_MAX_SIZE ||
	    columns->pop3_order < 0 || columns->pop3_order > UINT32_MAX)
		return -1;

	i_zero(info_r);
	info_r->uid = columns->uid;
	info_r->message_id = columns->message_id;
	info_r->guid = p_strdup(pool, columns->guid);
	info_r->size = columns->size;
	info_r->header_size = columns->header_size;
	info_r->received = columns->received_at;
	info_r->saved = columns->has_saved_at ? columns->saved_at : (time_t)-1;
	info_r->has_sent = columns->has_sent_at;
	info_r->sent = columns->sent_at;
	info_r->sent_zone = columns->sent_zone_minutes;

	info_r->mime_parts_size = columns->mime_parts.size;
	if (info_r->mime_parts_size > 0) {
		info_r->mime_parts = p_memdup(pool, columns->mime_parts.data,
					      info_r->mime_parts_size);
	}
	info_r->envelope = bytes_to_str(pool, &columns->envelope);
	info_r->bodystructure = bytes_to_str(pool, &columns->bodystructure);
	info_r->pop3_uidl = p_strdup(pool, columns->pop3_uidl);
	info_r->pop3_order = columns->pop3_order;
	return 0;
}

/* Returns them on the data stack. */
static struct pgbox_query_ints uids_to_ints(const ARRAY_TYPE(pgbox_uids) *uids)
{
	struct pgbox_query_ints ints = { .count = array_count(uids) };
	int64_t *values = t_new(int64_t, ints.count + 1);
	unsigned int i;

	for (i = 0; i < ints.count; i++)
		values[i] = *array_idx(uids, i);
	ints.values = values;
	return ints;
}

int pgbox_message_read_infos(struct pgbox_db *db, int64_t account_id,
			     int64_t mailbox_id,
			     enum pgbox_message_source source,
			     const ARRAY_TYPE(pgbox_uids) *uids,
			     size_t max_bytes, pool_t pool,
			     ARRAY_TYPE(pgbox_message_info) *infos,
			     struct pgbox_db_failure *failure_r)
{
	const struct pgbox_message_info_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
		.uids = uids_to_ints(uids),
		.max_bytes = max_bytes,
	};
	bool expunged = source == PGBOX_MESSAGE_SOURCE_EXPUNGED;
	struct pgbox_message_info_columns columns;
	struct pgbox_db_result *result;
	unsigned int row, rows;
	int ret = 0;

	if ((expunged ?
	     pgbox_exec_message_info_expunged(db, &values, &result, failure_r) :
	     pgbox_exec_message_info(db, &values, &result, failure_r)) < 0)
		return -1;
	rows = pgbox_db_result_rows(result);
	for (row = 0; row < rows; row++) {
		pgbox_read_message_info(result, row, &columns);
		if (info_from_columns(&columns, pool,
				      array_append_space(infos)) == 0)
			continue;
		array_pop_back(infos);
		/* the others are read for who may want them later */
		if (columns.uid == *array_front(uids)) {
			set_broken_row(expunged ?
				&pgbox_query_message_info_expunged :
				&pgbox_query_message_info, t_strdup_printf(
				"The row of UID %lld makes no sense: \"doveadm "
				"force-resync\" mends it",
				(long long)columns.uid), failure_r);
			ret = -1;
		}
	}
	pgbox_db_result_free(&result);
	return ret;
}

int pgbox_message_read_refcount(struct pgbox_db *db, int64_t account_id,
				int64_t message_id, unsigned int *count_r,
				struct pgbox_db_failure *failure_r)
{
	const struct pgbox_message_refcount_params values = {
		.account_id = account_id,
		.message_id = message_id,
	};
	struct pgbox_message_refcount_columns columns;
	struct pgbox_db_result *result;

	if (pgbox_exec_message_refcount(db, &values, &result, failure_r) < 0)
		return -1;
	pgbox_read_message_refcount(result, 0, &columns);
	*count_r = columns.mails;
	pgbox_db_result_free(&result);
	return 0;
}

static struct pgbox_message_chunks *
chunks_create(struct pgbox_db_result *result)
{
	struct pgbox_message_chunks *chunks;

	chunks = i_new(struct pgbox_message_chunks, 1);
	chunks->result = result;
	return chunks;
}

union request_params {
	struct pgbox_message_bodies_params bodies;
	struct pgbox_message_mails_params mails;
	struct pgbox_message_range_params range;
};

static void
range_params(const struct pgbox_message_range *range,
	     struct pgbox_message_range_params *values_r)
{
	unsigned int start = range->offset % PGBOX_CHUNK_BYTES;

	i_assert(range->size > 0 && range->size <= PGBOX_CHUNK_BYTES - start);

	values_r->account_id = range->account_id;
	values_r->message_id = range->message_id;
	values_r->n = range->offset / PGBOX_CHUNK_BYTES;
	values_r->first_byte = start + 1;
	values_r->bytes = range->size;
	values_r->frame_bytes = pgbox_chunk_frame_prefix(start + range->size);
}

/* Returns the statement for the request, and its parameters. */
static const struct pgbox_query *
request_get_query(const struct pgbox_message_request *request,
		  union request_params *values_r)
{
	i_zero(values_r);
	if (request->range != NULL) {
		range_params(request->range, &values_r->range);
		return &pgbox_query_message_range;
	}
	if (request->uids != NULL) {
		i_assert(request->max_message_bytes <= PGBOX_CHUNK_BYTES);
		values_r->mails.account_id = request->account_id;
		values_r->mails.mailbox_id = request->mailbox_id;
		values_r->mails.uids = uids_to_ints(request->uids);
		values_r->mails.max_bytes = request->max_bytes;
		values_r->mails.max_message_bytes = request->max_message_bytes;
		return &pgbox_query_message_mails;
	}
	values_r->bodies.account_id = request->account_id;
	values_r->bodies.message_ids.values =
		array_get(request->message_ids,
			  &values_r->bodies.message_ids.count);
	return request->extent == PGBOX_MESSAGE_EXTENT_HEADER ?
		&pgbox_query_message_headers : &pgbox_query_message_bodies;
}

int pgbox_message_read(struct pgbox_db *db,
		       const struct pgbox_message_request *request,
		       struct pgbox_message_chunks **chunks_r,
		       struct pgbox_db_failure *failure_r)
{
	union request_params values;
	const struct pgbox_query *query = request_get_query(request, &values);
	struct pgbox_db_result *result;

	if (pgbox_query_exec(db, query, &values, &result, failure_r) < 0)
		return -1;
	*chunks_r = chunks_create(result);
	return 0;
}

struct pgbox_db_started *
pgbox_message_start(struct pgbox_db *db,
		    const struct pgbox_message_request *request)
{
	union request_params values;
	const struct pgbox_query *query = request_get_query(request, &values);
	struct pgbox_db_failure failure;

	return pgbox_query_start(db, query, &values, &failure);
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
	struct pgbox_message_bodies_columns columns;
	unsigned int row = chunks->next_row;

	if (row >= pgbox_db_result_rows(chunks->result))
		return FALSE;
	chunks->next_row++;

	pgbox_read_message_bodies(chunks->result, row, &columns);
	i_zero(chunk_r);
	chunk_r->message_id = columns.message_id;
	chunk_r->offset = PGBOX_CHUNK_BYTES * (uoff_t)columns.n;
	chunk_r->size = columns.size;
	chunk_r->is_frame = columns.is_frame;
	chunk_r->data = columns.data.data;
	chunk_r->data_size = columns.data.size;
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

bool pgbox_message_mails_next(struct pgbox_message_chunks *chunks, pool_t pool,
			      struct pgbox_message_info *info_r,
			      struct pgbox_message_chunk *chunk_r)
{
	struct pgbox_message_mails_columns columns;
	unsigned int row = chunks->next_row;

	if (row >= pgbox_db_result_rows(chunks->result))
		return FALSE;
	pgbox_read_message_mails(chunks->result, row, &columns);
	if (info_from_columns(&columns.message_info, pool, info_r) < 0)
		return FALSE;
	chunks->next_row++;

	i_zero(chunk_r);
	chunk_r->message_id = info_r->message_id;
	chunk_r->size = info_r->size;
	chunk_r->is_frame = columns.is_frame;
	chunk_r->data = columns.data.data;
	chunk_r->data_size = columns.data.size;
	return TRUE;
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
	struct pgbox_message_range_columns columns;
	const char *error;

	if (pgbox_db_result_rows(chunks->result) == 0)
		return 0;
	pgbox_read_message_range(chunks->result, 0, &columns);
	if (!columns.is_frame) {
		if (columns.data.size < range->size)
			return 0;
		memcpy(dest, columns.data.data, range->size);
		return 1;
	}
	if (range_decode(columns.data.data, columns.data.size,
			 range->offset % PGBOX_CHUNK_BYTES, range->size, dest,
			 &error) < 0) {
		set_broken_row(&pgbox_query_message_range, error, failure_r);
		return -1;
	}
	return 1;
}
