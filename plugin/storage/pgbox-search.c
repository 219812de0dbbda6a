/* SEARCH: has the database say which mails can match, and Dovecot's matcher decide
   the rest. Knows no SQL; see pgbox-search-sql.h for what the database can say. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "seq-range-array.h"
#include "time-util.h"
#include "mail-user.h"
#include "mail-search.h"
#include "mail-index-view-private.h"
#include "index-mail.h"
#include "index-search-private.h"
#include "pgbox-storage.h"
#include "pgbox-client.h"
#include "pgbox-mail-window.h"
#include "pgbox-query-text.h"
#include "pgbox-search-sql.h"
#include "pgbox-sort.h"
#include "pgbox-text.h"
#include "pgbox-transaction.h"
#include "pgbox-search.h"

/* So many mails are read as fast as the database is asked. */
#define LOCAL_MAX_MAILS 4
/* Mails in one statement that reads all their texts: some 100 milliseconds. The
   client is looked after in between. */
#define SCAN_MAILS 4000
/* What a search spends on extracting text that is missing */
#define FILL_MSECS 300

#define PGBOX_SEARCH_CONTEXT(obj) \
	MODULE_CONTEXT(obj, pgbox_search_module)

struct search_group {
	const struct pgbox_search_group *sql;
	/* what is in these was asked for, up to last_uid */
	uint32_t last_uid;
	ARRAY_TYPE(seq_range) found, unknown;
};

/* A search that asks the database or sorts; others have no such context. */
struct pgbox_search {
	union mail_search_module_context module_ctx;
	pool_t pool;
	struct pgbox_mailbox *mbox;
	/* empty if Dovecot matches everything */
	ARRAY(struct search_group) groups;
	/* NULL if there is nothing to sort, or Dovecot does it */
	struct pgbox_sort *sort;
	/* of the view */
	uint32_t last_uid;
	/* what the database may still take */
	unsigned int timeout_msecs;
	/* only the first statement looks whether text is missing */
	bool filled;
	/* A part of a scan was done since the client was looked after: the next
	   one waits. */
	bool pause_wanted;
	/* It waits. */
	bool paused;
};

static MODULE_CONTEXT_DEFINE_INIT(pgbox_search_module,
				  &mail_storage_module_register);

/*
 * Whether to ask
 */

/* Looks whether more than a few mails are left after flags, sets and the like.
   Begins the search and leaves it as if it hadn't. */
static bool search_has_many_mails(struct mail_search_context *ctx)
{
	unsigned int count = 0;

	while (count <= LOCAL_MAX_MAILS &&
	       index_storage_search_next_update_seq(ctx)) {
		count++;
		mail_search_args_reset(ctx->args->args, FALSE);
	}
	mail_search_args_reset(ctx->args->args, FALSE);
	ctx->seq = 0;
	ctx->progress_cur = 0;
	return count > LOCAL_MAX_MAILS;
}

static void
search_add_groups(struct pgbox_search *search,
		  const ARRAY_TYPE(pgbox_search_group) *sql_groups)
{
	const struct pgbox_search_group *sql;
	struct search_group *group;

	p_array_init(&search->groups, search->pool,
		     array_count(sql_groups));
	array_foreach(sql_groups, sql) {
		group = array_append_space(&search->groups);
		group->sql = sql;
		i_array_init(&group->found, 16);
		i_array_init(&group->unknown, 16);
	}
}

static struct pgbox_search *
search_alloc(struct mail_search_context *ctx, struct pgbox_mailbox *mbox)
{
	const struct mail_index_header *hdr =
		mail_index_get_header(ctx->transaction->view);
	struct pgbox_search *search;
	pool_t pool;

	pool = pool_alloconly_create("pgbox search", 2048);
	search = p_new(pool, struct pgbox_search, 1);
	search->pool = pool;
	search->mbox = mbox;
	search->last_uid = hdr->next_uid - 1;
	search->timeout_msecs = mbox->storage->set->search_timeout_msecs;
	return search;
}

