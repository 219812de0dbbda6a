/* Works through one database's queue of texts. Knows nothing of mailboxes, users
   and wake-up files. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "istream.h"
#include "message-part-serialize.h"
#include "time-util.h"
#include "unichar.h"
#include "pgbox-db.h"
#include "pgbox-history.h"
#include "pgbox-message-text.h"
#include "pgbox-query-session.h"
#include "pgbox-query-text.h"
#include "pgbox-text-batch.h"
#include "pgbox-text-istream.h"
#include "pgbox-text-worker.h"

#include <unistd.h>

/* Taken from the queue at once; a single message may be larger. */
#define NEXT_COUNT 50
#define NEXT_BYTES (4 * 1024 * 1024)

/* A message that takes longer ends the process, before others may take it:
   text_next() gives it away after ten seconds more. */
#define READ_MIN_SECS 50
#define READ_BYTES_PER_SEC 1000000

/* Several deliveries often come together. */
#define WAKE_DELAY_MSECS 300
/* For what nobody woke us for, and what others left behind */
#define POLL_INTERVAL_MSECS (60 * 1000)
#define RETRY_INTERVAL_MSECS (10 * 1000)

#define QUERY_TIMEOUT_MSECS 30000
#define CONNECT_TIMEOUT_MSECS 2000
#define IDLE_DISCONNECT_MSECS 10000

/* While the database is down, that is logged once in so long. */
#define LOG_INTERVAL_SECS 60

struct pgbox_text_worker {
	char *name;
	struct pgbox_db *db;

	/* to the next look at the queue */
	struct timeout *to;
	/* there is nothing to do: to can be hurried */
	bool idle;

	time_t last_log;
};

static void worker_run(struct pgbox_text_worker *worker);

static void
worker_log(struct pgbox_text_worker *worker,
	   const struct pgbox_db_failure *failure)
{
	if (ioloop_time - worker->last_log < LOG_INTERVAL_SECS)
		return;
	worker->last_log = ioloop_time;
	i_error("%s: Text for SEARCH can't be extracted now, trying on: %s",
		worker->name, failure->message);
}

/*
 * One message
 */

static struct istream *
item_open(struct pgbox_text_worker *worker, const struct pgbox_text_item *item)
{
	if (item->data != NULL)
		return i_stream_create_from_data(item->data, item->size);
	return pgbox_text_istream_create(worker->db, item->account_id,
					 item->message_id, item->size);
}

/* Returns 0, or -1 as pgbox_message_text_read(). */
static int
item_read_text(const struct pgbox_text_item *item, struct istream *input,
	       struct pgbox_message_text *text_r)
{
	const struct pgbox_text_settings set = {
		/* that of users */
		.normalizer = uni_utf8_to_decomposed_titlecase,
		.want_body = item->want_body,
		.max_bytes = PGBOX_TEXT_MAX_BYTES,
	};
	struct message_part *parts = NULL;
	const char *error;
	pool_t pool;
	int ret;

	pool = pool_alloconly_create("pgbox message parts", 2048);
	if (item->mime_parts != NULL) {
		parts = message_part_deserialize(pool, item->mime_parts,
						 item->mime_parts_size,
						 &error);
	}
	ret = pgbox_message_text_read(input, parts, &set, text_r);
	if (ret < 0 && input->stream_errno == 0) {
		/* the parts are wrong: without them, as Dovecot does */
		ret = pgbox_message_text_read(input, NULL, &set, text_r);
	}
	pool_unref(&pool);
	return ret;
}

/* The others go on. It will be taken again, alone, until it is given up. */
static void item_unreadable(const struct pgbox_text_worker *worker,
			    const struct pgbox_text_item *item,
			    const char *error)
{
	i_error("%s: Text for SEARCH can't be extracted from message %"PRId64
		" of account %"PRId64": %s", worker->name, item->message_id,
		item->account_id, error);
}

/* Returns 1, 0 if there is no text now: the message was purged or can't be
   read, or -1 and the failure. */
static int
item_read(struct pgbox_text_worker *worker, const struct pgbox_text_item *item,
	  struct pgbox_text_batch *batch, struct pgbox_db_failure *failure_r)
{
	struct pgbox_message_text text;
	struct istream *input = item_open(worker, item);
	int ret;

	(void)alarm(READ_MIN_SECS + item->size / READ_BYTES_PER_SEC);
	ret = item_read_text(item, input, &text);
	(void)alarm(0);
	if (ret == 0) {
		pgbox_text_batch_add(batch, item->account_id,
				     item->message_id, &text);
		ret = 1;
	} else if (input->stream_errno == ENOENT) {
		ret = 0;
	} else if (input->stream_errno == EINVAL) {
		item_unreadable(worker, item, i_stream_get_error(input));
		ret = 0;
	} else {
		i_zero(failure_r);
		failure_r->message = t_strdup_printf("Reading message %"PRId64
			" of account %"PRId64" failed: %s", item->message_id,
			item->account_id, i_stream_get_error(input));
		ret = -1;
	}
	i_stream_unref(&input);
	return ret;
}

