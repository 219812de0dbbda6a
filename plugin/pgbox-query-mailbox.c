/* Binds parameters, runs statements and fills rows for pgbox-query-mailbox.h.
   Knows nothing of lib-storage. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-query.h"
#include "pgbox-query-mailbox.h"

/* Columns of the queries mailbox_by_name and mailbox_list */
enum mailbox_column {
	COLUMN_MAILBOX_ID,
	COLUMN_GUID,
	COLUMN_SELECTABLE,
	COLUMN_UID_VALIDITY,
	COLUMN_UID_NEXT,
	COLUMN_MODSEQ,
	COLUMN_MESSAGES,
	COLUMN_UNSEEN,
	COLUMN_BYTES,
	COLUMN_RECENT,
	COLUMN_FIRST_RECENT_UID,
	COLUMN_NAME,
	COLUMN_EPOCH,
	COLUMN_KEYWORDS,
};

static struct pgbox_db_params *params_create(int64_t account_id)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());

	pgbox_db_param_int8(params, account_id);
	return params;
}

static void param_int8_or_null(struct pgbox_db_params *params, uint64_t value)
{
	if (value == 0)
		pgbox_db_param_null(params);
	else
		pgbox_db_param_int8(params, value);
}

/* For statements whose result says nothing */
static int
exec_void(struct pgbox_db *db, const struct pgbox_query *query,
	  const struct pgbox_db_params *params,
	  struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec(db, query, params, &result, failure_r) < 0)
		return -1;
	pgbox_db_result_free(&result);
	return 0;
}

static const char *const *
result_text_column(const struct pgbox_db_result *result, pool_t pool)
{
	unsigned int row, count = pgbox_db_result_rows(result);
	const char **texts = p_new(pool, const char *, count + 1);

	for (row = 0; row < count; row++)
		texts[row] = p_strdup(pool, pgbox_db_result_text(result, row, 0));
	return texts;
}

/*
 * Accounts
 */

int pgbox_run_account_open(struct pgbox_db *db, const char *name,
			     bool create, bool create_inbox,
			     int64_t *account_id_r,
			     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());
	struct pgbox_db_result *result;

	pgbox_db_param_text(params, name);
	pgbox_db_param_bool(params, create);
	pgbox_db_param_bool(params, create_inbox);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_account_open, params,
				     &result, failure_r) < 0)
		return -1;
	*account_id_r = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_purge(struct pgbox_db *db, int64_t account_id,
		      unsigned int retention_secs, unsigned int limit,
		      uint64_t *removed_r, struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, retention_secs);
	pgbox_db_param_int4(params, limit);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_purge, params,
				     &result, failure_r) < 0)
		return -1;
	*removed_r = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

/*
 * Mailboxes
 */

static void
mailbox_row_read(const struct pgbox_db_result *result, unsigned int row,
		 pool_t pool, struct pgbox_mailbox_row *row_r)
{
	const unsigned char *guid;
	size_t size;

	i_zero(row_r);
	row_r->mailbox_id =
		pgbox_db_result_int(result, row, COLUMN_MAILBOX_ID);
	guid = pgbox_db_result_bytes(result, row, COLUMN_GUID, &size);
	i_assert(size == sizeof(row_r->guid));
	memcpy(row_r->guid, guid, sizeof(row_r->guid));
	row_r->selectable =
		pgbox_db_result_bool(result, row, COLUMN_SELECTABLE);
	row_r->uid_validity =
		pgbox_db_result_int(result, row, COLUMN_UID_VALIDITY);
	row_r->uid_next = pgbox_db_result_int(result, row, COLUMN_UID_NEXT);
	row_r->modseq = pgbox_db_result_int(result, row, COLUMN_MODSEQ);
	row_r->messages = pgbox_db_result_int(result, row, COLUMN_MESSAGES);
	row_r->unseen = pgbox_db_result_int(result, row, COLUMN_UNSEEN);
	row_r->bytes = pgbox_db_result_int(result, row, COLUMN_BYTES);
	row_r->recent = pgbox_db_result_int(result, row, COLUMN_RECENT);
	row_r->first_recent_uid =
		pgbox_db_result_int(result, row, COLUMN_FIRST_RECENT_UID);
	row_r->name = p_strdup(pool, pgbox_db_result_text(result, row,
							  COLUMN_NAME));
	row_r->epoch = pgbox_db_result_int(result, row, COLUMN_EPOCH);
	row_r->keywords = pgbox_db_result_int(result, row, COLUMN_KEYWORDS);
}

int pgbox_run_mailbox_by_name(struct pgbox_db *db, int64_t account_id,
				const char *name, pool_t pool,
				struct pgbox_mailbox_row *row_r,
				struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;
	unsigned int count;

	pgbox_db_param_text(params, name);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_mailbox_by_name, params,
				     &result, failure_r) < 0)
		return -1;
	count = pgbox_db_result_rows(result);
	if (count > 0)
		mailbox_row_read(result, 0, pool, row_r);
	pgbox_db_result_free(&result);
	return count > 0 ? 1 : 0;
}