/* Has groups only if it is worth to ask. */
static void
search_compile(struct mail_search_context *ctx, struct pgbox_search *search)
{
	const struct pgbox_settings *set = search->mbox->storage->set;
	const struct pgbox_search_sql_settings sql_set = {
		.normalizer = ctx->normalizer,
		.bodies = set->search_text == PGBOX_SEARCH_TEXT_YES,
	};
	ARRAY_TYPE(pgbox_search_group) *sql_groups;

	sql_groups = p_new(search->pool, ARRAY_TYPE(pgbox_search_group), 1);
	p_array_init(sql_groups, search->pool, 4);
	pgbox_search_sql_compile(search->pool, ctx->args->args, &sql_set,
				 sql_groups);
	if (array_count(sql_groups) > 0 && !search_has_many_mails(ctx))
		array_clear(sql_groups);
	search_add_groups(search, sql_groups);
}

/* lib-index remembers modseqs of single flags for as long as a session
   lives, counted by its own log before the sync raises them: too low, and
   different on each frontend. A server that has only modseqs of whole mails
   ignores the entry name (RFC 7162, 3.1.5). */
static void search_ignore_modseq_entries(struct mail_search_arg *arg)
{
	for (; arg != NULL; arg = arg->next) {
		if (arg->type == SEARCH_MODSEQ) {
			arg->value.flags = 0;
			if (arg->initialized.keywords != NULL)
				mailbox_keywords_unref(&arg->initialized.keywords);
		}
		search_ignore_modseq_entries(arg->value.subargs);
	}
}

/* How far mails may be read ahead while the search gives them */
static void
search_set_last_uid(struct mail_search_context *ctx, struct pgbox_mailbox *mbox)
{
	const struct index_search_context *ictx =
		container_of(ctx, struct index_search_context, mail_ctx);

	struct mail_index_view *view = ctx->transaction->view;
	uint32_t last_uid = 0, seq =
		I_MIN(ictx->seq2, mail_index_view_get_messages_count(view));

	if (seq > 0)
		mail_index_lookup_uid(view, seq, &last_uid);
	pgbox_mail_window_set_last_uid(mbox, last_uid);
}

static bool search_has_failed(struct mail_search_context *ctx)
{
	const struct index_search_context *ictx =
		container_of(ctx, struct index_search_context, mail_ctx);

	return ictx->failed;
}

/* The storage's error is set. */
static void search_fail(struct mail_search_context *ctx)
{
	struct index_search_context *ictx =
		container_of(ctx, struct index_search_context, mail_ctx);

	mail_storage_last_error_push(ctx->transaction->box->storage);
	ictx->failed = TRUE;
}

/* Returns TRUE if others can change which mails the arguments match. */
static bool args_depend_on_changes(const struct mail_search_arg *args)
{
	for (; args != NULL; args = args->next) {
		switch (args->type) {
		case SEARCH_FLAGS:
		case SEARCH_KEYWORDS:
		case SEARCH_MODSEQ:
			return TRUE;
		case SEARCH_OR:
		case SEARCH_SUB:
			if (args_depend_on_changes(args->value.subargs))
				return TRUE;
			break;
		default:
			break;
		}
	}
	return FALSE;
}

/* The mails of a view have the newest flags, but its header has the counters of
   \Seen and \Deleted from when it was synced, and Dovecot believes them: if there
   were none, there is nothing to be found. It looks at the first level only
   (index-search.c: search_limit_by_hdr()). */
static void args_hide_flags(struct mail_search_args *args)
{
	struct mail_search_arg *arg, *hidden;

	for (arg = args->args; arg != NULL; arg = arg->next) {
		if (arg->type != SEARCH_FLAGS)
			continue;
		hidden = p_new(args->pool, struct mail_search_arg, 1);
		*hidden = *arg;
		hidden->next = NULL;
		arg->type = SEARCH_SUB;
		arg->match_not = FALSE;
		arg->value.subargs = hidden;
	}
}

/* EXPUNGE begins with a search for \Deleted, in a transaction that is to see what
   any session has done: only the database knows that. Other searches are about as
   old as what was told. */
static void
search_refresh(struct mailbox_transaction_context *t,
	       struct mail_search_args *args)
{
	struct pgbox_transaction *pt = pgbox_transaction_get(t);
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(t->box);

	/* what has just failed would only be waited for again */
	if (pt->refresh_failed || !args_depend_on_changes(args->args))
		return;
	if (pgbox_sync_refresh(mbox, (t->flags &
			MAILBOX_TRANSACTION_FLAG_REFRESH) == 0) < 0)
		pt->refresh_failed = TRUE;
	pt->searched_modseq = pgbox_sync_get_modseq(mbox);
	if (t->box->view->map != t->box->index->map)
		args_hide_flags(args);
}

