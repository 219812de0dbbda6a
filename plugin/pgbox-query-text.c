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
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;
	struct pgbox_text_claim *claim;
	unsigned int row;

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	pgbox_db_param_int8(params, max_uid);
	pgbox_db_param_bool(params, bodies);
	pgbox_db_param_int4(params, limit);
	pgbox_db_param_int8(params, max_bytes);
	if (pgbox_db_exec(db, &pgbox_query_text_claim, params, &result,
			  failure_r) < 0)
		return -1;
	for (row = 0; row < pgbox_db_result_rows(result); row++) {
		claim = array_append_space(claims);
		claim->message_id = pgbox_db_result_int(result, row, 0);
		claim->uid = pgbox_db_result_int(result, row, 1);
	}
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_text_queued(struct pgbox_db *db,
			  const struct pgbox_mailbox_id *id, bool bodies,
			  bool *queued_r, struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	pgbox_db_param_bool(params, bodies);
	if (pgbox_db_exec(db, &pgbox_query_text_queued, params, &result,
			  failure_r) < 0)
		return -1;
	*queued_r = pgbox_db_result_bool(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

static void
text_item_from_row(const struct pgbox_db_result *result, unsigned int row,
		   pool_t pool, struct pgbox_text_item *item_r)
{
	enum { ACCOUNT_ID, MESSAGE_ID, SIZE, BODIES, FAILED, MIME_PARTS, DATA };
	const unsigned char *data, *parts;
	unsigned char *octets;
	const char *error;
	size_t size;

	i_zero(item_r);
	item_r->account_id = pgbox_db_result_int(result, row, ACCOUNT_ID);
	item_r->message_id = pgbox_db_result_int(result, row, MESSAGE_ID);
	item_r->size = pgbox_db_result_int(result, row, SIZE);
	item_r->want_body = pgbox_db_result_bool(result, row, BODIES);
	item_r->failed = pgbox_db_result_bool(result, row, FAILED);
	parts = pgbox_db_result_bytes(result, row, MIME_PARTS,
				      &item_r->mime_parts_size);
	if (item_r->mime_parts_size > 0) {
		item_r->mime_parts = p_memdup(pool, parts,
					      item_r->mime_parts_size);
	}
	data = pgbox_db_result_bytes(result, row, DATA, &size);
	if (data == NULL)
		return;
	octets = p_malloc(pool, item_r->size);
	/* who reads it in ranges gets the error */
	if (pgbox_chunk_decode(data, size, size < item_r->size, octets,
			       item_r->size, &error) == 0)
		item_r->data = octets;
}

int pgbox_run_text_next(struct pgbox_db *db, unsigned int limit,
			size_t max_bytes, pool_t pool,
			ARRAY_TYPE(pgbox_text_item) *items,
			struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;
	unsigned int row;

	pgbox_db_param_int4(params, limit);
	pgbox_db_param_int8(params, max_bytes);
	if (pgbox_db_exec(db, &pgbox_query_text_next, params, &result,
			  failure_r) < 0)
		return -1;
	for (row = 0; row < pgbox_db_result_rows(result); row++) {
		text_item_from_row(result, row, pool,
				   array_append_space(items));
	}
	pgbox_db_result_free(&result);
	return 0;
}

static void
params_add_texts(struct pgbox_db_params *params,
		 const struct pgbox_text_row *rows, unsigned int count)
{
	enum { HEADER, FIELDS, BODY = FIELDS + PGBOX_TEXT_FIELD_COUNT, ERROR,
	       COLUMN_COUNT };
	struct pgbox_db_array *columns[COLUMN_COUNT];
	const struct pgbox_message_text *text;
	unsigned int i, field;

	for (i = 0; i < COLUMN_COUNT; i++) {
		columns[i] = pgbox_db_param_array(params,
						  PGBOX_DB_ARRAY_TEXT);
	}
	for (i = 0; i < count; i++) {
		text = rows[i].text;
		pgbox_db_array_add_text(columns[HEADER], text->header == NULL ?
					NULL : str_c(text->header));
		for (field = 0; field < PGBOX_TEXT_FIELD_COUNT; field++) {
			pgbox_db_array_add_text(columns[FIELDS + field],
						str_c(text->fields[field]));
		}
		pgbox_db_array_add_text(columns[BODY], text->body == NULL ?
					NULL : str_c(text->body));
		pgbox_db_array_add_text(columns[ERROR], text->error);
	}
}

int pgbox_run_text_store(struct pgbox_db *db,
			 const struct pgbox_text_row *rows, unsigned int count,
			 struct pgbox_db_failure *failure_r)
{
	/* too large for the data stack, which never shrinks again */
	pool_t pool = pool_alloconly_create("pgbox text store", 16 * 1024);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_array *accounts, *ids;
	struct pgbox_db_result *result;
	unsigned int i;
	int ret;

	accounts = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	for (i = 0; i < count; i++)
		pgbox_db_array_add_int(accounts, rows[i].account_id);
	ids = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	for (i = 0; i < count; i++)
		pgbox_db_array_add_int(ids, rows[i].message_id);
	params_add_texts(params, rows, count);
	pgbox_db_param_int4(params, pgbox_folding_get());
	ret = pgbox_db_exec(db, &pgbox_query_text_store, params, &result,
			    failure_r);
	if (ret == 0)
		pgbox_db_result_free(&result);
	pool_unref(&pool);
	return ret;
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