/*
 * What was taken from the queue
 */

static void item_failed(const struct pgbox_text_worker *worker,
			const struct pgbox_text_item *item)
{
	i_warning("%s: Gave up extracting text for SEARCH from message %"PRId64
		  " of account %"PRId64" after three attempts; Dovecot "
		  "searches it itself", worker->name,
		  item->message_id, item->account_id);
}

/* Returns how many texts were stored, or -1 and the failure. */
static int
worker_work(struct pgbox_text_worker *worker,
	    const ARRAY_TYPE(pgbox_text_item) *items,
	    struct pgbox_db_failure *failure_r)
{
	struct pgbox_text_batch *batch = pgbox_text_batch_init();
	const struct pgbox_text_item *item;
	unsigned int stored = 0;
	int ret = 0;

	array_foreach(items, item) {
		if (item->failed) {
			item_failed(worker, item);
			continue;
		}
		/* a large one takes so long that others would begin anew with
		   those before it */
		if (item->data == NULL || pgbox_text_batch_is_full(batch)) {
			ret = pgbox_text_batch_store(batch, worker->db,
						     &stored, failure_r);
		}
		if (ret == 0) T_BEGIN {
			ret = item_read(worker, item, batch, failure_r);
		} T_END_PASS_STR_IF(ret < 0, &failure_r->message);
		if (ret < 0)
			break;
		ret = 0;
	}
	if (ret == 0) {
		ret = pgbox_text_batch_store(batch, worker->db, &stored,
					     failure_r);
	}
	pgbox_text_batch_deinit(&batch);
	return ret < 0 ? -1 : (int)stored;
}

/* Returns 1 if there may be more, 0 if not, -1 if the database can't be
   used. */
static int worker_next(struct pgbox_text_worker *worker)
{
	pool_t pool = pool_alloconly_create("pgbox text items", 64 * 1024);
	ARRAY_TYPE(pgbox_text_item) items;
	struct pgbox_db_failure failure;
	int ret;

	p_array_init(&items, pool, NEXT_COUNT);
	ret = pgbox_run_text_next(worker->db, NEXT_COUNT, NEXT_BYTES, pool,
				  &items, &failure);
	if (ret == 0 && array_count(&items) > 0)
		ret = worker_work(worker, &items, &failure);
	if (ret < 0)
		worker_log(worker, &failure);
	else
		ret = array_count(&items) > 0 ? 1 : 0;
	pool_unref(&pool);
	return ret;
}

/*
 * When
 */

static void worker_run(struct pgbox_text_worker *worker)
{
	uint64_t start = i_microseconds();
	unsigned int msecs = 0;
	int ret;

	timeout_remove(&worker->to);
	T_BEGIN {
		ret = worker_next(worker);
	} T_END;
	worker->idle = ret == 0;
	if (ret > 0) {
		/* as long as it took is somebody else's turn */
		msecs = (i_microseconds() - start) / 1000;
		worker->last_log = 0;
	} else {
		msecs = ret == 0 ? POLL_INTERVAL_MSECS : RETRY_INTERVAL_MSECS;
	}
	worker->to = timeout_add_short(msecs, worker_run, worker);
}

void pgbox_text_worker_wake(struct pgbox_text_worker *worker)
{
	if (!worker->idle)
		return;
	worker->idle = FALSE;
	timeout_remove(&worker->to);
	worker->to = timeout_add_short(WAKE_DELAY_MSECS, worker_run, worker);
}

struct pgbox_text_worker *
pgbox_text_worker_init(const char *name, const char *dsn, const char *dir)
{
	const struct pgbox_db_settings db_set = {
		.conninfo = dsn,
		.query_timeout_msecs = QUERY_TIMEOUT_MSECS,
		.connect_timeout_msecs = CONNECT_TIMEOUT_MSECS,
		.idle_disconnect_msecs = IDLE_DISCONNECT_MSECS,
	};
	struct pgbox_text_worker *worker = i_new(struct pgbox_text_worker, 1);

	worker->name = i_strdup(name);
	worker->db = pgbox_db_ref(&db_set, NULL);
	pgbox_query_session_init(worker->db, pgbox_history_get(dsn, dir));
	worker->to = timeout_add_short(0, worker_run, worker);
	return worker;
}

void pgbox_text_worker_deinit(struct pgbox_text_worker **_worker)
{
	struct pgbox_text_worker *worker = *_worker;

	*_worker = NULL;
	timeout_remove(&worker->to);
	pgbox_db_unref(&worker->db);
	i_free(worker->name);
	i_free(worker);
}