struct mail_search_context *
pgbox_search_init(struct mailbox_transaction_context *t,
		  struct mail_search_args *args,
		  const enum mail_sort_type *sort_program,
		  enum mail_fetch_field wanted_fields,
		  struct mailbox_header_lookup_ctx *wanted_headers)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(t->box);
	struct mail_search_context *ctx;
	struct pgbox_search *search;
	struct pgbox_sort *sort;

	search_ignore_modseq_entries(args->args);
	search_refresh(t, args);
	sort = pgbox_sort_init(t, sort_program);
	ctx = index_storage_search_init(t, args,
					sort != NULL ? NULL : sort_program,
					wanted_fields, wanted_headers);
	search_set_last_uid(ctx, mbox);
	if (pgbox_transaction_get(t)->refresh_failed)
		search_fail(ctx);
	search = search_alloc(ctx, mbox);
	search->sort = sort;
	/* With stop_on_nonmatch no mail may be left out silently. */
	if (mbox->storage->set->search_text != PGBOX_SEARCH_TEXT_NO &&
	    mbox->known.id.mailbox_id != 0 && !args->stop_on_nonmatch)
		search_compile(ctx, search);
	else
		p_array_init(&search->groups, search->pool, 1);
	if (array_count(&search->groups) > 0 || sort != NULL)
		MODULE_CONTEXT_SET(ctx, pgbox_search_module, search);
	else
		pool_unref(&search->pool);
	return ctx;
}

/*
 * Asking
 */

static void
search_set_failed(struct mail_search_context *ctx,
		  const struct pgbox_search *search,
		  const struct pgbox_db_failure *failure)
{
	struct mail_storage *storage = search->mbox->box.storage;

	if (search_has_failed(ctx))
		return;
	if (search->timeout_msecs <= 1 ||
	    (failure != NULL && failure->error == PGBOX_DB_ERROR_TIMEOUT)) {
		mail_storage_set_error(storage, MAIL_ERROR_LIMIT,
				       "Search took too long");
	} else if (failure != NULL) {
		pgbox_mailbox_set_failure(search->mbox, failure);
	}
	search_fail(ctx);
}

static void
uids_add(ARRAY_TYPE(seq_range) *dest, const ARRAY_TYPE(pgbox_int64) *uids)
{
	int64_t uid;

	array_foreach_elem(uids, uid) {
		if (uid > 0 && uid <= UINT32_MAX)
			seq_range_array_add(dest, uid);
	}
}

/* The UID up to which one statement looks, if it begins at first_uid */
static uint32_t
group_get_last_uid(struct mail_search_context *ctx,
		   const struct pgbox_search *search,
		   const struct search_group *group, uint32_t first_uid)
{
	struct mail_index_view *view = ctx->transaction->view;
	uint32_t seq, last_seq, uid;

	if (!group->sql->scan ||
	    !mail_index_lookup_seq_range(view, first_uid, search->last_uid,
					 &seq, &last_seq) ||
	    last_seq - seq < SCAN_MAILS)
		return search->last_uid;
	mail_index_lookup_uid(view, seq + SCAN_MAILS - 1, &uid);
	return uid;
}

static int
group_ask(struct mail_search_context *ctx, struct pgbox_search *search,
	  struct search_group *group, uint32_t first_uid)
{
	struct pgbox_mailbox *mbox = search->mbox;
	const struct pgbox_search_range range = {
		.first_uid = first_uid,
		.last_uid = group_get_last_uid(ctx, search, group, first_uid),
		.patience.timeout_msecs = search->timeout_msecs,
		.patience.client_fd =
			pgbox_client_get_fd(mbox->box.storage->user),
	};
	uint64_t start = i_microseconds(), msecs;
	ARRAY_TYPE(pgbox_int64) found, unknown;
	struct pgbox_db_failure failure;
	int ret;

