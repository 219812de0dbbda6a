/* Runs statements and fills rows for pgbox-query-mailbox.h.
   Knows nothing of lib-storage. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-query.h"
#include "pgbox-query-mailbox.h"

/*
 * Accounts
 */

int pgbox_run_account_open(struct pgbox_db *db, const char *name,
			     bool create, bool create_inbox, bool public,
			     int64_t *account_id_r,
			     struct pgbox_db_failure *failure_r)
{
	const struct pgbox_account_open_params values = {
		.name = name,
		.create = create,
		.inbox = create_inbox,
		.public = public,
	};
	struct pgbox_account_open_columns columns;
	struct pgbox_db_result *result;

	if (pgbox_exec_account_open(db, &values, &result, failure_r) < 0)
		return -1;
	pgbox_read_account_open(result, 0, &columns);
	*account_id_r = columns.account_id;
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_purge(struct pgbox_db *db, int64_t account_id,
		      unsigned int retention_secs, unsigned int limit,
		      uint64_t *removed_r, struct pgbox_db_failure *failure_r)
{
	const struct pgbox_purge_params values = {
		.account_id = account_id,
		.retention = retention_secs,
		.max_messages = limit,
	};
	struct pgbox_purge_columns columns;
	struct pgbox_db_result *result;

	if (pgbox_exec_purge(db, &values, &result, failure_r) < 0)
		return -1;
	pgbox_read_purge(result, 0, &columns);
	*removed_r = columns.removed;
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
	struct pgbox_mailbox_list_columns columns;

	pgbox_read_mailbox_list(result, row, &columns);
	i_zero(row_r);
	row_r->mailbox_id = columns.mailbox_id;
	memcpy(row_r->guid, columns.guid, sizeof(row_r->guid));
	row_r->selectable = columns.selectable;
	row_r->uid_validity = columns.uid_validity;
	row_r->uid_next = columns.uid_next;
	row_r->modseq = columns.modseq;
	row_r->messages = columns.messages;
	row_r->unseen = columns.unseen;
	row_r->bytes = columns.bytes;
	row_r->recent = columns.recent;
	row_r->first_recent_uid = columns.first_recent_uid;
	row_r->name = p_strdup(pool, columns.name);
	row_r->epoch = columns.epoch;
	row_r->keywords = columns.keywords;
}

int pgbox_run_mailbox_by_name(struct pgbox_db *db, int64_t account_id,
				const char *name, pool_t pool,
				struct pgbox_mailbox_row *row_r,
				struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_by_name_params values = {
		.account_id = account_id,
		.name = name,
	};
	struct pgbox_db_result *result;
	unsigned int count;

	if (pgbox_exec_mailbox_by_name(db, &values, &result, failure_r) < 0)
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
	const struct pgbox_mailbox_list_params values = {
		.account_id = account_id,
	};
	struct pgbox_db_result *result;
	unsigned int row, count;

	if (pgbox_exec_mailbox_list(db, &values, &result, failure_r) < 0)
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
	const struct pgbox_mailbox_create_params values = {
		.account_id = account_id,
		.name = name,
		.guid = guid,
		.selectable = selectable,
		.uid_validity = uid_validity,
		.min_modseq = min_modseq,
	};

	return pgbox_exec_mailbox_create(db, &values, NULL, failure_r);
}

int pgbox_run_mailbox_delete(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id, const char *name,
			       struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_delete_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
		.name = name,
	};

	return pgbox_exec_mailbox_delete(db, &values, NULL, failure_r);
}

int pgbox_run_mailbox_rename(struct pgbox_db *db, int64_t account_id,
			       const char *old_name, const char *new_name,
			       bool leave_empty,
			       struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_rename_params values = {
		.account_id = account_id,
		.old_name = old_name,
		.new_name = new_name,
		.leave_empty = leave_empty,
	};

	return pgbox_exec_mailbox_rename(db, &values, NULL, failure_r);
}

int pgbox_run_mailbox_update(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id,
			       const struct pgbox_mailbox_change *change,
			       struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_update_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
		.uid_validity = change->uid_validity,
		.min_uid_next = change->min_uid_next,
		.min_first_recent_uid = change->min_first_recent_uid,
		.min_modseq = change->min_modseq,
		.guid = guid_128_is_empty(change->guid) ? NULL : change->guid,
	};

	return pgbox_exec_mailbox_update(db, &values, NULL, failure_r);
}

