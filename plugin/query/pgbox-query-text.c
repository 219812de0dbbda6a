/* The statements about the text of messages, and sorting. Knows nothing of mailboxes or mails
   of Dovecot. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "pgbox-chunk.h"
#include "pgbox-folding.h"
#include "pgbox-query.h"
#include "pgbox-message-text.h"
#include "pgbox-search-sql.h"
#include "pgbox-query-text.h"

int pgbox_run_text_claim(struct pgbox_db *db,
			 const struct pgbox_mailbox_id *id, uint32_t max_uid,
			 bool bodies, unsigned int limit, uint64_t max_bytes,
			 ARRAY_TYPE(pgbox_text_claim) *claims,
			 struct pgbox_db_failure *failure_r)
{
	const struct pgbox_text_claim_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.max_uid = max_uid,
		.bodies = bodies,
		.limit = limit,
		.max_bytes = max_bytes,
	};
	struct pgbox_text_claim_columns columns;
	struct pgbox_db_result *result;
	struct pgbox_text_claim *claim;
	unsigned int row;

	if (pgbox_exec_text_claim(db, &values, &result, failure_r) < 0)
		return -1;
	for (row = 0; row < pgbox_db_result_rows(result); row++) {
		pgbox_read_text_claim(result, row, &columns);
		/* the sync tells of rows that make no sense */
		if (columns.uid <= 0 || columns.uid > UINT32_MAX)
			continue;
		claim = array_append_space(claims);
		claim->message_id = columns.message_id;
		claim->uid = columns.uid;
	}
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_text_queued(struct pgbox_db *db,
			  const struct pgbox_mailbox_id *id, bool bodies,
			  bool *queued_r, struct pgbox_db_failure *failure_r)
{
	const struct pgbox_text_queued_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.bodies = bodies,
	};
	struct pgbox_text_queued_columns columns;
	struct pgbox_db_result *result;

	if (pgbox_exec_text_queued(db, &values, &result, failure_r) < 0)
		return -1;
	pgbox_read_text_queued(result, 0, &columns);
	*queued_r = columns.queued;
	pgbox_db_result_free(&result);
	return 0;
}

static void
text_item_from_columns(const struct pgbox_text_next_columns *columns, pool_t pool,
		       struct pgbox_text_item *item_r)
{
	unsigned char *octets;
	const char *error;

	i_zero(item_r);
	item_r->account_id = columns->account_id;
	item_r->message_id = columns->message_id;
	item_r->size = columns->size;
	item_r->want_body = columns->bodies;
	item_r->failed = columns->failed;
	item_r->mime_parts_size = columns->mime_parts.size;
	if (item_r->mime_parts_size > 0) {
		item_r->mime_parts = p_memdup(pool, columns->mime_parts.data,
					      item_r->mime_parts_size);
	}
	if (columns->data.data == NULL)
		return;
	octets = p_malloc(pool, item_r->size);
	/* who reads it in ranges gets the error */
	if (pgbox_chunk_decode(columns->data.data, columns->data.size,
			       columns->data.size < item_r->size, octets,
			       item_r->size, &error) == 0)
		item_r->data = octets;
}

int pgbox_run_text_next(struct pgbox_db *db, unsigned int limit,
			size_t max_bytes, pool_t pool,
			ARRAY_TYPE(pgbox_text_item) *items,
			struct pgbox_db_failure *failure_r)
{
	const struct pgbox_text_next_params values = {
		.limit = limit,
		.bytes = max_bytes,
	};
	struct pgbox_text_next_columns columns;
	struct pgbox_db_result *result;
	unsigned int row;

	if (pgbox_exec_text_next(db, &values, &result, failure_r) < 0)
		return -1;
	for (row = 0; row < pgbox_db_result_rows(result); row++) {
		pgbox_read_text_next(result, row, &columns);
		text_item_from_columns(&columns, pool,
				       array_append_space(items));
	}
	pgbox_db_result_free(&result);
	return 0;
}

