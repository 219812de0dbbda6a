/* Connecting while the ioloop goes on, for a process that has more to do than to
   wait for one server. Knows nothing of statements. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "str.h"
#include "pgbox-db-client.h"

struct pgbox_db_connector {
	struct pgbox_db *db;
	pgbox_db_connector_callback_t *callback;
	void *context;

	/* on the socket of the host that is being tried */
	struct io *io;
	/* the next step: the first host, or giving this one up */
	struct timeout *to;

	/* number of hosts that failed, and why */
	unsigned int failed_count;
	string_t *errors;
	int64_t deadline;
};

static void connector_try_host(struct pgbox_db_connector *connector);

static void connector_stop_waiting(struct pgbox_db_connector *connector)
{
	io_remove(&connector->io);
	timeout_remove(&connector->to);
}

static unsigned int
connector_host_idx(const struct pgbox_db_connector *connector)
{
	const struct pgbox_db *db = connector->db;

	return (db->host_idx + connector->failed_count) %
		array_count(&db->hosts);
}

/* The callback may free the connector. */
static void
connector_failed(struct pgbox_db_connector *connector,
		 struct pgbox_db_failure *failure)
{
	failure->message = t_strconcat("Connecting to PostgreSQL failed: ",
				       failure->message, NULL);
	pgbox_db_disconnect(connector->db, failure->message);
	connector->callback(failure, connector->context);
}

static void
connector_host_failed(struct pgbox_db_connector *connector, const char *error)
{
	struct pgbox_db_failure failure;

	connector_stop_waiting(connector);
	if (str_len(connector->errors) > 0)
		str_append_c(connector->errors, '\n');
	str_append(connector->errors, error);
	pgbox_db_disconnect(connector->db, "Connecting failed");
	if (++connector->failed_count < array_count(&connector->db->hosts)) {
		connector_try_host(connector);
		return;
	}
	pgbox_db_failure_from_connect(str_c(connector->errors), &failure);
	pgbox_db_failure_advise(connector->db, &failure);
	connector_failed(connector, &failure);
}

static void connector_host_timeout(struct pgbox_db_connector *connector)
{
	const struct pgbox_db_host *host =
		array_idx(&connector->db->hosts,
			  connector_host_idx(connector));

	connector_host_failed(connector, pgbox_db_connect_timeout_text(host));
}

static void connector_succeeded(struct pgbox_db_connector *connector)
{
	struct pgbox_db *db = connector->db;
	struct pgbox_db_failure failure;

	connector_stop_waiting(connector);
	/* the server is there, so this is waited for */
	if (pgbox_db_connected(db, connector->deadline, &failure) < 0) {
		connector_host_failed(connector, failure.message);
		return;
	}
	db->host_idx = connector_host_idx(connector);
	connector->callback(NULL, connector->context);
}

static void connector_poll(struct pgbox_db_connector *connector)
{
	struct pgbox_db *db = connector->db;
	int64_t start = pgbox_db_now_msecs();
	PostgresPollingStatusType status;

	/* libpq may close the socket, and use another one */
	io_remove(&connector->io);
	status = pgbox_db_home_connect_poll(db->conn);
	pgbox_db_connect_check_time(db, pgbox_db_now_msecs() - start);
	if (status == PGRES_POLLING_READING ||
	    status == PGRES_POLLING_WRITING) {
		connector->io = io_add(PQsocket(db->conn),
				       status == PGRES_POLLING_READING ?
				       IO_READ : IO_WRITE, connector_poll,
				       connector);
	} else if (status == PGRES_POLLING_OK &&
		   PQsetnonblocking(db->conn, 1) == 0) {
		connector_succeeded(connector);
	} else {
		connector_host_failed(connector, PQerrorMessage(db->conn));
	}
}

static void connector_try_host(struct pgbox_db_connector *connector)
{
	struct pgbox_db *db = connector->db;
	const struct pgbox_db_host *host;
	struct pgbox_db_failure failure;
	const char *error;
	int64_t now = pgbox_db_now_msecs(), msecs;

	timeout_remove(&connector->to);
	if (pgbox_db_conninfo_parse(db, &failure) < 0) {
		connector_failed(connector, &failure);
		return;
	}
	host = array_idx(&db->hosts, connector_host_idx(connector));
	msecs = (connector->deadline - now) /
		(array_count(&db->hosts) - connector->failed_count);
	pgbox_db_set_state(db, PGBOX_DB_STATE_CONNECTING);
	if (pgbox_db_connect_begin(db, host, &error) < 0) {
		connector_host_failed(connector, error);
		return;
	}
	pgbox_db_connect_check_time(db, pgbox_db_now_msecs() - now);
	connector->to = timeout_add_short(I_MAX(msecs, 0),
					  connector_host_timeout, connector);
	/* before its first call, PQconnectPoll() wants to be treated as if it
	   had wanted to write */
	connector->io = io_add(PQsocket(db->conn), IO_WRITE, connector_poll,
			       connector);
}

struct pgbox_db_connector *
pgbox_db_connector_init(struct pgbox_db *db,
			pgbox_db_connector_callback_t *callback, void *context)
{
	struct pgbox_db_connector *connector;

	i_assert(db->state == PGBOX_DB_STATE_DISCONNECTED);

	connector = i_new(struct pgbox_db_connector, 1);
	connector->db = db;
	connector->callback = callback;
	connector->context = context;
	connector->errors = str_new(default_pool, 128);
	connector->deadline = pgbox_db_now_msecs() +
		db->set.connect_timeout_msecs;
	connector->to = timeout_add_short(0, connector_try_host, connector);
	return connector;
}

void pgbox_db_connector_deinit(struct pgbox_db_connector **_connector)
{
	struct pgbox_db_connector *connector = *_connector;

	if (connector == NULL)
		return;
	*_connector = NULL;
	connector_stop_waiting(connector);
	if (connector->db->state == PGBOX_DB_STATE_CONNECTING)
		pgbox_db_disconnect(connector->db, "Connecting was given up");
	str_free(&connector->errors);
	i_free(connector);
}
