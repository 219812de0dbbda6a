/* IMAP NOTIFY: what has changed in an account's list of mailboxes and in their
   counters, by comparing the rows before and after. Knows nothing of mails. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "mailbox-tree.h"
#include "mailbox-list-notify.h"
#include "pgbox-notify.h"
#include "pgbox-storage.h"
#include "pgbox-list-private.h"

struct pgbox_list_notify {
	struct mailbox_list_notify notify;
	struct pgbox_storage *storage;

	/* what the client has been told; own reference */
	struct pgbox_list_rows *rows;
	/* full names, sorted; NULL if not asked for */
	pool_t subscriptions_pool;
	const char *const *subscriptions;

	/* what it is to be told next; from the pool */
	pool_t pool;
	ARRAY(struct mailbox_list_notify_rec) recs;
	unsigned int rec_idx;
	/* the events are being returned */
	bool reading;
	/* meanwhile there may be new ones */
	bool read_again;

	struct pgbox_watch *watch;
	void (*callback)(void *context);
	void *callback_context;
};

#define PGBOX_LIST_NOTIFY(n) \
	(container_of(n, struct pgbox_list_notify, notify))

#define NOTIFY_SUBSCRIPTIONS \
	(MAILBOX_LIST_NOTIFY_SUBSCRIBE | MAILBOX_LIST_NOTIFY_UNSUBSCRIBE)

/*
 * Events
 */

static void
rec_add(struct pgbox_list_notify *notify, const char *name,
	const struct pgbox_mailbox_row *row,
	enum mailbox_list_notify_event events, const char *old_name)
{
	struct mailbox_list *list = notify->notify.list;
	struct mailbox_list_notify_rec *rec;

	events &= notify->notify.mask;
	if (events == 0)
		return;
	rec = array_append_space(&notify->recs);
	rec->events = events;
	rec->storage_name = p_strdup(notify->pool, name);
	rec->vname = p_strdup(notify->pool, mailbox_list_get_vname(list, name));
	if (old_name != NULL) {
		rec->old_vname = p_strdup(notify->pool,
			mailbox_list_get_vname(list, old_name));
	}
	if (row != NULL && row->selectable)
		guid_128_copy(rec->guid, row->guid);
}

/* row_old == NULL: the mailbox is new */
static enum mailbox_list_notify_event
row_get_events(const struct pgbox_mailbox_row *row_old,
	       const struct pgbox_mailbox_row *row)
{
	static const struct pgbox_mailbox_row empty;
	enum mailbox_list_notify_event events = 0;

	if (!row->selectable)
		return 0;
	if (row_old == NULL)
		row_old = &empty;
	else if (row_old->uid_validity != row->uid_validity)
		events |= MAILBOX_LIST_NOTIFY_UIDVALIDITY;
	if (row_old->uid_next < row->uid_next &&
	    (row_old != &empty || row->messages > 0))
		events |= MAILBOX_LIST_NOTIFY_APPENDS;
	if (row_old->messages + (row->uid_next - row_old->uid_next) >
	    row->messages && row_old != &empty)
		events |= MAILBOX_LIST_NOTIFY_EXPUNGES;
	if (row_old->unseen != row->unseen)
		events |= MAILBOX_LIST_NOTIFY_SEEN_CHANGES;
	if (row_old->modseq < row->modseq && row_old != &empty)
		events |= MAILBOX_LIST_NOTIFY_MODSEQ_CHANGES;
	return events;
}

/* Rows that belong together: the same mailbox before and after. */
struct row_pair {
	const struct pgbox_mailbox_row *before, *after;
};
ARRAY_DEFINE_TYPE(row_pair, struct row_pair);

static int row_id_cmp(const struct pgbox_mailbox_row *const *row1,
		      const struct pgbox_mailbox_row *const *row2)
{
	if ((*row1)->mailbox_id == (*row2)->mailbox_id)
		return 0;
	return (*row1)->mailbox_id < (*row2)->mailbox_id ? -1 : 1;
}

static const struct pgbox_mailbox_row *const *
rows_sort(const struct pgbox_list_rows *rows, unsigned int *count_r)
{
	ARRAY(const struct pgbox_mailbox_row *) sorted;
	const struct pgbox_mailbox_row *row;

	t_array_init(&sorted, array_count(&rows->rows) + 1);
	array_foreach(&rows->rows, row)
		array_push_back(&sorted, &row);
	array_sort(&sorted, row_id_cmp);
	return array_get(&sorted, count_r);
}

