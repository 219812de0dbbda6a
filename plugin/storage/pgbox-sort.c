/* Sorts mails that a search has found. Dovecot sorts what is in its index and cache
   files already; what is not, the database sorts, and these files are filled with
   its answer, so that the next sort needs no database. Knows no SQL. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "index-mail.h"
#include "index-sort.h"
#include "pgbox-storage.h"
#include "pgbox-client.h"
#include "pgbox-folding.h"
#include "pgbox-query-text.h"
#include "pgbox-sort-sql.h"
#include "pgbox-sort.h"

/* So few mails are read as fast as the database is asked. */
#define LOCAL_MAX_MAILS 50
/* How many are looked at to guess how much is cached */
#define SAMPLE_MAILS 16
/* With less than this part of the mailbox only the UIDs wanted are sorted. */
#define WHOLE_MIN_FRACTION 4

struct pgbox_sort {
	struct mailbox_transaction_context *t;
	struct pgbox_mailbox *mbox;
	enum mail_sort_type program[MAX_SORT_PROGRAM_SIZE];
	ARRAY_TYPE(pgbox_sort_term) terms;
	/* what the first term needs is not known locally */
	bool fill_wanted;
	bool run;

	/* as added, then in order */
	ARRAY_TYPE(uint32_t) seqs;
	unsigned int next_idx;
};

static const struct sort_field {
	enum mail_sort_type type;
	/* index extension with Dovecot's order of strings, or */
	const char *ext_name;
	/* what is cached */
	enum index_cache_field cache_field;
	enum mail_fetch_field fetch_field;
} sort_fields[PGBOX_SORT_FIELD_COUNT] = {
	[PGBOX_SORT_ARRIVAL] = {
		.type = MAIL_SORT_ARRIVAL,
		.cache_field = MAIL_CACHE_RECEIVED_DATE,
		.fetch_field = MAIL_FETCH_RECEIVED_DATE,
	},
	[PGBOX_SORT_DATE] = {
		.type = MAIL_SORT_DATE,
		.cache_field = MAIL_CACHE_SENT_DATE,
		.fetch_field = MAIL_FETCH_DATE,
	},
	[PGBOX_SORT_SIZE] = {
		.type = MAIL_SORT_SIZE,
		.cache_field = MAIL_CACHE_VIRTUAL_FULL_SIZE,
		.fetch_field = MAIL_FETCH_VIRTUAL_SIZE,
	},
	[PGBOX_SORT_SUBJECT] = { MAIL_SORT_SUBJECT, .ext_name = "sort-s" },
	[PGBOX_SORT_FROM] = { MAIL_SORT_FROM, .ext_name = "sort-f" },
	[PGBOX_SORT_TO] = { MAIL_SORT_TO, .ext_name = "sort-t" },
	[PGBOX_SORT_CC] = { MAIL_SORT_CC, .ext_name = "sort-c" },
	[PGBOX_SORT_DISPLAYFROM] = {
		MAIL_SORT_DISPLAYFROM, .ext_name = "sort-df"
	},
	[PGBOX_SORT_DISPLAYTO] = {
		MAIL_SORT_DISPLAYTO, .ext_name = "sort-dt"
	},
};

static const struct pgbox_sort_term *
sort_get_first(const struct pgbox_sort *sort)
{
	return array_front(&sort->terms);
}

/*
 * Whether to ask
 */

/* Returns FALSE if there is a key that the database knows nothing about. */
static bool
terms_get(const enum mail_sort_type *program,
	  ARRAY_TYPE(pgbox_sort_term) *terms)
{
	struct pgbox_sort_term *term;
	unsigned int field;

	for (; *program != MAIL_SORT_END; program++) {
		for (field = 0; field < PGBOX_SORT_FIELD_COUNT; field++) {
			if (sort_fields[field].type ==
			    (*program & MAIL_SORT_MASK))
				break;
		}
		if (field == PGBOX_SORT_FIELD_COUNT)
			return FALSE;
		term = array_append_space(terms);
		term->field = field;
		term->reverse = (*program & MAIL_SORT_FLAG_REVERSE) != 0;
	}
	return array_count(terms) > 0;
}

