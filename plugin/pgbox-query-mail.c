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
	SYNC_NUMBER_POP3_VALUES,
	SYNC_NUMBER_TAKEN_RECENT_UID,

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
	rows->pop3_values = n[SYNC_NUMBER_POP3_VALUES] != 0;
	rows->taken_recent_uid = n[SYNC_NUMBER_TAKEN_RECENT_UID];

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
		     const struct pgbox_sync_position *position,
		     bool take_recent, pool_t pool,
		     struct pgbox_sync_rows *rows_r,
		     struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params = mailbox_params(id);
	struct pgbox_db_result *result;

	pgbox_db_param_int8(params, position->modseq);
	pgbox_db_param_int8(params, position->uid_next);
	pgbox_db_param_int4(params, position->keywords);
	pgbox_db_param_int8(params, position->epoch);
	pgbox_db_param_bool(params, take_recent);
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

/*
 * Changing
 */

/* columns of mail-change and mail-flags-change */
enum {
	CHANGE_MODSEQ,
	CHANGE_CHANGED,
	CHANGE_CONFLICT_UIDS,
	CHANGE_OLD_MODSEQ,
	CHANGE_UID_VALIDITY,
	CHANGE_UID_NEXT,
	CHANGE_FIRST_RECENT_UID,
	CHANGE_EPOCH,
	CHANGE_KEYWORDS,
	CHANGE_CHANGED_UIDS,
	CHANGE_EXPUNGED_UIDS,
	CHANGE_EXPUNGED_GUIDS,
};

/* The parameters of mail-change while they grow */
struct change_params {
	struct pgbox_db_array *first, *last, *add, *remove, *clear;
	struct pgbox_db_array *keyword_range, *keyword, *keyword_add;
	struct pgbox_db_array *expunge;
};

static unsigned int keyword_count(const struct pgbox_mail_change *change)
{
	return array_is_created(&change->keywords) ?
		array_count(&change->keywords) : 0;
}

/* Returns TRUE if both do the same to their mails, beside expunging them. */
static bool
changes_are_equal(const struct pgbox_mail_change *change1,
		  const struct pgbox_mail_change *change2)
{
	const struct pgbox_keyword_change *keyword1, *keyword2;
	unsigned int i, count = keyword_count(change1);

	if (change1->flags_add != change2->flags_add ||
	    change1->flags_remove != change2->flags_remove ||
	    change1->keywords_clear != change2->keywords_clear ||
	    count != keyword_count(change2))
		return FALSE;
	for (i = 0; i < count; i++) {
		keyword1 = array_idx(&change1->keywords, i);
		keyword2 = array_idx(&change2->keywords, i);
		if (keyword1->add != keyword2->add ||
		    strcmp(keyword1->name, keyword2->name) != 0)
			return FALSE;
	}
	return TRUE;
}

static bool change_is_expunge_only(const struct pgbox_mail_change *change)
{
	return change->flags_add == 0 && change->flags_remove == 0 &&
		!change->keywords_clear && keyword_count(change) == 0;
}

static void
change_add_range(struct change_params *params,
		 const struct pgbox_mail_change *first,
		 const struct pgbox_mail_change *last)
{
	const struct pgbox_keyword_change *keyword;

	pgbox_db_array_add_int(params->first, first->uid);
	pgbox_db_array_add_int(params->last, last->uid);
	pgbox_db_array_add_int(params->add, first->flags_add);
	pgbox_db_array_add_int(params->remove, first->flags_remove);
	pgbox_db_array_add_bool(params->clear, first->keywords_clear);
	if (!array_is_created(&first->keywords))
		return;
	array_foreach(&first->keywords, keyword) {
		pgbox_db_array_add_int(params->keyword_range,
				       pgbox_db_array_count(params->first));
		pgbox_db_array_add_text(params->keyword, keyword->name);
		pgbox_db_array_add_bool(params->keyword_add, keyword->add);
	}
}

/* Neighbours that get the same become one range. */
static void
change_add_all(struct change_params *params,
	       const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	const struct pgbox_mail_change *change, *first = NULL, *last = NULL;

	array_foreach(changes, change) {
		if (change->expunge)
			pgbox_db_array_add_int(params->expunge, change->uid);
		if (first != NULL && change->adjoins &&
		    last == change - 1 && changes_are_equal(last, change)) {
			last = change;
			continue;
		}
		if (first != NULL)
			change_add_range(params, first, last);
		first = last = change_is_expunge_only(change) ? NULL : change;
	}
	if (first != NULL)
		change_add_range(params, first, last);
}

static void
change_params_add(struct pgbox_db_params *params,
		  const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	struct change_params arrays;

	/* in the order of the statement's parameters */
	arrays.first = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	arrays.last = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	arrays.add = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT2);
	arrays.remove = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT2);
	arrays.clear = pgbox_db_param_array(params, PGBOX_DB_ARRAY_BOOL);
	arrays.keyword_range =
		pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT4);
	arrays.keyword = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	arrays.keyword_add =
		pgbox_db_param_array(params, PGBOX_DB_ARRAY_BOOL);
	arrays.expunge = pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	change_add_all(&arrays, changes);
}

