/* Typed rows for reading what changed in a mailbox and for changing its
   mails. Knows the columns of sql/queries/, nothing of lib-storage or libpq. */

#include "lib.h"
#include "array.h"
#include "pgbox-query.h"
#include "pgbox-query-mail.h"

/* kinds of rows of mailbox-sync */
enum {
	SYNC_KIND_MAILBOX,
	SYNC_KIND_MAIL,
	SYNC_KIND_TOMBSTONE,
};
/* its numbers */
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

/* RFC 7162, 3.1: 63 bits. Half of them are for what an epoch may leap over. */
#define SYNC_MAX_MODSEQ (INT64_C(1) << 62)
/* the flags of RFC 3501 */
#define SYNC_FLAGS 0x1f

static void ATTR_FORMAT(3, 4)
sync_add_damage(struct pgbox_sync_rows *rows, pool_t pool,
		const char *format, ...)
{
	va_list args;

	if (rows->damaged++ > 0)
		return;
	va_start(args, format);
	rows->damage = p_strdup_vprintf(pool, format, args);
	va_end(args);
}

/* Names that IMAP can't say would end sessions. Their places count. */
static void
sync_read_keyword_names(const char *const *names, pool_t pool,
			unsigned int known, struct pgbox_sync_rows *rows)
{
	for (; *names != NULL; names++) {
		const char *p, *name = p_strdup(pool, *names);

		for (p = name; (unsigned char)*p > ' ' && *p != 0x7f; p++) ;
		if (*name == '\0' || *p != '\0') {
			unsigned int id = known + 1 +
				array_count(&rows->new_keywords);

			sync_add_damage(rows, pool, "keyword %u has the name "
					"\"%s\"", id, name);
			name = p_strdup_printf(pool, "keyword-%u", id);
		}
		array_push_back(&rows->new_keywords, &name);
	}
}

/* Returns FALSE if it makes no sense. */
static bool
sync_read_mailbox(const struct pgbox_mailbox_sync_columns *row, pool_t pool,
		  unsigned int known_keywords, struct pgbox_sync_rows *rows)
{
	const int64_t *n = row->numbers.values;

	i_assert(row->numbers.count == SYNC_NUMBER_COUNT);

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

	if (n[SYNC_NUMBER_TOMBSTONES_AFTER] < 0 ||
	    rows->tombstones_after > rows->modseq ||
	    n[SYNC_NUMBER_FIRST_RECENT_UID] < 0 ||
	    n[SYNC_NUMBER_FIRST_RECENT_UID] > n[SYNC_NUMBER_UID_NEXT]) {
		sync_add_damage(rows, pool, "tombstones after MODSEQ %lld, first "
			"\\Recent UID %lld",
			(long long)n[SYNC_NUMBER_TOMBSTONES_AFTER],
			(long long)n[SYNC_NUMBER_FIRST_RECENT_UID]);
		rows->tombstones_after = rows->modseq;
		rows->first_recent_uid = rows->uid_next;
	}
	sync_read_keyword_names(row->keyword_names, pool, known_keywords, rows);
	return rows->epoch_pending ||
		(n[SYNC_NUMBER_UID_VALIDITY] > 0 &&
		 n[SYNC_NUMBER_UID_VALIDITY] <= UINT32_MAX &&
		 n[SYNC_NUMBER_UID_NEXT] > 0 &&
		 n[SYNC_NUMBER_UID_NEXT] <= UINT32_MAX &&
		 n[SYNC_NUMBER_MODSEQ] > 0 &&
		 n[SYNC_NUMBER_MODSEQ] <= SYNC_MAX_MODSEQ);
}

/* Returns the MODSEQ, or the mailbox's if it can't be. */
static uint64_t
sync_read_modseq(const struct pgbox_mailbox_sync_columns *row, pool_t pool,
		 struct pgbox_sync_rows *rows)
{
	if (row->modseq > 0 && (uint64_t)row->modseq <= rows->modseq)
		return row->modseq;
	sync_add_damage(rows, pool, "UID %lld has MODSEQ %lld",
			(long long)row->uid, (long long)row->modseq);
	return rows->modseq;
}

static void
sync_read_mail(const struct pgbox_mailbox_sync_columns *row, pool_t pool,
	       struct pgbox_sync_rows *rows)
{
	const struct pgbox_sync_mail *last =
		array_count(&rows->mails) == 0 ? NULL :
		array_back(&rows->mails);
	struct pgbox_sync_mail *mail;
	unsigned int i;