static bool
view_has_sort_id(struct mail_index_view *view, uint32_t ext_id, uint32_t seq)
{
	const void *data;
	bool expunged;

	mail_index_lookup_ext(view, seq, ext_id, &data, &expunged);
	return data != NULL && *(const uint32_t *)data != 0;
}

/* Dovecot gives an ID for the order to all mails up to some UID. */
static unsigned int
count_without_sort_id(struct mail_index_view *view, struct mail_index *index,
		      const char *ext_name)
{
	uint32_t count = mail_index_view_get_messages_count(view);
	uint32_t left = 1, right = count + 1, middle, ext_id;

	if (!mail_index_ext_lookup(index, ext_name, &ext_id))
		return count;
	while (left < right) {
		middle = left + (right - left) / 2;
		if (view_has_sort_id(view, ext_id, middle))
			left = middle + 1;
		else
			right = middle;
	}
	return count - (left - 1);
}

static unsigned int
count_not_cached(struct mailbox_transaction_context *t,
		 enum index_cache_field cache_field)
{
	const struct index_mailbox_context *ibox = INDEX_STORAGE_CONTEXT(t->box);
	unsigned int field_idx = ibox->cache_fields[cache_field].idx;
	uint32_t count = mail_index_view_get_messages_count(t->view);
	unsigned int i, missing = 0;
	uint32_t seq;

	for (i = 0; i < SAMPLE_MAILS; i++) {
		seq = 1 + (uint64_t)i * (count - 1) / (SAMPLE_MAILS - 1);
		if (mail_cache_field_exists(t->cache_view, seq,
					    field_idx) <= 0)
			missing++;
	}
	return (uint64_t)missing * count / SAMPLE_MAILS;
}

static bool
field_is_missing(struct mailbox_transaction_context *t,
		 enum pgbox_sort_field field)
{
	const struct sort_field *def = &sort_fields[field];
	unsigned int missing;

	missing = def->ext_name == NULL ?
		count_not_cached(t, def->cache_field) :
		count_without_sort_id(t->view, t->box->index, def->ext_name);
	return missing > LOCAL_MAX_MAILS;
}

struct pgbox_sort *
pgbox_sort_init(struct mailbox_transaction_context *t,
		const enum mail_sort_type *program)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(t->box);
	struct pgbox_sort *sort;
	bool terms_known, fill_wanted = FALSE;
	unsigned int i;

	if (program == NULL || program[0] == MAIL_SORT_END ||
	    mbox->known.id.mailbox_id == 0 ||
	    mail_index_view_get_messages_count(t->view) <= LOCAL_MAX_MAILS)
		return NULL;

	sort = i_new(struct pgbox_sort, 1);
	sort->t = t;
	sort->mbox = mbox;
	for (i = 0; i < MAX_SORT_PROGRAM_SIZE; i++) {
		sort->program[i] = program[i];
		if (program[i] == MAIL_SORT_END)
			break;
	}
	i_array_init(&sort->terms, 4);
	i_array_init(&sort->seqs, 128);
	terms_known = terms_get(program, &sort->terms);
	if (terms_known) {
		fill_wanted = field_is_missing(t,
			sort_get_first(sort)->field);
	}
	/* Dovecot remembers no order of equal mails: it reads their other keys
	   for each comparison. */
	if (!terms_known || (!fill_wanted && array_count(&sort->terms) == 1))
		pgbox_sort_free(&sort);
	else
		sort->fill_wanted = fill_wanted;
	return sort;
}

void pgbox_sort_free(struct pgbox_sort **_sort)
{
	struct pgbox_sort *sort = *_sort;

	if (sort == NULL)
		return;
	*_sort = NULL;
	array_free(&sort->terms);
	array_free(&sort->seqs);
	i_free(sort);
}