static void
text_row_set(struct pgbox_text_store_text *row_r,
	     const struct pgbox_text_row *row)
{
	const struct pgbox_message_text *text = row->text;
	string_t *const *fields = text->fields;

	row_r->account_id = row->account_id;
	row_r->message_id = row->message_id;
	row_r->header = text->header == NULL ? NULL : str_c(text->header);
	row_r->from_field = str_c(fields[PGBOX_TEXT_FIELD_FROM]);
	row_r->to_field = str_c(fields[PGBOX_TEXT_FIELD_TO]);
	row_r->cc_field = str_c(fields[PGBOX_TEXT_FIELD_CC]);
	row_r->bcc_field = str_c(fields[PGBOX_TEXT_FIELD_BCC]);
	row_r->subject_field = str_c(fields[PGBOX_TEXT_FIELD_SUBJECT]);
	row_r->message_id_field = str_c(fields[PGBOX_TEXT_FIELD_MESSAGE_ID]);
	row_r->body = text->body == NULL ? NULL : str_c(text->body);
	row_r->error = text->error;
}

int pgbox_run_text_store(struct pgbox_db *db,
			 const struct pgbox_text_row *rows, unsigned int count,
			 struct pgbox_db_failure *failure_r)
{
	struct pgbox_text_store_text *texts =
		t_new(struct pgbox_text_store_text, count);
	const struct pgbox_text_store_params values = {
		.texts = texts,
		.text_count = count,
		.folding = pgbox_folding_get(),
	};
	unsigned int i;

	for (i = 0; i < count; i++)
		text_row_set(&texts[i], &rows[i]);
	return pgbox_exec_text_store(db, &values, NULL, failure_r);
}

static int int64_cmp(const int64_t *i1, const int64_t *i2)
{
	return *i1 < *i2 ? -1 : (*i1 > *i2 ? 1 : 0);
}

int pgbox_run_search(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const struct pgbox_search_group *group,
		     const struct pgbox_search_range *range,
		     ARRAY_TYPE(pgbox_int64) *found,
		     ARRAY_TYPE(pgbox_int64) *unknown,
		     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;
	const char *pattern;

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	pgbox_db_param_int8(params, range->first_uid);
	pgbox_db_param_int8(params, range->last_uid);
	pgbox_db_param_int4(params, pgbox_folding_get());
	array_foreach_elem(&group->patterns, pattern)
		pgbox_db_param_text(params, pattern);
	if (pgbox_db_exec_patient(db, &group->query, params, &range->patience,
				  &result, failure_r) < 0)
		return -1;
	pgbox_db_result_int_array(result, 0, 0, found);
	pgbox_db_result_int_array(result, 0, 1, unknown);
	pgbox_db_result_free(&result);
	array_sort(found, int64_cmp);
	array_sort(unknown, int64_cmp);
	return 0;
}

int pgbox_run_sort(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		   const struct pgbox_query *query,
		   const struct pgbox_search_range *range, int32_t folding,
		   const ARRAY_TYPE(pgbox_int64) *wanted_uids,
		   ARRAY_TYPE(pgbox_int64) *uids,
		   ARRAY_TYPE(pgbox_int64) *values, bool *usable_r,
		   struct pgbox_db_failure *failure_r)
{
	pool_t pool = pool_alloconly_create("pgbox sort", 2048);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_array *array;
	struct pgbox_db_result *result;
	int64_t uid;
	int ret;

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	pgbox_db_param_int8(params, range->first_uid);
	pgbox_db_param_int8(params, range->last_uid);
	pgbox_db_param_int4(params, folding);
	if (wanted_uids != NULL) {
		array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
		array_foreach_elem(wanted_uids, uid)
			pgbox_db_array_add_int(array, uid);
	}
	ret = pgbox_db_exec_patient(db, query, params, &range->patience,
				    &result, failure_r);
	if (ret == 0) {
		pgbox_db_result_int_array(result, 0, 0, uids);
		pgbox_db_result_int_array(result, 0, 1, values);
		*usable_r = pgbox_db_result_bool(result, 0, 2);
		pgbox_db_result_free(&result);
	}
	pool_unref(&pool);
	return ret;
}