	if (row->uid <= (last == NULL ? 0 : (int64_t)last->uid) ||
	    row->uid >= rows->uid_next) {
		sync_add_damage(rows, pool, "a mail has UID %lld, with UIDNEXT %u",
				(long long)row->uid, rows->uid_next);
		return;
	}
	mail = array_append_space(&rows->mails);
	mail->uid = row->uid;
	mail->modseq = sync_read_modseq(row, pool, rows);
	mail->flags = row->flags & SYNC_FLAGS;
	if (mail->flags != row->flags) {
		sync_add_damage(rows, pool, "UID %u has flags %lld", mail->uid,
				(long long)row->flags);
	}
	mail->keyword_idx = array_count(&rows->keyword_ids);
	for (i = 0; i < row->keyword_ids.count; i++) {
		if (row->keyword_ids.values[i] > 0) {
			array_push_back(&rows->keyword_ids,
					&row->keyword_ids.values[i]);
			mail->keyword_count++;
		} else {
			sync_add_damage(rows, pool, "UID %u has keyword %lld",
					mail->uid, (long long)
					row->keyword_ids.values[i]);
		}
	}
}

static void
sync_read_tombstone(const struct pgbox_mailbox_sync_columns *row, pool_t pool,
		    struct pgbox_sync_rows *rows)
{
	struct pgbox_sync_tombstone *tombstone;

	if (row->uid <= 0 || row->uid >= rows->uid_next) {
		sync_add_damage(rows, pool, "a tombstone has UID %lld, with "
				"UIDNEXT %u", (long long)row->uid,
				rows->uid_next);
		return;
	}
	tombstone = array_append_space(&rows->tombstones);
	tombstone->uid = row->uid;
	/* those of before are all told with that MODSEQ */
	tombstone->modseq = I_MAX(sync_read_modseq(row, pool, rows),
				  rows->full ? rows->tombstones_after : 0);
	tombstone->guid = row->guid == NULL ? "" : p_strdup(pool, row->guid);
}

/* Returns -1 if the mailbox itself makes no sense. */
static int
sync_read(const struct pgbox_db_result *result, pool_t pool,
	  unsigned int known_keywords, struct pgbox_sync_rows *rows_r)
{
	struct pgbox_mailbox_sync_columns columns;
	unsigned int row, count = pgbox_db_result_rows(result);
	bool sound = TRUE;

	i_zero(rows_r);
	if (count == 0)
		return 0;
	p_array_init(&rows_r->new_keywords, pool, 4);
	p_array_init(&rows_r->mails, pool, count);
	p_array_init(&rows_r->keyword_ids, pool, 16);
	p_array_init(&rows_r->tombstones, pool, 16);
	for (row = 0; row < count && sound; row++) T_BEGIN {
		pgbox_read_mailbox_sync(result, row, &columns);
		if (row == 0) {
			sound = sync_read_mailbox(&columns, pool,
						  known_keywords, rows_r);
		} else if (columns.kind == SYNC_KIND_MAIL) {
			sync_read_mail(&columns, pool, rows_r);
		} else {
			sync_read_tombstone(&columns, pool, rows_r);
		}
	} T_END;
	return sound ? 0 : -1;
}

int pgbox_run_sync(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const struct pgbox_sync_position *position,
		     bool take_recent, pool_t pool,
		     struct pgbox_sync_rows *rows_r,
		     struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_sync_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.modseq = position->modseq,
		.uid_next = position->uid_next,
		.keywords = position->keywords,
		.epoch = position->epoch,
		.take_recent = take_recent,
	};
	struct pgbox_db_result *result;
	int ret;

	if (pgbox_exec_mailbox_sync(db, &values, &result, failure_r) < 0)
		return -1;
	ret = sync_read(result, pool, position->keywords, rows_r);
	pgbox_db_result_free(&result);
	if (ret < 0) {
		i_zero(failure_r);
		failure_r->error = PGBOX_DB_ERROR_INTERNAL;
		failure_r->message = t_strdup_printf(
			"The mailbox's row makes no sense (UIDVALIDITY %u, "
			"UIDNEXT %u, HIGHESTMODSEQ %lld): \"pgbox-schema verify "
			"--repair\" mends it", rows_r->uid_validity,
			rows_r->uid_next, (long long)rows_r->modseq);
	}
	return ret;
}