static void
rows_pair(const struct pgbox_list_rows *before,
	  const struct pgbox_list_rows *after, ARRAY_TYPE(row_pair) *pairs)
{
	const struct pgbox_mailbox_row *const *old, *const *new;
	unsigned int i = 0, j = 0, old_count, new_count;
	int ret;

	old = rows_sort(before, &old_count);
	new = rows_sort(after, &new_count);
	t_array_init(pairs, old_count + new_count);
	while (i < old_count || j < new_count) {
		struct row_pair *pair = array_append_space(pairs);

		if (i == old_count)
			ret = 1;
		else if (j == new_count)
			ret = -1;
		else
			ret = row_id_cmp(&old[i], &new[j]);
		if (ret <= 0)
			pair->before = old[i++];
		if (ret >= 0)
			pair->after = new[j++];
	}
}

static bool pair_is_deleted(const struct row_pair *pair)
{
	return pair->before != NULL && pair->before->selectable &&
		(pair->after == NULL || !pair->after->selectable);
}

static bool pair_is_created(const struct row_pair *pair)
{
	return pair->after != NULL &&
		(pair->before == NULL ||
		 (!pair->before->selectable && pair->after->selectable));
}

/* In the order in which they could have happened: a deleted mailbox may have
   given its name to another one. */
static void
list_get_events(struct pgbox_list_notify *notify,
		const struct pgbox_list_rows *rows)
{
	ARRAY_TYPE(row_pair) pairs;
	const struct row_pair *pair;

	rows_pair(notify->rows, rows, &pairs);
	array_foreach(&pairs, pair) {
		if (pair_is_deleted(pair)) {
			rec_add(notify, pair->before->name, pair->before,
				MAILBOX_LIST_NOTIFY_DELETE, NULL);
		}
	}
	array_foreach(&pairs, pair) {
		if (pair->before != NULL && pair->after != NULL &&
		    strcmp(pair->before->name, pair->after->name) != 0) {
			rec_add(notify, pair->after->name, pair->after,
				MAILBOX_LIST_NOTIFY_RENAME,
				pair->before->name);
		}
	}
	array_foreach(&pairs, pair) {
		if (pair_is_created(pair)) {
			rec_add(notify, pair->after->name, pair->after,
				MAILBOX_LIST_NOTIFY_CREATE, NULL);
		}
	}
	array_foreach(&pairs, pair) {
		if (pair->after != NULL) {
			rec_add(notify, pair->after->name, pair->after,
				row_get_events(pair->before, pair->after),
				NULL);
		}
	}
}

/*
 * Subscriptions
 */

static int
subscriptions_read(struct pgbox_list_notify *notify, pool_t pool,
		   const char *const **names_r)
{
	struct mailbox_list *list = notify->notify.list;
	struct mailbox_tree_iterate_context *iter;
	ARRAY_TYPE(const_string) names;
	const char *vname;

	if (mailbox_list_iter_subscriptions_refresh(list) < 0)
		return -1;
	p_array_init(&names, pool, 16);
	iter = mailbox_tree_iterate_init(list->subscriptions, NULL,
					 MAILBOX_SUBSCRIBED);
	while (mailbox_tree_iterate_next(iter, &vname) != NULL) {
		vname = p_strdup(pool, vname);
		array_push_back(&names, &vname);
	}
	mailbox_tree_iterate_deinit(&iter);
	array_sort(&names, i_strcmp_p);
	array_append_zero(&names);
	*names_r = array_front(&names);
	return 0;
}

static void
subscription_add(struct pgbox_list_notify *notify, const char *vname,
		 enum mailbox_list_notify_event event)
{
	rec_add(notify, mailbox_list_get_storage_name(notify->notify.list,
						      vname),
		NULL, event, NULL);
}

static int subscriptions_get_events(struct pgbox_list_notify *notify)
{
	const char *const *old = notify->subscriptions, *const *new;
	pool_t pool;
	int ret;

	if (old == NULL)
		return 0;
	pool = pool_alloconly_create("pgbox list subscriptions", 1024);
	if (subscriptions_read(notify, pool, &new) < 0) {
		pool_unref(&pool);
		return -1;
	}
	notify->subscriptions = new;
	while (*old != NULL || *new != NULL) {
		ret = *old == NULL ? 1 : (*new == NULL ? -1 :
					  strcmp(*old, *new));
		if (ret < 0) {
			subscription_add(notify, *old,
					 MAILBOX_LIST_NOTIFY_UNSUBSCRIBE);
		} else if (ret > 0) {
			subscription_add(notify, *new,
					 MAILBOX_LIST_NOTIFY_SUBSCRIBE);
		}
		if (ret <= 0)
			old++;
		if (ret >= 0)
			new++;
	}
	pool_unref(&notify->subscriptions_pool);
	notify->subscriptions_pool = pool;
	return 0;
}