static void
change_read_uids(const struct pgbox_db_result *result,
		 struct pgbox_change_result *result_r)
{
	ARRAY_TYPE(pgbox_int64) numbers;
	const int64_t *n;
	unsigned int i, count;

	t_array_init(&numbers, 8);
	pgbox_db_result_int_array(result, 0, CHANGE_CHANGED_UIDS, &numbers);
	t_array_init(&result_r->changed_uids, 4);
	n = array_get(&numbers, &count);
	for (i = 0; i + 1 < count; i += 2) {
		seq_range_array_add_range(&result_r->changed_uids,
					  n[i], n[i + 1]);
	}
}

static int
tombstone_uid_cmp(const struct pgbox_sync_tombstone *tombstone1,
		  const struct pgbox_sync_tombstone *tombstone2)
{
	return tombstone1->uid < tombstone2->uid ? -1 : 1;
}

static void
change_read_expunged(const struct pgbox_db_result *result,
		     struct pgbox_change_result *result_r)
{
	struct pgbox_sync_tombstone *tombstone;
	ARRAY_TYPE(pgbox_int64) uids;
	const char *const *guids;
	int64_t uid;

	t_array_init(&uids, 8);
	pgbox_db_result_int_array(result, 0, CHANGE_EXPUNGED_UIDS, &uids);
	guids = pgbox_db_result_text_array(result, 0, CHANGE_EXPUNGED_GUIDS);
	t_array_init(&result_r->expunged, array_count(&uids) + 1);
	array_foreach_elem(&uids, uid) {
		if (*guids == NULL)
			break;
		tombstone = array_append_space(&result_r->expunged);
		tombstone->uid = uid;
		tombstone->modseq = result_r->modseq;
		tombstone->guid = t_strdup(*guids++);
	}
	array_sort(&result_r->expunged, tombstone_uid_cmp);
}

static void
change_read(const struct pgbox_db_result *result,
	    struct pgbox_change_result *result_r)
{
	result_r->known = TRUE;
	result_r->modseq = pgbox_db_result_int(result, 0, CHANGE_MODSEQ);
	result_r->changed = pgbox_db_result_bool(result, 0, CHANGE_CHANGED);
	t_array_init(&result_r->conflict_uids, 8);
	pgbox_db_result_int_array(result, 0, CHANGE_CONFLICT_UIDS,
				  &result_r->conflict_uids);
	result_r->old_modseq =
		pgbox_db_result_int(result, 0, CHANGE_OLD_MODSEQ);
	result_r->uid_validity =
		pgbox_db_result_int(result, 0, CHANGE_UID_VALIDITY);
	result_r->uid_next = pgbox_db_result_int(result, 0, CHANGE_UID_NEXT);
	result_r->first_recent_uid =
		pgbox_db_result_int(result, 0, CHANGE_FIRST_RECENT_UID);
	result_r->epoch = pgbox_db_result_int(result, 0, CHANGE_EPOCH);
	result_r->keywords = pgbox_db_result_int(result, 0, CHANGE_KEYWORDS);
	change_read_uids(result, result_r);
	change_read_expunged(result, result_r);
}

/* The everyday click, which has a shorter statement. */
static bool
changes_are_flags_of_one_mail(const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	const struct pgbox_mail_change *change = array_front(changes);

	return array_count(changes) == 1 && !change->expunge &&
		!change->keywords_clear && keyword_count(change) == 0;
}

static void
param_modseq_or_null(struct pgbox_db_params *params, uint64_t modseq)
{
	if (modseq == 0)
		pgbox_db_param_null(params);
	else
		pgbox_db_param_int8(params, I_MIN(modseq, INT64_MAX));
}

int pgbox_run_change(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		       const struct pgbox_change_condition *condition,
		       const ARRAY_TYPE(pgbox_mail_change) *changes,
		       int64_t operation, struct pgbox_change_result *result_r,
		       struct pgbox_db_failure *failure_r)
{
	const struct pgbox_query *query = &pgbox_query_mail_change;
	const struct pgbox_mail_change *change = array_front(changes);
	struct pgbox_db_params *params = mailbox_params(id);
	struct pgbox_db_result *result;

	param_modseq_or_null(params, condition->max_modseq);
	if (changes_are_flags_of_one_mail(changes)) {
		query = &pgbox_query_mail_flags_change;
		pgbox_db_param_int8(params, change->uid);
		pgbox_db_param_int2(params, change->flags_add);
		pgbox_db_param_int2(params, change->flags_remove);
	} else {
		change_params_add(params, changes);
		pgbox_db_param_int2(params, condition->expunge_flags);
		param_modseq_or_null(params, condition->expunge_max_modseq);
	}
	pgbox_db_param_int8(params, operation);
	if (pgbox_db_exec(db, query, params, &result, failure_r) < 0)
		return -1;
	change_read(result, result_r);
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