int pgbox_run_mailbox_list(struct pgbox_db *db, int64_t account_id,
			     pool_t pool,
			     ARRAY_TYPE(pgbox_mailbox_row) *rows,
			     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;
	unsigned int row, count;

	if (pgbox_db_exec_repeatable(db, &pgbox_query_mailbox_list, params,
				     &result, failure_r) < 0)
		return -1;
	count = pgbox_db_result_rows(result);
	for (row = 0; row < count; row++) {
		mailbox_row_read(result, row, pool,
				 array_append_space(rows));
	}
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_mailbox_create(struct pgbox_db *db, int64_t account_id,
			       const char *name, const guid_128_t guid,
			       bool selectable, uint32_t uid_validity,
			       uint64_t min_modseq,
			       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);

	pgbox_db_param_text(params, name);
	pgbox_db_param_uuid(params, guid);
	pgbox_db_param_bool(params, selectable);
	param_int8_or_null(params, uid_validity);
	param_int8_or_null(params, min_modseq);
	return exec_void(db, &pgbox_query_mailbox_create, params, failure_r);
}

int pgbox_run_mailbox_delete(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id, const char *name,
			       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);

	pgbox_db_param_int8(params, mailbox_id);
	pgbox_db_param_text(params, name);
	return exec_void(db, &pgbox_query_mailbox_delete, params, failure_r);
}

int pgbox_run_mailbox_rename(struct pgbox_db *db, int64_t account_id,
			       const char *old_name, const char *new_name,
			       bool leave_empty,
			       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);

	pgbox_db_param_text(params, old_name);
	pgbox_db_param_text(params, new_name);
	pgbox_db_param_bool(params, leave_empty);
	return exec_void(db, &pgbox_query_mailbox_rename, params, failure_r);
}

int pgbox_run_mailbox_update(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id,
			       const struct pgbox_mailbox_change *change,
			       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);

	pgbox_db_param_int8(params, mailbox_id);
	param_int8_or_null(params, change->uid_validity);
	param_int8_or_null(params, change->min_uid_next);
	param_int8_or_null(params, change->min_first_recent_uid);
	param_int8_or_null(params, change->min_modseq);
	if (guid_128_is_empty(change->guid))
		pgbox_db_param_null(params);
	else
		pgbox_db_param_uuid(params, change->guid);
	return exec_void(db, &pgbox_query_mailbox_update, params, failure_r);
}

int pgbox_run_mailbox_first_saved(struct pgbox_db *db, int64_t account_id,
				    int64_t mailbox_id, time_t *first_saved_r,
				    struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, mailbox_id);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_mailbox_first_saved, params,
				     &result, failure_r) < 0)
		return -1;
	*first_saved_r = pgbox_db_result_is_null(result, 0, 0) ? (time_t)-1 :
		pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

/*
 * Subscriptions
 */

int pgbox_run_subscription_list(struct pgbox_db *db, int64_t account_id,
				  const char *user_name, pool_t pool,
				  const char *const **names_r,
				  struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;

	pgbox_db_param_text(params, user_name);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_subscription_list, params,
				     &result, failure_r) < 0)
		return -1;
	*names_r = result_text_column(result, pool);
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_subscription_set(struct pgbox_db *db, int64_t account_id,
				 const char *user_name, const char *name,
				 bool subscribe,
				 struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;

	pgbox_db_param_text(params, user_name);
	pgbox_db_param_text(params, name);
	pgbox_db_param_bool(params, subscribe);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_subscription_set, params,
				     &result, failure_r) < 0)
		return -1;
	pgbox_db_result_free(&result);
	return 0;
}

/*
 * Attributes
 */

int pgbox_run_attribute_get(struct pgbox_db *db, int64_t account_id,
			      int64_t mailbox_id, const char *user_name,
			      const char *key, pool_t pool,
			      struct pgbox_attribute_value *value_r,
			      struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;
	const unsigned char *data;
	unsigned char *copy;
	unsigned int count;

	pgbox_db_param_int8(params, mailbox_id);
	pgbox_db_param_text(params, user_name);
	pgbox_db_param_text(params, key);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_attribute_get, params,
				     &result, failure_r) < 0)
		return -1;
	i_zero(value_r);
	count = pgbox_db_result_rows(result);
	if (count > 0) {
		data = pgbox_db_result_bytes(result, 0, 0, &value_r->size);
		copy = p_malloc(pool, value_r->size + 1);
		memcpy(copy, data, value_r->size);
		value_r->data = copy;
		value_r->changed_at = pgbox_db_result_int(result, 0, 1);
	}
	pgbox_db_result_free(&result);
	return count > 0 ? 1 : 0;
}

int pgbox_run_attribute_list(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id, const char *user_name,
			       const char *prefix, pool_t pool,
			       const char *const **keys_r,
			       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, mailbox_id);
	pgbox_db_param_text(params, user_name);
	pgbox_db_param_text(params, prefix);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_attribute_list, params,
				     &result, failure_r) < 0)
		return -1;
	*keys_r = result_text_column(result, pool);
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_attribute_set(struct pgbox_db *db, int64_t account_id,
			    int64_t mailbox_id,
			    const ARRAY_TYPE(pgbox_attribute_change) *changes,
			    struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = params_create(account_id);
	struct pgbox_db_array *users, *keys, *values, *times;
	const struct pgbox_attribute_change *change;
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, mailbox_id);
	users = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	keys = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	values = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BYTEA);
	times = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	array_foreach(changes, change) {
		pgbox_db_array_add_text(users, change->user_name);
		pgbox_db_array_add_text(keys, change->key);
		pgbox_db_array_add_bytes(values, change->value.data,
					 change->value.size);
		if (change->value.changed_at == 0)
			pgbox_db_array_add_null(times);
		else {
			pgbox_db_array_add_int(times,
					       change->value.changed_at);
		}
	}
	if (pgbox_db_exec_repeatable(db, &pgbox_query_attribute_set, params,
				     &result, failure_r) < 0)
		return -1;
	pgbox_db_result_free(&result);
	return 0;
}