void pgbox_sort_add(struct pgbox_sort *sort, uint32_t seq)
{
	i_assert(!sort->run);
	array_push_back(&sort->seqs, &seq);
}

/*
 * Dovecot sorts
 */

static int sort_run_local(struct pgbox_sort *sort)
{
	const struct pgbox_sort_term *first = sort_get_first(sort);
	struct mail_search_sort_program *program;
	struct mail *mail;
	const uint32_t *seqp;
	uint32_t seq;

	program = index_sort_program_init(sort->t, sort->program);
	mail = mail_alloc(sort->t, sort_fields[first->field].fetch_field, NULL);
	array_foreach(&sort->seqs, seqp) {
		mail_set_seq(mail, *seqp);
		index_sort_list_add(program, mail);
	}
	mail_free(&mail);
	index_sort_list_finish(program);

	array_clear(&sort->seqs);
	while (index_sort_list_next(program, &seq))
		array_push_back(&sort->seqs, &seq);
	return index_sort_program_deinit(&program);
}

/*
 * The database sorts
 */

struct sort_answer {
	/* in order */
	ARRAY_TYPE(pgbox_int64) uids, values;
	/* 0: newer than the view */
	ARRAY_TYPE(uint32_t) seqs;
	bool usable;
};

static void sort_answer_init(struct sort_answer *answer_r)
{
	i_zero(answer_r);
	i_array_init(&answer_r->uids, 128);
	i_array_init(&answer_r->values, 128);
	i_array_init(&answer_r->seqs, 128);
}

static void sort_answer_free(struct sort_answer *answer)
{
	array_free(&answer->uids);
	array_free(&answer->values);
	array_free(&answer->seqs);
}

static int
sort_ask(struct pgbox_sort *sort, bool whole, unsigned int timeout_msecs,
	 struct sort_answer *answer, struct pgbox_db_failure *failure_r)
{
	struct mail_index_view *view = sort->t->view;
	const struct pgbox_search_range range = {
		.first_uid = 1,
		.last_uid = mail_index_get_header(view)->next_uid - 1,
		.patience.timeout_msecs = timeout_msecs,
		.patience.client_fd =
			pgbox_client_get_fd(sort->t->box->storage->user),
	};
	pool_t pool = pool_alloconly_create("pgbox sort", 2048);
	ARRAY_TYPE(pgbox_int64) uids;
	const uint32_t *seqp;
	uint32_t seq, uid;
	int64_t uid64;
	int ret;

	i_array_init(&uids, whole ? 1 : array_count(&sort->seqs));
	array_foreach(&sort->seqs, seqp) {
		if (whole)
			break;
		mail_index_lookup_uid(view, *seqp, &uid);
		uid64 = uid;
		array_push_back(&uids, &uid64);
	}
	ret = pgbox_run_sort(sort->mbox->storage->db, &sort->mbox->known.id,
			     pgbox_sort_sql_compile(pool, &sort->terms, !whole),
			     &range, pgbox_folding_get(),
			     whole ? NULL : &uids, &answer->uids,
			     &answer->values, &answer->usable, failure_r);
	array_free(&uids);
	pool_unref(&pool);
	if (ret < 0)
		return -1;
	array_foreach_elem(&answer->uids, uid64) {
		if (uid64 <= 0 || uid64 > UINT32_MAX ||
		    !mail_index_lookup_seq(view, uid64, &seq))
			seq = 0;
		array_push_back(&answer->seqs, &seq);
	}
	return 0;
}

/* Brings the mails into the order of the answer. Those that it doesn't have were
   expunged meanwhile: they have the lowest keys, as with Dovecot. */
