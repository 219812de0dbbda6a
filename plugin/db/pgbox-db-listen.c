/* The connection that listens: reads notifications when they come, and says
   when it was lost. Does not know what is in them. */

#include "pgbox-config.h"
#include "lib.h"
#include "ioloop.h"
#include "pgbox-db-client.h"
#include "pgbox-db-listen.h"

struct pgbox_db_listener {
	struct pgbox_db *db;
	const struct pgbox_db_listener_callbacks *callbacks;
	void *context;

	/* on the connection's socket; NULL if we don't listen */
	struct io *io;
	/* pending: reads what came with the answer to a statement, or tells
	   that the connection was lost */
	struct timeout *to_later;
	/* own; while it connects */
	struct pgbox_db_connector *connector;
	/* own; why it was lost, until that was told */
	char *lost_reason;
};

static const struct pgbox_query query_listen = {
	.name = "listen", .sql = "listen pgbox",
};

static void listener_read(struct pgbox_db_listener *listener)
{
	PGconn *conn = listener->db->conn;
	PGnotify *notify;

	while ((notify = PQnotifies(conn)) != NULL) T_BEGIN {
		bool own = notify->be_pid == PQbackendPID(conn);

		listener->callbacks->notified(notify->extra, own,
					      listener->context);
		PQfreemem(notify);
	} T_END;
}

static void listener_input(struct pgbox_db_listener *listener)
{
	if (pgbox_db_is_dead(listener->db)) {
		pgbox_db_disconnect(listener->db,
				    "The server closed the connection");
	} else {
		listener_read(listener);
	}
}

static void listener_later(struct pgbox_db_listener *listener)
{
	char *reason = listener->lost_reason;

	timeout_remove(&listener->to_later);
	if (reason != NULL) {
		listener->lost_reason = NULL;
		listener->callbacks->lost(reason, listener->context);
		i_free(reason);
	} else if (listener->io != NULL) {
		listener_read(listener);
	}
}

static void listener_call_later(struct pgbox_db_listener *listener)
{
	if (listener->to_later == NULL) {
		listener->to_later =
			timeout_add_short(0, listener_later, listener);
	}
}

static void
listener_disconnected(struct pgbox_db_listener *listener, const char *reason)
{
	if (listener->io == NULL)
		return;
	/* libpq may have closed the socket already; if not, it does now */
	io_remove_closed(&listener->io);
	i_free(listener->lost_reason);
	listener->lost_reason = i_strdup(reason);
	listener_call_later(listener);
}

struct pgbox_db_listener *
pgbox_db_listener_create(struct pgbox_db *db,
			 const struct pgbox_db_listener_callbacks *callbacks,
			 void *context)
{
	struct pgbox_db_listener *listener;

	i_assert(db->listener == NULL);

	listener = i_new(struct pgbox_db_listener, 1);
	listener->db = db;
	listener->callbacks = callbacks;
	listener->context = context;
	db->listener = listener;
	db->closing = listener_disconnected;
	return listener;
}

void pgbox_db_listener_destroy(struct pgbox_db_listener **_listener)
{
	struct pgbox_db_listener *listener = *_listener;

	if (listener == NULL)
		return;
	*_listener = NULL;
	listener->db->listener = NULL;
	pgbox_db_connector_deinit(&listener->connector);
	io_remove(&listener->io);
	timeout_remove(&listener->to_later);
	i_free(listener->lost_reason);
	i_free(listener);
}

static int
listener_listen(struct pgbox_db_listener *listener,
		struct pgbox_db_failure *failure_r)
{
	struct pgbox_db *db = listener->db;
	struct pgbox_db_result *result;

	if (!db->backend_is_known) {
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_CONFIG,
			"There is a pooler between, which notifications don't "
			"get through: a direct connection is needed");
		return -1;
	}
	if (pgbox_db_exec(db, &query_listen, NULL, &result, failure_r) < 0)
		return -1;
	pgbox_db_result_free(&result);
	if (db->state != PGBOX_DB_STATE_IDLE) {
		/* closed right after its answer */
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_UNAVAILABLE,
				     "The server closed the connection");
		return -1;
	}
	/* if it was lost meanwhile, the caller begins anew now */
	i_free(listener->lost_reason);
	io_remove(&listener->io);
	listener->io = io_add(PQsocket(db->conn), IO_READ, listener_input,
			      listener);
	/* something may have come with the answer */
	listener_call_later(listener);
	return 0;
}

static void
listener_connected(const struct pgbox_db_failure *failure, void *context)
{
	struct pgbox_db_listener *listener = context;
	struct pgbox_db_failure listen_failure;

	/* failure lives on the data stack, not in the connector */
	pgbox_db_connector_deinit(&listener->connector);
	if (failure == NULL && listener_listen(listener, &listen_failure) < 0)
		failure = &listen_failure;
	listener->callbacks->started(failure, listener->context);
}

void pgbox_db_listener_start(struct pgbox_db_listener *listener)
{
	i_assert(listener->io == NULL && listener->connector == NULL);

	/* A statement may have connected anew: not to be trusted with half of
	   what was sent. */
	pgbox_db_disconnect(listener->db, "Connecting anew to listen");
	listener->connector = pgbox_db_connector_init(listener->db,
						      listener_connected,
						      listener);
}

bool pgbox_db_listener_is_listening(const struct pgbox_db_listener *listener)
{
	return listener->io != NULL;
}

int pgbox_db_listener_exec(struct pgbox_db_listener *listener,
			   const struct pgbox_query *query,
			   const struct pgbox_db_params *params,
			   struct pgbox_db_result **result_r,
			   struct pgbox_db_failure *failure_r)
{
	i_assert(listener->io != NULL);

	/* Nobody waits here until there is another one. */
	if (pgbox_db_is_dead(listener->db)) {
		pgbox_db_disconnect(listener->db,
				    "The server closed the connection");
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_UNAVAILABLE,
				     "The server closed the connection");
		return -1;
	}
	/* It may connect anew; then lost() is called, as we don't listen any
	   more. */
	if (pgbox_db_exec(listener->db, query, params, result_r, failure_r) < 0)
		return -1;
	listener_call_later(listener);
	return 0;
}