int pgbox_run_restart(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		      struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_restart_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
	};

	return pgbox_exec_mailbox_restart(db, &values, NULL, failure_r);
}

int pgbox_run_repair(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     pool_t pool, ARRAY_TYPE(const_string) *problems_r,
		     struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_repair_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
	};
	struct pgbox_mailbox_repair_columns columns;
	struct pgbox_db_result *result;
	unsigned int row;

	if (pgbox_exec_mailbox_repair(db, &values, &result, failure_r) < 0)
		return -1;
	p_array_init(problems_r, pool, 4);
	for (row = 0; row < pgbox_db_result_rows(result); row++) {
		const char *problem;

		pgbox_read_mailbox_repair(result, row, &columns);
		problem = p_strdup(pool, columns.problem);
		array_push_back(problems_r, &problem);
	}
	pgbox_db_result_free(&result);
	return 0;
}

int pgbox_run_enter_epoch(struct pgbox_db *db,
			  const struct pgbox_mailbox_id *id,
			  struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mailbox_enter_epoch_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
	};

	return pgbox_exec_mailbox_enter_epoch(db, &values, NULL, failure_r);
}

/*
 * Changing
 */

/* The arrays of mail-change while they grow */
struct change_arrays {
	ARRAY(struct pgbox_mail_change_range) ranges;
	ARRAY(struct pgbox_mail_change_keyword) keywords;
	ARRAY_TYPE(pgbox_int64) expunge_uids;
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
change_add_range(struct change_arrays *arrays,
		 const struct pgbox_mail_change *first,
		 const struct pgbox_mail_change *last)
{
	struct pgbox_mail_change_range *range =
		array_append_space(&arrays->ranges);
	const struct pgbox_keyword_change *keyword;
	struct pgbox_mail_change_keyword *row;

	range->first = first->uid;
	range->last = last->uid;
	range->flag_add = first->flags_add;
	range->flag_remove = first->flags_remove;
	range->keyword_clear = first->keywords_clear;
	if (!array_is_created(&first->keywords))
		return;
	array_foreach(&first->keywords, keyword) {
		row = array_append_space(&arrays->keywords);
		row->keyword_range = array_count(&arrays->ranges);
		row->keyword = keyword->name;
		row->keyword_add = keyword->add;
	}
}

/* Neighbours that get the same become one range. */
static void
change_add_all(struct change_arrays *arrays,
	       const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	const struct pgbox_mail_change *change, *first = NULL, *last = NULL;
	int64_t uid;

	array_foreach(changes, change) {
		if (change->expunge) {
			uid = change->uid;
			array_push_back(&arrays->expunge_uids, &uid);
		}
		if (first != NULL && change->adjoins &&
		    last == change - 1 && changes_are_equal(last, change)) {
			last = change;
			continue;
		}
		if (first != NULL)
			change_add_range(arrays, first, last);
		first = last = change_is_expunge_only(change) ? NULL : change;
	}
	if (first != NULL)
		change_add_range(arrays, first, last);
}

static void
change_read_uids(const struct pgbox_query_ints *uids,
		 struct pgbox_change_result *result_r)
{
	unsigned int i;

	t_array_init(&result_r->changed_uids, 4);
	for (i = 0; i + 1 < uids->count; i += 2) {
		seq_range_array_add_range(&result_r->changed_uids,
					  uids->values[i], uids->values[i + 1]);
	}
}

static int
tombstone_uid_cmp(const struct pgbox_sync_tombstone *tombstone1,
		  const struct pgbox_sync_tombstone *tombstone2)
{
	return tombstone1->uid < tombstone2->uid ? -1 : 1;
}

static void
change_read_expunged(const struct pgbox_mail_change_columns *columns,
		     struct pgbox_change_result *result_r)
{
	const struct pgbox_query_ints *uids = &columns->expunged_uids;
	const char *const *guids = columns->expunged_guids;
	struct pgbox_sync_tombstone *tombstone;
	unsigned int i;

	t_array_init(&result_r->expunged, uids->count + 1);
	for (i = 0; i < uids->count && *guids != NULL; i++) {
		tombstone = array_append_space(&result_r->expunged);
		tombstone->uid = uids->values[i];
		tombstone->modseq = result_r->modseq;
		tombstone->guid = *guids++;
	}
	array_sort(&result_r->expunged, tombstone_uid_cmp);
}

static void
change_read(const struct pgbox_db_result *result,
	    struct pgbox_change_result *result_r)
{
	struct pgbox_mail_change_columns columns;

