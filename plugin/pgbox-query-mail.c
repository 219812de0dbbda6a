/* Typed rows for reading what changed in a mailbox and for changing its
   mails. Knows the columns of sql/queries/, nothing of lib-storage or libpq. */

#include "lib.h"
#include "array.h"
#include "pgbox-query.h"
#include "pgbox-query-mail.h"

/* columns of mailbox-sync */
enum {
	SYNC_KIND,
	SYNC_UID,
	SYNC_MODSEQ,
	SYNC_FLAGS,
	SYNC_KEYWORD_IDS,
	SYNC_GUID,
	SYNC_NUMBERS,
	SYNC_KEYWORD_NAMES,
};
/* values of SYNC_KIND */
enum {
	SYNC_KIND_MAILBOX,
	SYNC_KIND_MAIL,
	SYNC_KIND_TOMBSTONE,
};
/* elements of SYNC_NUMBERS */
enum {
	SYNC_NUMBER_UID_VALIDITY,
	SYNC_NUMBER_UID_NEXT,
	SYNC_NUMBER_MODSEQ,
	SYNC_NUMBER_FIRST_RECENT_UID,
	SYNC_NUMBER_EPOCH,
	SYNC_NUMBER_FULL,
	SYNC_NUMBER_TOMBSTONES_AFTER,

	SYNC_NUMBER_COUNT
};
#define SYNC_EPOCH_PENDING -1

static struct pgbox_db_params *
mailbox_params(const struct pgbox_mailbox_id *id)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());

	pgbox_db_param_int8(params, id->account_id);
	pgbox_db_param_int8(params, id->mailbox_id);
	return params;
}

static void
sync_read_mailbox(const struct pgbox_db_result *result, pool_t pool,
		  struct pgbox_sync_rows *rows)
{
	ARRAY_TYPE(pgbox_int64) numbers;
	const int64_t *n;
	const char *const *names;

	t_array_init(&numbers, SYNC_NUMBER_COUNT);
	pgbox_db_result_int_array(result, 0, SYNC_NUMBERS, &numbers);
	i_assert(array_count(&numbers) == SYNC_NUMBER_COUNT);
	n = array_front(&numbers);

	rows->exists = TRUE;
	rows->epoch_pending = n[SYNC_NUMBER_EPOCH] == SYNC_EPOCH_PENDING;
	rows->full = n[SYNC_NUMBER_FULL] != 0;
	rows->epoch = n[SYNC_NUMBER_EPOCH];
	rows->uid_validity = n[SYNC_NUMBER_UID_VALIDITY];
	rows->uid_next = n[SYNC_NUMBER_UID_NEXT];
	rows->first_recent_uid = n[SYNC_NUMBER_FIRST_RECENT_UID];
	rows->modseq = n[SYNC_NUMBER_MODSEQ];
	rows->tombstones_after = n[SYNC_NUMBER_TOMBSTONES_AFTER];

	names = pgbox_db_result_text_array(result, 0, SYNC_KEYWORD_NAMES);
	for (; *names != NULL; names++) {
		const char *name = p_strdup(pool, *names);
		array_push_back(&rows->new_keywords, &name);
	}
}

static void
sync_read_mail(const struct pgbox_db_result *result, unsigned int row,
	       struct pgbox_sync_rows *rows)
{
	struct pgbox_sync_mail *mail = array_append_space(&rows->mails);

	mail->uid = pgbox_db_result_int(result, row, SYNC_UID);
	mail->modseq = pgbox_db_result_int(result, row, SYNC_MODSEQ);
	mail->flags = pgbox_db_result_int(result, row, SYNC_FLAGS);
	mail->keyword_idx = array_count(&rows->keyword_ids);
	if (!pgbox_db_result_is_null(result, row, SYNC_KEYWORD_IDS)) {
		pgbox_db_result_int_array(result, row, SYNC_KEYWORD_IDS,
					  &rows->keyword_ids);
	}
	mail->keyword_count =
		array_count(&rows->keyword_ids) - mail->keyword_idx;
}

static void
sync_read_tombstone(const struct pgbox_db_result *result, unsigned int row,
		    pool_t pool, struct pgbox_sync_rows *rows)
{
	struct pgbox_sync_tombstone *tombstone =
		array_append_space(&rows->tombstones);

	tombstone->uid = pgbox_db_result_int(result, row, SYNC_UID);
	tombstone->modseq = pgbox_db_result_int(result, row, SYNC_MODSEQ);
	tombstone->guid = p_strdup(pool,
				   pgbox_db_result_text(result, row, SYNC_GUID));
}

static void
sync_read(const struct pgbox_db_result *result, pool_t pool,
	  struct pgbox_sync_rows *rows_r)
{
	unsigned int row, count = pgbox_db_result_rows(result);

	i_zero(rows_r);
	if (count == 0)
		return;
	p_array_init(&rows_r->new_keywords, pool, 4);
	p_array_init(&rows_r->mails, pool, count);
	p_array_init(&rows_r->keyword_ids, pool, 16);
	p_array_init(&rows_r->tombstones, pool, 16);
	T_BEGIN {
		sync_read_mailbox(result, pool, rows_r);
	} T_END;
	for (row = 1; row < count; row++) T_BEGIN {
		if (pgbox_db_result_int(result, row, SYNC_KIND) ==
		    SYNC_KIND_MAIL)
			sync_read_mail(result, row, rows_r);
		else
			sync_read_tombstone(result, row, pool, rows_r);
	} T_END;
}