int pgbox_run_mailbox_first_saved(struct pgbox_db *db, int64_t account_id,
				    int64_t mailbox_id, time_t *first_saved_r,
				    struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_first_saved_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
	};
	struct pgbox_mailbox_first_saved_columns columns;
	struct pgbox_db_result *result;

	if (pgbox_exec_mailbox_first_saved(db, &values, &result, failure_r) < 0)
		return -1;
	pgbox_read_mailbox_first_saved(result, 0, &columns);
	*first_saved_r = columns.has_saved_at ? columns.saved_at : (time_t)-1;
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
	const struct pgbox_subscription_list_params values = {
		.account_id = account_id,
		.user_name = user_name,
	};
	struct pgbox_subscription_list_columns columns;
	struct pgbox_db_result *result;
	const char **names;
	unsigned int row, count;

	if (pgbox_exec_subscription_list(db, &values, &result, failure_r) < 0)
		return -1;
	count = pgbox_db_result_rows(result);
	names = p_new(pool, const char *, count + 1);
	for (row = 0; row < count; row++) {
		pgbox_read_subscription_list(result, row, &columns);
		names[row] = p_strdup(pool, columns.name);
	}
	*names_r = names;
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_subscription_set(struct pgbox_db *db, int64_t account_id,
				 const char *user_name, const char *name,
				 bool subscribe,
				 struct pgbox_db_failure *failure_r)
{
	const struct pgbox_subscription_set_params values = {
		.account_id = account_id,
		.user_name = user_name,
		.name = name,
		.subscribe = subscribe,
	};

	return pgbox_exec_subscription_set(db, &values, NULL, failure_r);
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
	const struct pgbox_attribute_get_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
		.user_name = user_name,
		.key = key,
	};
	struct pgbox_attribute_get_columns columns;
	struct pgbox_db_result *result;
	unsigned char *copy;
	unsigned int count;

	if (pgbox_exec_attribute_get(db, &values, &result, failure_r) < 0)
		return -1;
	i_zero(value_r);
	count = pgbox_db_result_rows(result);
	if (count > 0) {
		pgbox_read_attribute_get(result, 0, &columns);
		copy = p_malloc(pool, columns.value.size + 1);
		memcpy(copy, columns.value.data, columns.value.size);
		value_r->data = copy;
		value_r->size = columns.value.size;
		value_r->changed_at = columns.changed_at;
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
	const struct pgbox_attribute_list_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
		.user_name = user_name,
		.prefix = prefix,
	};
	struct pgbox_attribute_list_columns columns;
	struct pgbox_db_result *result;
	const char **keys;
	unsigned int row, count;

	if (pgbox_exec_attribute_list(db, &values, &result, failure_r) < 0)
		return -1;
	count = pgbox_db_result_rows(result);
	keys = p_new(pool, const char *, count + 1);
	for (row = 0; row < count; row++) {
		pgbox_read_attribute_list(result, row, &columns);
		keys[row] = p_strdup(pool, columns.key);
	}
	*keys_r = keys;
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_attribute_set(struct pgbox_db *db, int64_t account_id,
			    int64_t mailbox_id,
			    const ARRAY_TYPE(pgbox_attribute_change) *changes,
			    struct pgbox_db_failure *failure_r)
{
	struct pgbox_attribute_set_params values = {
		.account_id = account_id,
		.mailbox_id = mailbox_id,
	};
	ARRAY(struct pgbox_attribute_set_change) rows;
	const struct pgbox_attribute_change *change;
	struct pgbox_attribute_set_change *row;

	t_array_init(&rows, array_count(changes));
	array_foreach(changes, change) {
		row = array_append_space(&rows);
		row->user_name = change->user_name;
		row->key = change->key;
		row->value.data = change->value.data;
		row->value.size = change->value.size;
		row->changed_at = change->value.changed_at;
	}
	values.changes = array_get(&rows, &values.change_count);
	return pgbox_exec_attribute_set(db, &values, NULL, failure_r);
}