	i_array_init(&found, 128);
	i_array_init(&unknown, 128);
	ret = pgbox_run_search(mbox->storage->db, &mbox->known.id, group->sql,
			       &range, &found, &unknown, &failure);
	msecs = (i_microseconds() - start) / 1000;
	search->timeout_msecs = msecs >= search->timeout_msecs ? 1 :
		search->timeout_msecs - msecs;
	if (ret == 0) {
		group->last_uid = range.last_uid;
		uids_add(&group->found, &found);
		uids_add(&group->unknown, &unknown);
	} else {
		search_set_failed(ctx, search, &failure);
	}
	array_free(&found);
	array_free(&unknown);
	return ret;
}

/* Asks what has not been asked yet about the mails from uid on. Returns 1 if it
   is known now, 0 if the client has to be looked after first, -1 on failure. */
static int
group_load(struct mail_search_context *ctx, struct pgbox_search *search,
	   struct search_group *group, uint32_t uid)
{
	bool stored;

	if (uid <= group->last_uid)
		return 1;
	if (group->sql->scan && search->pause_wanted) {
		search->paused = TRUE;
		return 0;
	}
	if (group_ask(ctx, search, group, uid) < 0)
		return -1;
	if (group->sql->scan && ctx->sort_program == NULL)
		search->pause_wanted = TRUE;
	if (search->filled || array_count(&group->unknown) == 0)
		return 1;

	/* Whoever searches here will search again. */
	search->filled = TRUE;
	if (pgbox_text_fill(search->mbox, FILL_MSECS, &stored) < 0) {
		search_set_failed(ctx, search, NULL);
		return -1;
	}
	if (!stored)
		return 1;
	array_clear(&group->found);
	array_clear(&group->unknown);
	return group_ask(ctx, search, group, uid) < 0 ? -1 : 1;
}

/*
 * Using the answer
 */

static void arg_set_result(struct mail_search_arg *arg, bool match)
{
	arg->match_always = match;
	arg->nonmatch_always = !match;
	arg->result = match ? 1 : 0;
}

static void arg_clear_result(struct mail_search_arg *arg)
{
	arg->match_always = FALSE;
	arg->nonmatch_always = FALSE;
	arg->result = -1;
}

/* What was said about the last mail says nothing about the next one. */
static void search_clear_results(const struct pgbox_search *search)
{
	const struct search_group *group;
	struct mail_search_arg *arg;

	array_foreach(&search->groups, group) {
		if (group->sql->arg != NULL)
			arg_clear_result(group->sql->arg);
		array_foreach_elem(&group->sql->exact_args, arg)
			arg_clear_result(arg);
	}
}

/* Returns FALSE if the mail can't match. */
static bool group_apply(const struct search_group *group, uint32_t uid)
{
	struct mail_search_arg *arg = group->sql->arg;
	bool found;

	if (seq_range_exists(&group->unknown, uid))
		return TRUE;
	found = seq_range_exists(&group->found, uid);
	if (arg == NULL && !found)
		return FALSE;
	if (arg != NULL && (!found || group->sql->exact)) {
		arg_set_result(arg, found != arg->match_not);
		return TRUE;
	}
	array_foreach_elem(&group->sql->exact_args, arg)
		arg_set_result(arg, TRUE);
	return TRUE;
}

/* Returns the first UID from uid on that is in the ranges, or 0. */
static uint32_t
uids_get_next(const ARRAY_TYPE(seq_range) *uids, uint32_t uid)
{
	const struct seq_range *range;
	unsigned int left = 0, right, middle, count;

	range = array_get(uids, &count);
	right = count;
	while (left < right) {
		middle = (left + right) / 2;
		if (range[middle].seq2 < uid)
			left = middle + 1;
		else
			right = middle;
	}
	return left == count ? 0 : I_MAX(range[left].seq1, uid);
}

/* Moves before the next mail that the group doesn't rule out, as far as is
   known. */
static void
group_skip(struct mail_search_context *ctx, const struct search_group *group)
{
	struct mail_index_view *view = ctx->transaction->view;
	uint32_t uid = 0, next_uid, unknown_uid, seq1, seq2;

	if (group->sql->arg != NULL)
		return;
	if (ctx->seq > 0)
		mail_index_lookup_uid(view, ctx->seq, &uid);
	if (uid >= group->last_uid)
		return;
	next_uid = uids_get_next(&group->found, uid + 1);
	unknown_uid = uids_get_next(&group->unknown, uid + 1);
	if (next_uid == 0 || (unknown_uid != 0 && unknown_uid < next_uid))
		next_uid = unknown_uid;
	if (next_uid == 0 && group->last_uid < UINT32_MAX)
		next_uid = group->last_uid + 1;
	if (next_uid != 0 &&
	    mail_index_lookup_seq_range(view, next_uid, (uint32_t)-1,
					&seq1, &seq2))
		ctx->seq = seq1 - 1;
	else
		ctx->seq = mail_index_view_get_messages_count(view);
}