static void
sort_take_order(struct pgbox_sort *sort, const struct sort_answer *answer)
{
	const uint32_t *seqp;
	uint32_t count =
		mail_index_view_get_messages_count(sort->t->view);
	bool *wanted = i_new(bool, count + 1);
	ARRAY_TYPE(uint32_t) sorted, lost;

	array_foreach(&sort->seqs, seqp)
		wanted[*seqp] = TRUE;
	i_array_init(&sorted, array_count(&sort->seqs));
	i_array_init(&lost, 8);
	array_foreach(&answer->seqs, seqp) {
		if (wanted[*seqp]) {
			wanted[*seqp] = FALSE;
			array_push_back(&sorted, seqp);
		}
	}
	array_foreach(&sort->seqs, seqp) {
		if (wanted[*seqp])
			array_push_back(&lost, seqp);
	}
	array_clear(&sort->seqs);
	if (!sort_get_first(sort)->reverse) {
		array_append_array(&sort->seqs, &lost);
		array_append_array(&sort->seqs, &sorted);
	} else {
		array_append_array(&sort->seqs, &sorted);
		array_append_array(&sort->seqs, &lost);
	}
	array_free(&lost);
	array_free(&sorted);
	i_free(wanted);
}

/*
 * Filling what Dovecot sorts by
 */

static uint32_t ext_get_reset_id(struct mail_index_view *view, uint32_t ext_id)
{
	struct mail_index_map *map;
	const void *data;
	uint32_t reset_id;
	bool expunged;

	mail_index_lookup_ext_full(view, 1, ext_id, &map, &data, &expunged);
	return mail_index_ext_get_reset_id(view, map, ext_id, &reset_id) ?
		reset_id : 0;
}

/* A mail of the view and its value */
struct sort_fill {
	uint32_t seq;
	int64_t value;
};
ARRAY_DEFINE_TYPE(sort_fill, struct sort_fill);

static int
sort_fill_cmp(const struct sort_fill *fill1, const struct sort_fill *fill2)
{
	return fill1->seq < fill2->seq ? -1 : 1;
}

/* The index transaction keeps what is written ordered by mails: in another order,
   each mail would have the ones behind it moved. */
static void
sort_get_fills(const struct sort_answer *answer, ARRAY_TYPE(sort_fill) *fills)
{
	unsigned int i, count = array_count(&answer->seqs);
	const uint32_t *seqs = array_front(&answer->seqs);
	const int64_t *values = array_front(&answer->values);
	struct sort_fill fill;

	for (i = 0; i < count; i++) {
		fill.seq = seqs[i];
		fill.value = values[i];
		if (fill.seq != 0)
			array_push_back(fills, &fill);
	}
	array_sort(fills, sort_fill_cmp);
}

/* Spreads IDs evenly, as Dovecot does for the first sort; see index-sort-string.c.
   All mails must have one. */
static void
sort_fill_ids(struct pgbox_sort *sort, const struct sort_answer *answer,
	      const ARRAY_TYPE(sort_fill) *fills)
{
	const struct pgbox_sort_term *first = sort_get_first(sort);
	struct mail_index_view *view = sort->t->view;
	const struct sort_fill *fill;
	int64_t rank, ranks = *array_back(&answer->values);
	uint32_t ext_id, sort_id;

	if (array_count(fills) < mail_index_view_get_messages_count(view))
		return;
	ext_id = mail_index_ext_register(sort->t->box->index,
					 sort_fields[first->field].ext_name, 0,
					 sizeof(uint32_t), sizeof(uint32_t));
	/* Ignored if another process was faster. */
	mail_index_ext_reset_inc(sort->t->itrans, ext_id,
				 ext_get_reset_id(view, ext_id), FALSE);
	array_foreach(fills, fill) {
		rank = first->reverse ? ranks + 1 - fill->value : fill->value;
		sort_id = rank * UINT32_MAX / (ranks + 1);
		mail_index_update_ext(sort->t->itrans, fill->seq, ext_id,
				      &sort_id, NULL);
	}
}

