/* Keeps one database's LISTEN going. Knows nothing of wake-up files. */

#include "pgbox-config.h"
#include "lib.h"
#include "ioloop.h"
#include "time-util.h"
#include "pgbox-db-listen.h"
#include "pgbox-history.h"
#include "pgbox-query.h"
#include "pgbox-query-session.h"
#include "pgbox-notify-file.h"
#include "pgbox-notify-server.h"

#define CONNECT_TIMEOUT_MSECS 2000
#define QUERY_TIMEOUT_MSECS 5000

/* Between two attempts to connect */
#define RETRY_MIN_MSECS 1000
#define RETRY_MAX_MSECS 3000

/* While it is down, or notifications are late, that is logged once in so
   long. */
#define LOG_INTERVAL_SECS 60
#define LAG_WARN_MSECS 1000

/* What we send to ourselves begins with this; no wake-up file's name does. */
#define PROBE_PREFIX '.'

struct pgbox_notify_server {
	char *name;
	const struct pgbox_notify_server_callbacks *callbacks;

	struct pgbox_db *db;
	struct pgbox_db_listener *listener;
	/* foreign */
	struct pgbox_history *history;

	/* connects, or sends the next probe */
	struct timeout *to;
	unsigned int retry_msecs;

	/* number of the last probe, and when it was sent */
	unsigned int probe;
	struct timeval probe_time;
	/* the last probe, or the one before it while that is on its way, came
	   in */
	bool alive;
	bool probe_came;

	time_t lost_since;
	time_t last_down_log, last_lag_log;
};

static void server_start(struct pgbox_notify_server *server);
static void server_probe(struct pgbox_notify_server *server);

static bool log_again(time_t *last)
{
	if (ioloop_time - *last < LOG_INTERVAL_SECS)
		return FALSE;
	*last = ioloop_time;
	return TRUE;
}

static void server_down(struct pgbox_notify_server *server)
{
	server->alive = FALSE;
	if (server->lost_since == 0)
		server->lost_since = ioloop_time;
	server->callbacks->checked();
	timeout_remove(&server->to);
	server->to = timeout_add_short(server->retry_msecs, server_start,
				       server);
	server->retry_msecs = I_MIN(server->retry_msecs * 2, RETRY_MAX_MSECS);
}

/*
 * Probes
 */

static void server_up(struct pgbox_notify_server *server)
{
	server->alive = TRUE;
	server->retry_msecs = RETRY_MIN_MSECS;
	server->last_down_log = 0;
	if (server->lost_since == 0)
		i_info("%s: Listening", server->name);
	else {
		i_info("%s: Listening again after %ld seconds", server->name,
		       (long)(ioloop_time - server->lost_since));
	}
	server->lost_since = 0;
	server->callbacks->began();
}

static void server_probe_came(struct pgbox_notify_server *server)
{
	struct timeval now;
	int lag_msecs;

	i_gettimeofday(&now);
	lag_msecs = timeval_diff_msecs(&now, &server->probe_time);
	server->probe_came = TRUE;
	if (lag_msecs > LAG_WARN_MSECS && log_again(&server->last_lag_log)) {
		i_warning("%s: Notifications are late by %d milliseconds",
			  server->name, lag_msecs);
	}
	if (!server->alive)
		server_up(server);
	server->callbacks->checked();
}

static void server_probe(struct pgbox_notify_server *server)
{
	const char *payload;

	if (!server->probe_came && server->probe != 0) {
		if (log_again(&server->last_down_log)) {
			i_error("%s: Notifications don't come in: "
				"something on the way holds them back",
				server->name);
		}
		server->alive = FALSE;
		server->callbacks->checked();
	}
	server->probe++;
	server->probe_came = FALSE;
	i_gettimeofday(&server->probe_time);
	payload = t_strdup_printf("%c%u", PROBE_PREFIX, server->probe);
	timeout_remove(&server->to);
	server->to = timeout_add(PGBOX_NOTIFY_ALIVE_INTERVAL_SECS * 1000,
				 server_probe, server);
	(void)pgbox_notify_server_send(server, &payload, 1);
}