	pgbox_read_mail_change(result, 0, &columns);
	result_r->known = TRUE;
	result_r->modseq = columns.modseq;
	result_r->changed = columns.changed;
	t_array_init(&result_r->conflict_uids, columns.conflict_uids.count + 1);
	array_append(&result_r->conflict_uids, columns.conflict_uids.values,
		     columns.conflict_uids.count);
	result_r->old_modseq = columns.old_modseq;
	result_r->uid_validity = columns.uid_validity;
	result_r->uid_next = columns.uid_next;
	result_r->first_recent_uid = columns.first_recent_uid;
	result_r->epoch = columns.epoch;
	result_r->keywords = columns.keywords;
	change_read_uids(&columns.changed_uids, result_r);
	change_read_expunged(&columns, result_r);
}

/* The everyday click, which has a shorter statement. */
static bool
changes_are_flags_of_one_mail(const ARRAY_TYPE(pgbox_mail_change) *changes)
{
	const struct pgbox_mail_change *change = array_front(changes);

	return array_count(changes) == 1 && !change->expunge &&
		!change->keywords_clear && keyword_count(change) == 0;
}

static int
change_flags_of_one_mail(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
			 const struct pgbox_change_condition *condition,
			 const struct pgbox_mail_change *change,
			 int64_t operation, struct pgbox_db_result **result_r,
			 struct pgbox_db_failure *failure_r)
{
	const struct pgbox_mail_flags_change_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.max_modseq = I_MIN(condition->max_modseq, INT64_MAX),
		.uid = change->uid,
		.flag_add = change->flags_add,
		.flag_remove = change->flags_remove,
		.operation = operation,
	};

	return pgbox_exec_mail_flags_change(db, &values, result_r, failure_r);
}

static int
change_mails(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
	     const struct pgbox_change_condition *condition,
	     const ARRAY_TYPE(pgbox_mail_change) *changes, int64_t operation,
	     struct pgbox_db_result **result_r,
	     struct pgbox_db_failure *failure_r)
{
	struct pgbox_mail_change_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.max_modseq = I_MIN(condition->max_modseq, INT64_MAX),
		.expunge_flags = condition->expunge_flags,
		.expunge_max_modseq =
			I_MIN(condition->expunge_max_modseq, INT64_MAX),
		.operation = operation,
	};
	struct change_arrays arrays;

	t_array_init(&arrays.ranges, 8);
	t_array_init(&arrays.keywords, 8);
	t_array_init(&arrays.expunge_uids, 8);
	change_add_all(&arrays, changes);
	values.ranges = array_get(&arrays.ranges, &values.range_count);
	values.keywords = array_get(&arrays.keywords, &values.keyword_count);
	values.expunge_uid.values = array_get(&arrays.expunge_uids,
					      &values.expunge_uid.count);
	return pgbox_exec_mail_change(db, &values, result_r, failure_r);
}

int pgbox_run_change(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		       const struct pgbox_change_condition *condition,
		       const ARRAY_TYPE(pgbox_mail_change) *changes,
		       int64_t operation, struct pgbox_change_result *result_r,
		       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_result *result;
	int ret;

	ret = changes_are_flags_of_one_mail(changes) ?
		change_flags_of_one_mail(db, id, condition,
					 array_front(changes), operation,
					 &result, failure_r) :
		change_mails(db, id, condition, changes, operation, &result,
			     failure_r);
	if (ret < 0)
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
	static const char *const none[] = { NULL };
	const struct pgbox_operation_done_params values = {
		.account_id = id->account_id,
		.mailbox_id = id->mailbox_id,
		.min_uid = operation->min_uid,
		.min_modseq = operation->min_modseq,
		.operation = operation->operation,
		.guid = operation->guids == NULL ? none : operation->guids,
	};
	struct pgbox_operation_done_columns columns;
	struct pgbox_db_result *result;

	if (pgbox_exec_operation_done(db, &values, &result, failure_r) < 0)
		return -1;
	pgbox_read_operation_done(result, 0, &columns);
	*done_r = columns.done;
	result_r->uid_validity = columns.uid_validity;
	t_array_init(&result_r->uids, columns.uids.count + 1);
	array_append(&result_r->uids, columns.uids.values, columns.uids.count);
	pgbox_db_result_free(&result);
	return 0;
}