/*
 * The class's functions
 */

int pgbox_list_notify_init(struct mailbox_list *list,
			   enum mailbox_list_notify_event mask,
			   struct mailbox_list_notify **notify_r)
{
	struct pgbox_list_notify *notify;
	struct pgbox_storage *storage;
	struct pgbox_list_rows *rows;
	pool_t pool;

	if (pgbox_list_open_account(list, &storage) < 0 ||
	    pgbox_list_rows_get(list, &rows) < 0)
		return -1;

	pool = pool_alloconly_create("pgbox list notify", 1024);
	notify = i_new(struct pgbox_list_notify, 1);
	notify->notify.list = list;
	notify->notify.mask = mask;
	notify->storage = storage;
	notify->rows = rows;
	notify->pool = pool;
	i_array_init(&notify->recs, 16);
	notify->subscriptions_pool =
		pool_alloconly_create("pgbox list subscriptions", 1024);
	if ((mask & NOTIFY_SUBSCRIPTIONS) != 0 &&
	    subscriptions_read(notify, notify->subscriptions_pool,
			       &notify->subscriptions) < 0) {
		struct mailbox_list_notify *_notify = &notify->notify;

		pgbox_list_notify_deinit(_notify);
		return -1;
	}
	*notify_r = &notify->notify;
	return 0;
}

void pgbox_list_notify_deinit(struct mailbox_list_notify *_notify)
{
	struct pgbox_list_notify *notify = PGBOX_LIST_NOTIFY(_notify);

	pgbox_list_notify_wait(_notify, NULL, NULL);
	pgbox_list_rows_unref(&notify->rows);
	array_free(&notify->recs);
	pool_unref(&notify->subscriptions_pool);
	pool_unref(&notify->pool);
	i_free(notify);
}

static int notify_read(struct pgbox_list_notify *notify)
{
	struct mailbox_list *list = notify->notify.list;
	struct pgbox_list_rows *rows;

	pgbox_list_changed(list);
	if (pgbox_list_rows_get(list, &rows) < 0)
		return -1;
	array_clear(&notify->recs);
	p_clear(notify->pool);
	notify->rec_idx = 0;
	T_BEGIN {
		list_get_events(notify, rows);
	} T_END;
	pgbox_list_rows_unref(&notify->rows);
	notify->rows = rows;
	notify->reading = TRUE;
	notify->read_again = FALSE;
	return subscriptions_get_events(notify);
}

int pgbox_list_notify_next(struct mailbox_list_notify *_notify,
			   const struct mailbox_list_notify_rec **rec_r)
{
	struct pgbox_list_notify *notify = PGBOX_LIST_NOTIFY(_notify);

	if (!notify->reading && notify_read(notify) < 0)
		return -1;
	while (notify->rec_idx == array_count(&notify->recs)) {
		if (!notify->read_again) {
			notify->reading = FALSE;
			return 0;
		}
		if (notify_read(notify) < 0)
			return -1;
	}
	*rec_r = array_idx(&notify->recs, notify->rec_idx++);
	return 1;
}

static void notify_changed(void *context)
{
	struct pgbox_list_notify *notify = context;

	notify->read_again = notify->reading;
	notify->callback(notify->callback_context);
}

void pgbox_list_notify_wait(struct mailbox_list_notify *_notify,
			    void (*callback)(void *context), void *context)
{
	struct pgbox_list_notify *notify = PGBOX_LIST_NOTIFY(_notify);
	struct pgbox_watch_settings set = {
		.notify = notify->storage->notify,
		.db = notify->storage->db,
		.poll_secs = notify->storage->storage.set->
			mailbox_idle_check_interval,
		.changed = notify_changed,
		.context = notify,
	};

	notify->callback = callback;
	notify->callback_context = context;
	if (callback == NULL) {
		if (notify->watch != NULL)
			pgbox_db_wait_end(notify->storage->db);
		pgbox_watch_deinit(&notify->watch);
	} else if (notify->watch == NULL) {
		notify->watch = pgbox_watch_init(&set);
		pgbox_db_wait_begin(notify->storage->db);
	}
}

/* NOOP: the client wants to know now. */
void pgbox_list_notify_flush(struct mailbox_list_notify *_notify)
{
	struct pgbox_list_notify *notify = PGBOX_LIST_NOTIFY(_notify);

	if (notify->watch != NULL)
		notify_changed(notify);
}