static void server_notified(const char *payload, bool own, void *context)
{
	struct pgbox_notify_server *server = context;
	unsigned int probe;

	if (!own)
		server->callbacks->notified(payload);
	else if (*payload == PROBE_PREFIX &&
		 str_to_uint(payload + 1, &probe) == 0 &&
		 probe == server->probe)
		server_probe_came(server);
	/* who waits on this host was woken before it was sent */
}

/*
 * The connection
 */

static void server_lost(const char *reason, void *context)
{
	struct pgbox_notify_server *server = context;

	i_warning("%s: Connection lost: %s", server->name, reason);
	server->retry_msecs = RETRY_MIN_MSECS;
	server_down(server);
}

static void
server_started(const struct pgbox_db_failure *failure, void *context)
{
	struct pgbox_notify_server *server = context;

	if (failure != NULL) {
		if (log_again(&server->last_down_log)) {
			i_error("%s: Can't listen, trying on; sessions ask "
				"every mailbox_idle_check_interval meanwhile: "
				"%s", server->name, failure->message);
		}
		server_down(server);
		return;
	}
	server->probe = 0;
	server_probe(server);
}

static const struct pgbox_db_listener_callbacks listener_callbacks = {
	.started = server_started,
	.notified = server_notified,
	.lost = server_lost,
};

static void server_start(struct pgbox_notify_server *server)
{
	timeout_remove(&server->to);
	pgbox_db_listener_start(server->listener);
}

bool pgbox_notify_server_is_alive(const struct pgbox_notify_server *server)
{
	return server->alive &&
		pgbox_db_listener_is_listening(server->listener);
}

int pgbox_notify_server_send(struct pgbox_notify_server *server,
			     const char *const *payloads, unsigned int count)
{
	const char **list = t_new(const char *, count + 1);
	const struct pgbox_notify_params values = { .payloads = list };
	struct pgbox_notify_columns columns;
	struct pgbox_db_params *params;
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;

	if (!pgbox_db_listener_is_listening(server->listener))
		return -1;

	memcpy(list, payloads, sizeof(*list) * count);
	params = pgbox_db_params_create(pool_datastack_create());
	pgbox_bind_notify(params, &values);
	if (pgbox_db_listener_exec(server->listener, &pgbox_query_notify,
				   params, &result, &failure) == 0) {
		pgbox_read_notify(result, 0, &columns);
		/* what this host has changed was committed before */
		pgbox_history_advanced(server->history, columns.position);
		pgbox_db_result_free(&result);
		return 0;
	}
	/* the loss of the connection has a line of its own */
	if (pgbox_db_listener_is_listening(server->listener)) {
		i_error("%s: Can't send notifications: %s", server->name,
			failure.message);
	}
	return -1;
}

struct pgbox_notify_server *
pgbox_notify_server_init(const char *name, const char *dsn,
			 struct pgbox_history *history,
			 const struct pgbox_notify_server_callbacks *callbacks)
{
	const struct pgbox_db_settings db_set = {
		.conninfo = dsn,
		.query_timeout_msecs = QUERY_TIMEOUT_MSECS,
		.connect_timeout_msecs = CONNECT_TIMEOUT_MSECS,
		/* a listener never is idle */
		.idle_disconnect_msecs = 1,
	};
	struct pgbox_notify_server *server;

	server = i_new(struct pgbox_notify_server, 1);
	server->name = i_strdup(name);
	server->callbacks = callbacks;
	server->retry_msecs = RETRY_MIN_MSECS;
	server->db = pgbox_db_ref(&db_set, NULL);
	server->listener = pgbox_db_listener_create(server->db,
						    &listener_callbacks,
						    server);
	server->history = history;
	pgbox_query_session_init(server->db, history);
	server->to = timeout_add_short(0, server_start, server);
	return server;
}

void pgbox_notify_server_deinit(struct pgbox_notify_server **_server)
{
	struct pgbox_notify_server *server = *_server;

	*_server = NULL;
	timeout_remove(&server->to);
	pgbox_db_listener_destroy(&server->listener);
	pgbox_db_unref(&server->db);
	i_free(server->name);
	i_free(server);
}