int pgbox_run_sync(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const struct pgbox_sync_position *position, pool_t pool,
		     struct pgbox_sync_rows *rows_r,
		     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = mailbox_params(id);
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, position->modseq);
	pgbox_db_param_int8(params, position->uid_next);
	pgbox_db_param_int4(params, position->keywords);
	pgbox_db_param_int8(params, position->epoch);
	if (pgbox_db_exec_repeatable(db, &pgbox_query_mailbox_sync, params,
				     &result, failure_r) < 0)
		return -1;
	sync_read(result, pool, rows_r);
	pgbox_db_result_free(&result);
	return 0;
}

static int
mailbox_run(struct pgbox_db *db, const struct pgbox_query *query,
	    const struct pgbox_mailbox_id *id,
	    struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;

	if (pgbox_db_exec_repeatable(db, query, mailbox_params(id), &result,
				     failure_r) < 0)
		return -1;
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_restart(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		      struct pgbox_db_failure *failure_r)
{
	return mailbox_run(db, &pgbox_query_mailbox_restart, id, failure_r);
}

int pgbox_run_enter_epoch(struct pgbox_db *db,
			  const struct pgbox_mailbox_id *id,
			  struct pgbox_db_failure *failure_r)
{
	return mailbox_run(db, &pgbox_query_mailbox_enter_epoch, id,
			   failure_r);
}

int pgbox_run_claim_recent(struct pgbox_db *db,
			     const struct pgbox_mailbox_id *id,
			     uint32_t uid_next, uint32_t *first_uid_r,
			     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = mailbox_params(id);
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, uid_next);
	if (pgbox_db_exec(db, &pgbox_query_mailbox_claim_recent, params,
			  &result, failure_r) < 0)
		return -1;
	*first_uid_r = pgbox_db_result_int(result, 0, 0);
	pgbox_db_result_free(&result);
	return 0;
}

static void
change_add_flags(struct pgbox_db_params *params,
		 const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	struct pgbox_db_array *uids, *add, *remove;
	const struct pgbox_mail_change *change;

	uids = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	add = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT2);
	remove = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT2);
	array_foreach(changes, change) {
		if (change->flags_add == 0 && change->flags_remove == 0)
			continue;
		pgbox_db_array_add_int(uids, change->uid);
		pgbox_db_array_add_int(add, change->flags_add);
		pgbox_db_array_add_int(remove, change->flags_remove);
	}
}

static void
change_add_keywords(struct pgbox_db_params *params,
		    const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	struct pgbox_db_array *clear, *uids, *names, *add;
	const struct pgbox_mail_change *change;
	const struct pgbox_keyword_change *keyword;

	clear = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	uids = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	names = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	add = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BOOL);
	array_foreach(changes, change) {
		if (change->keywords_clear)
			pgbox_db_array_add_int(clear, change->uid);
		if (!array_is_created(&change->keywords))
			continue;
		array_foreach(&change->keywords, keyword) {
			pgbox_db_array_add_int(uids, change->uid);
			pgbox_db_array_add_text(names, keyword->name);
			pgbox_db_array_add_bool(add, keyword->add);
		}
	}
}

static void
change_add_expunges(struct pgbox_db_params *params,
		    const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	struct pgbox_db_array *uids;
	const struct pgbox_mail_change *change;

	uids = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	array_foreach(changes, change) {
		if (change->expunge)
			pgbox_db_array_add_int(uids, change->uid);
	}
}

int pgbox_run_change(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		       uint64_t max_modseq,
		       const ARRAY_TYPE(pgbox_mail_change) *changes,
		       int64_t operation, struct pgbox_change_result *result_r,
		       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = mailbox_params(id);
	struct pgbox_db_result *result;

	if (max_modseq == 0)
		pgbox_db_param_null(params);
	else
		pgbox_db_param_int8(params, I_MIN(max_modseq, INT64_MAX));
	change_add_flags(params, changes);
	change_add_keywords(params, changes);
	change_add_expunges(params, changes);
	pgbox_db_param_int8(params, operation);
	if (pgbox_db_exec(db, &pgbox_query_mail_change, params, &result,
			  failure_r) < 0)
		return -1;
	result_r->modseq = pgbox_db_result_int(result, 0, 0);
	result_r->changed = pgbox_db_result_bool(result, 0, 1);
	t_array_init(&result_r->conflict_uids, 8);
	pgbox_db_result_int_array(result, 0, 2, &result_r->conflict_uids);
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_operation_done(struct pgbox_db *db,
			       const struct pgbox_mailbox_id *id,
			       const struct pgbox_operation *operation,
			       bool *done_r, struct pgbox_add_result *result_r,
			       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = mailbox_params(id);
	struct pgbox_db_array *guids;
	struct pgbox_db_result *result;
	const char *const *guid;

	pgbox_db_param_int8(params, operation->min_uid);
	pgbox_db_param_int8(params, operation->min_modseq);
	pgbox_db_param_int8(params, operation->operation);
	guids = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	if (operation->guids != NULL) {
		for (guid = operation->guids; *guid != NULL; guid++)
			pgbox_db_array_add_text(guids, *guid);
	}
	if (pgbox_db_exec(db, &pgbox_query_operation_done, params, &result,
			  failure_r) < 0)
		return -1;
	*done_r = pgbox_db_result_bool(result, 0, 0);
	result_r->uid_validity = pgbox_db_result_int(result, 0, 1);
	t_array_init(&result_r->uids, 8);
	if (!pgbox_db_result_is_null(result, 0, 2))
		pgbox_db_result_int_array(result, 0, 2, &result_r->uids);
	pgbox_db_result_free(&result);
	return 0;
}
