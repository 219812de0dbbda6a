/* Collects names from the FIFO and makes payloads of them. Knows nothing of
   files and databases. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "hash.h"
#include "ioloop.h"
#include "istream.h"
#include "str.h"
#include "strescape.h"
#include "time-util.h"
#include "pgbox-notify-file.h"
#include "pgbox-notify-queue.h"

/* At most one statement in so long. The first after a pause goes at once. */
#define SEND_INTERVAL_MSECS 50
#define RETRY_INTERVAL_MSECS 1000

/* More names than this in one interval, or while there is no database, become
   "all". */
#define MAX_NAMES 10000
/* PostgreSQL's limit is 7999. */
#define MAX_PAYLOAD_BYTES 7900

#define MAX_LINE_BYTES 4096

struct pgbox_notify_queue {
	const struct pgbox_notify_queue_callbacks *callbacks;

	struct istream *input;
	struct io *io;

	/* name -> name, from the pool */
	pool_t pool;
	HASH_TABLE(char *, char *) names;
	bool all;

	struct timeout *to_send;
	struct timeval last_sent;
};

/*
 * Sending
 */

static void queue_clear(struct pgbox_notify_queue *queue)
{
	hash_table_clear(queue->names, FALSE);
	p_clear(queue->pool);
	queue->all = FALSE;
}

static void
queue_get_payloads(struct pgbox_notify_queue *queue,
		   ARRAY_TYPE(const_string) *payloads)
{
	struct hash_iterate_context *iter;
	string_t *payload = t_str_new(MAX_PAYLOAD_BYTES);
	const char *str;
	char *name, *value;

	if (queue->all) {
		str = PGBOX_NOTIFY_PAYLOAD_ALL;
		array_push_back(payloads, &str);
		return;
	}
	iter = hash_table_iterate_init(queue->names);
	while (hash_table_iterate(iter, queue->names, &name, &value)) {
		if (str_len(payload) + 1 + strlen(name) > MAX_PAYLOAD_BYTES) {
			str = t_strdup(str_c(payload));
			array_push_back(payloads, &str);
			str_truncate(payload, 0);
		}
		if (str_len(payload) > 0)
			str_append_c(payload, ' ');
		str_append(payload, name);
	}
	hash_table_iterate_deinit(&iter);
	str = str_c(payload);
	array_push_back(payloads, &str);
}

static void queue_send(struct pgbox_notify_queue *queue)
{
	ARRAY_TYPE(const_string) payloads;
	const char *const *list;
	unsigned int count;

	timeout_remove(&queue->to_send);
	i_gettimeofday(&queue->last_sent);
	t_array_init(&payloads, 4);
	queue_get_payloads(queue, &payloads);
	list = array_get(&payloads, &count);
	if (queue->callbacks->send(list, count) == 0) {
		queue_clear(queue);
	} else {
		queue->to_send = timeout_add_short(RETRY_INTERVAL_MSECS,
						   queue_send, queue);
	}
}

static void queue_send_soon(struct pgbox_notify_queue *queue)
{
	struct timeval now;
	int msecs;

	if (queue->to_send != NULL)
		return;
	i_gettimeofday(&now);
	msecs = timeval_diff_msecs(&now, &queue->last_sent);
	/* the clock may have been set back */
	msecs = msecs < 0 ? 0 : SEND_INTERVAL_MSECS - msecs;
	queue->to_send = timeout_add_short(I_MAX(msecs, 0), queue_send, queue);
}

void pgbox_notify_queue_retry(struct pgbox_notify_queue *queue)
{
	if (queue->to_send == NULL)
		return;
	timeout_remove(&queue->to_send);
	queue_send_soon(queue);
}

/*
 * Collecting
 */

static void queue_add(struct pgbox_notify_queue *queue, const char *name,
		      uint64_t writer)
{
	char *dup;

	queue->callbacks->changed(name, writer);
	if (queue->all || hash_table_lookup(queue->names, name) != NULL)
		return;
	if (hash_table_count(queue->names) >= MAX_NAMES) {
		queue_clear(queue);
		queue->all = TRUE;
		return;
	}
	dup = p_strdup(queue->pool, name);
	hash_table_insert(queue->names, dup, dup);
	queue_send_soon(queue);
}

static void queue_line(struct pgbox_notify_queue *queue, const char *line)
{
	const char *const *names = t_strsplit_spaces(line, " ");
	uint64_t writer = 0;

	/* anybody can write to the FIFO */
	if (*names != NULL && **names == PGBOX_NOTIFY_WRITER_PREFIX) {
		if (str_to_uint64_hex(*names + 1, &writer) < 0)
			return;
		names++;
	}
	for (; *names != NULL; names++) {
		if (pgbox_notify_name_is_valid(*names))
			queue_add(queue, *names, writer);
	}
}

static void queue_input(struct pgbox_notify_queue *queue)
{
	const char *line;
	size_t size;

	switch (i_stream_read(queue->input)) {
	case -2:
		/* no line that we know */
		(void)i_stream_get_data(queue->input, &size);
		i_stream_skip(queue->input, size);
		return;
	case -1:
		/* Dovecot's master has it open: this can't happen before the
		   end */
		io_remove(&queue->io);
		return;
	default:
		break;
	}
	while ((line = i_stream_next_line(queue->input)) != NULL) T_BEGIN {
		queue_line(queue, line);
	} T_END;
}

void pgbox_notify_queue_read(struct pgbox_notify_queue *queue, int fd)
{
	io_remove(&queue->io);
	i_stream_unref(&queue->input);
	queue->input = i_stream_create_fd_autoclose(&fd, MAX_LINE_BYTES);
	queue->io = io_add_istream(queue->input, queue_input, queue);
	i_stream_set_input_pending(queue->input, TRUE);
}

/*
 * Life
 */

struct pgbox_notify_queue *
pgbox_notify_queue_init(const struct pgbox_notify_queue_callbacks *callbacks)
{
	struct pgbox_notify_queue *queue =
		i_new(struct pgbox_notify_queue, 1);

	queue->callbacks = callbacks;
	queue->pool = pool_alloconly_create("pgbox notify names", 4096);
	hash_table_create(&queue->names, default_pool, 0, str_hash, strcmp);
	return queue;
}

void pgbox_notify_queue_deinit(struct pgbox_notify_queue **_queue)
{
	struct pgbox_notify_queue *queue = *_queue;

	*_queue = NULL;
	if (queue->to_send != NULL) {
		/* what was told last */
		queue_send(queue);
	}
	timeout_remove(&queue->to_send);
	io_remove(&queue->io);
	i_stream_unref(&queue->input);
	hash_table_destroy(&queue->names);
	pool_unref(&queue->pool);
	i_free(queue);
}