static void
mail_fill_cache(struct mail *mail, enum pgbox_sort_field field, int64_t value)
{
	struct index_mail *imail = INDEX_MAIL(mail);
	enum index_cache_field cache_field = sort_fields[field].cache_field;
	struct mail_sent_date sent_date;
	uint32_t received_date = value;
	uoff_t size = value;

	/* asked for, whatever was cached so far */
	imail->data.cache_fetch_fields |= sort_fields[field].fetch_field;
	if (!index_mail_want_cache(imail, cache_field))
		return;
	if (field == PGBOX_SORT_SIZE) {
		index_mail_cache_add(imail, cache_field, &size, sizeof(size));
	} else if (field == PGBOX_SORT_ARRIVAL) {
		index_mail_cache_add(imail, cache_field, &received_date,
				     sizeof(received_date));
	} else {
		i_zero(&sent_date);
		pgbox_sort_date_unpack(value, &sent_date.time,
				       &sent_date.timezone);
		index_mail_cache_add(imail, cache_field, &sent_date,
				     sizeof(sent_date));
	}
}

static void
sort_fill_cache(struct pgbox_sort *sort, const ARRAY_TYPE(sort_fill) *fills)
{
	enum pgbox_sort_field field = sort_get_first(sort)->field;
	const struct sort_fill *fill;
	struct mail *mail;

	mail = mail_alloc(sort->t, sort_fields[field].fetch_field, NULL);
	array_foreach(fills, fill) {
		mail_set_seq(mail, fill->seq);
		mail_fill_cache(mail, field, fill->value);
	}
	mail_free(&mail);
}

static void
sort_fill(struct pgbox_sort *sort, const struct sort_answer *answer, bool whole)
{
	enum pgbox_sort_field field = sort_get_first(sort)->field;
	ARRAY_TYPE(sort_fill) fills;

	if (array_count(&answer->uids) == 0)
		return;
	i_array_init(&fills, array_count(&answer->uids));
	sort_get_fills(answer, &fills);
	if (pgbox_sort_get_value(field) != PGBOX_SORT_VALUE_RANK)
		sort_fill_cache(sort, &fills);
	else if (whole)
		sort_fill_ids(sort, answer, &fills);
	array_free(&fills);
}

static int
sort_run_remote(struct pgbox_sort *sort, unsigned int timeout_msecs,
		struct pgbox_db_failure *failure_r)
{
	uint32_t all = mail_index_view_get_messages_count(sort->t->view);
	bool whole = array_count(&sort->seqs) >= all / WHOLE_MIN_FRACTION;
	struct sort_answer answer;
	int ret;

	sort_answer_init(&answer);
	ret = sort_ask(sort, whole, timeout_msecs, &answer, failure_r);
	if (ret == 0 && !answer.usable) {
		ret = sort_run_local(sort);
	} else if (ret == 0) {
		sort_take_order(sort, &answer);
		if (sort->fill_wanted)
			sort_fill(sort, &answer, whole);
	}
	sort_answer_free(&answer);
	return ret;
}

int pgbox_sort_run(struct pgbox_sort *sort, unsigned int timeout_msecs,
		   struct pgbox_db_failure *failure_r)
{
	i_assert(!sort->run);
	sort->run = TRUE;
	i_zero(failure_r);
	if (array_count(&sort->seqs) <= LOCAL_MAX_MAILS)
		return sort_run_local(sort);
	return sort_run_remote(sort, timeout_msecs, failure_r);
}

bool pgbox_sort_is_run(const struct pgbox_sort *sort)
{
	return sort->run;
}

bool pgbox_sort_next(struct pgbox_sort *sort, uint32_t *seq_r)
{
	i_assert(sort->run);
	if (sort->next_idx == array_count(&sort->seqs))
		return FALSE;
	*seq_r = *array_idx(&sort->seqs, sort->next_idx++);
	return TRUE;
}