/* Returns 1 if the mail at ctx->seq can match, 0 if not, -1 if the search pauses
   or has failed. */
static int
search_check_mail(struct mail_search_context *ctx, struct pgbox_search *search)
{
	struct search_group *group;
	uint32_t uid;
	int ret = 1;

	mail_index_lookup_uid(ctx->transaction->view, ctx->seq, &uid);
	array_foreach_modifiable(&search->groups, group) {
		if (group_load(ctx, search, group, uid) <= 0)
			return -1;
		if (!group_apply(group, uid)) {
			ret = 0;
			break;
		}
	}
	return ret;
}

bool pgbox_search_next_update_seq(struct mail_search_context *ctx)
{
	struct pgbox_search *search = PGBOX_SEARCH_CONTEXT(ctx);
	const struct search_group *group;
	int ret;

	if (search == NULL || array_count(&search->groups) == 0)
		return index_storage_search_next_update_seq(ctx);

	for (;;) {
		search_clear_results(search);
		array_foreach(&search->groups, group)
			group_skip(ctx, group);
		if (!index_storage_search_next_update_seq(ctx))
			return FALSE;
		ret = search_check_mail(ctx, search);
		if (ret > 0)
			return TRUE;
		mail_search_args_reset(ctx->args->args, FALSE);
		if (ret < 0)
			break;
	}
	if (search->paused) {
		/* this mail again */
		ctx->seq--;
	}
	return FALSE;
}

static bool
search_next(struct mail_search_context *ctx, struct mail **mail_r,
	    bool *tryagain_r)
{
	struct pgbox_search *search = PGBOX_SEARCH_CONTEXT(ctx);
	bool ret;

	if (search != NULL)
		search->pause_wanted = search->paused = FALSE;
	ret = index_storage_search_next_nonblock(ctx, mail_r, tryagain_r);
	if (!ret && search != NULL && search->paused)
		*tryagain_r = TRUE;
	return ret;
}

static bool
search_next_sorted(struct mail_search_context *ctx, struct pgbox_search *search,
		   struct mail **mail_r)
{
	uint32_t seq;

	if (!pgbox_sort_next(search->sort, &seq))
		return FALSE;
	*mail_r = array_idx_elem(&ctx->mails, 0);
	mail_set_seq(*mail_r, seq);
	index_mail_update_access_parts_pre(*mail_r);
	index_mail_update_access_parts_post(*mail_r);
	return TRUE;
}

bool pgbox_search_next_nonblock(struct mail_search_context *ctx,
				struct mail **mail_r, bool *tryagain_r)
{
	struct pgbox_search *search = PGBOX_SEARCH_CONTEXT(ctx);
	struct pgbox_db_failure failure;

	if (search == NULL || search->sort == NULL)
		return search_next(ctx, mail_r, tryagain_r);

	if (!pgbox_sort_is_run(search->sort)) {
		while (search_next(ctx, mail_r, tryagain_r))
			pgbox_sort_add(search->sort, (*mail_r)->seq);
		if (*tryagain_r || search_has_failed(ctx))
			return FALSE;
		if (pgbox_sort_run(search->sort, search->timeout_msecs,
				   &failure) < 0) {
			search_set_failed(ctx, search,
				failure.error == PGBOX_DB_ERROR_NONE ?
				NULL : &failure);
			return FALSE;
		}
	}
	*tryagain_r = FALSE;
	return search_next_sorted(ctx, search, mail_r);
}

int pgbox_search_deinit(struct mail_search_context *ctx)
{
	struct pgbox_search *search = PGBOX_SEARCH_CONTEXT(ctx);
	struct search_group *group;

	if (search != NULL) {
		search_clear_results(search);
		array_foreach_modifiable(&search->groups, group) {
			array_free(&group->found);
			array_free(&group->unknown);
		}
		pgbox_sort_free(&search->sort);
		pool_unref(&search->pool);
	}
	return index_storage_search_deinit(ctx);
}
