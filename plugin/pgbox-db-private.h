#ifndef PGBOX_DB_PRIVATE_H
#define PGBOX_DB_PRIVATE_H

/* What the pgbox-db files share. No other file may include this: libpq ends
   here. */

#include "pgbox-db.h"
#include "pgbox-query.h"

#include <libpq-fe.h>

/* What happens on the connection. The state also says what a lost connection
   means, see pgbox_db_failure_lost(). */
enum pgbox_db_state {
	/* there is no PGconn */
	PGBOX_DB_STATE_DISCONNECTED = 0,
	/* the first bytes are exchanged: no statement may be sent yet */
	PGBOX_DB_STATE_CONNECTING,
	/* connected, the query of the connected callback is under way */
	PGBOX_DB_STATE_CHECKING,
	/* a statement is prepared, which changes nothing */
	PGBOX_DB_STATE_PREPARING,
	/* connected, nothing is under way. Only here the idle timer runs. */
	PGBOX_DB_STATE_IDLE,
	/* a statement outside a transaction was given to libpq: it commits by
	   itself, we don't know when */
	PGBOX_DB_STATE_BUSY,
	/* BEGIN was given to libpq */
	PGBOX_DB_STATE_TXN_BEGINNING,
	/* in an explicit transaction, nothing is under way */
	PGBOX_DB_STATE_TXN,
	/* in an explicit transaction, a statement was given to libpq */
	PGBOX_DB_STATE_TXN_BUSY,
	/* COMMIT was given to libpq */
	PGBOX_DB_STATE_TXN_COMMITTING,
	/* ROLLBACK was given to libpq */
	PGBOX_DB_STATE_TXN_ROLLING_BACK,

	PGBOX_DB_STATE_COUNT
};

/* SQLSTATEs that the code asks for by name. The others are in the table of
   pgbox-db-error.c. */
#define PGBOX_SQLSTATE_READ_ONLY "25006"
#define PGBOX_SQLSTATE_STARTING_UP "57P03"
/* invalid_sql_statement_name: somebody has deallocated it */
#define PGBOX_SQLSTATE_NOT_PREPARED "26000"
/* feature_not_supported: "cached plan must not change result type" */
#define PGBOX_SQLSTATE_PLAN_CHANGED "0A000"

/* One server of the connection string, which may name several */
struct pgbox_db_host {
	/* "" = libpq's default */
	const char *host, *hostaddr, *port;
};
ARRAY_DEFINE_TYPE(pgbox_db_host, struct pgbox_db_host);

struct pgbox_db_statement {
	const struct pgbox_query *query;
	/* may be NULL */
	const struct pgbox_db_params *params;
	/* the state while it runs, and after it has succeeded */
	enum pgbox_db_state busy, done;
	/* it is not run but prepared; busy is PREPARING */
	bool prepare;
	/* see struct pgbox_db_patience */
	int client_fd;
};

/* A statement from its sending to its answer */
struct pgbox_db_running {
	struct pgbox_db_statement stmt;
	int64_t start_usecs;
	/* own */
	struct event *event;
};

struct pgbox_db {
	/* list of all connections of the process */
	struct pgbox_db *prev, *next;
	pool_t pool;
	/* 0 = lingers, see pgbox_db_init() */
	int refcount;

	struct pgbox_db_settings set;
	struct event *event;

	/* own; NULL if conninfo could not be parsed. Holds the password. */
	PQconninfoOption *options;
	ARRAY_TYPE(pgbox_db_host) hosts;
	/* the host that answered last is asked first */
	unsigned int host_idx;

	/* change with pgbox_db_set_state() only */
	enum pgbox_db_state state;
	/* own; not NULL in all states but DISCONNECTED */
	PGconn *conn;
	/* The server said goodbye while no statement was under way */
	bool server_left;

	/* The process that we are connected to is the one that runs our
	   statements: there is no pooler in between. */
	bool backend_is_known;
	/* by pgbox_query.number; see pgbox-db-prepare.c */
	ARRAY(uint8_t) prepare_states;
	/* query is NULL if none is under way */
	struct pgbox_db_running running;
	/* foreign: whose answer nobody has waited for yet, NULL if there is
	   none */
	struct pgbox_db_started *started;

	const struct pgbox_query *connected_query;
	pgbox_db_connected_callback_t *connected_callback;
	void *connected_context; /* foreign */
	/* empty ones if there are none */
	struct pgbox_db_connected_hooks connected_hooks;

	/* in the root ioloop, NULL if there is none or we're disconnected */
	struct timeout *to_idle;
	/* pgbox_db_wait_begin() without its end */
	unsigned int waiting_count;
	/* foreign; NULL unless the connection is kept for LISTEN */
	struct pgbox_db_listener *listener;

	/* Until then (pgbox_db_now_msecs()) nobody tries to connect, because
	   it failed just now, as connect_failure says. */
	int64_t stay_away_until;
	struct pgbox_db_failure connect_failure;
	char *connect_message; /* own */
};

struct pgbox_db_result {
	/* own */
	PGresult *pg;
	/* for panics */
	const struct pgbox_query *query;
};

/* The parameters as PQsendQueryParams() wants them, on the data stack */
struct pgbox_db_wire_params {
	int count;
	Oid *types;
	const char **values;
	int *lengths;
	int *formats;
};

/* ---- pgbox-db.c ---- */

/* Goes to another state. All actions that belong to entering or leaving one
   are here. */
void pgbox_db_set_state(struct pgbox_db *db, enum pgbox_db_state state);
/* Connects unless there is a connection. Returns 0 with state IDLE, or -1 and
   the failure with state DISCONNECTED. Must not be called within a
   transaction. */
int pgbox_db_connect(struct pgbox_db *db, struct pgbox_db_failure *failure_r);
/* The session is established, in state CONNECTING: runs the query of the
   connected callback, until deadline. Returns 0 with state IDLE, or -1 and the
   failure. */
int pgbox_db_connected(struct pgbox_db *db, int64_t deadline,
		       struct pgbox_db_failure *failure_r);
/* Closes the connection, whatever it is doing. What libpq has not sent yet
   will not be sent. */
void pgbox_db_disconnect(struct pgbox_db *db, const char *reason);

/* ---- pgbox-db-connect.c ---- */

/* Parses conninfo into db->options and db->hosts. */
int pgbox_db_conninfo_parse(struct pgbox_db *db, const char **error_r);
/* Connects to one of the hosts until deadline, and runs the query of the
   connected callback there. Returns 0 with state IDLE, or -1 and the failure with
   state DISCONNECTED. */
int pgbox_db_connect_hosts(struct pgbox_db *db, int64_t deadline,
			   struct pgbox_db_failure *failure_r);

/* Begins to connect to the host, in state CONNECTING: PQconnectPoll() goes on.
   Returns 0, or -1 and an error. */
int pgbox_db_connect_begin(struct pgbox_db *db,
			   const struct pgbox_db_host *host,
			   const char **error_r);
const char *pgbox_db_connect_timeout_text(const struct pgbox_db_host *host);

/* ---- pgbox-db-connect-async.c ---- */

struct pgbox_db_connector;
/* failure is NULL if there is a connection, in state IDLE. May free the
   connector. */
typedef void
pgbox_db_connector_callback_t(const struct pgbox_db_failure *failure,
			      void *context);

/* Connects to one of the hosts within the connect timeout. The callback is called
   once, by the ioloop. */
struct pgbox_db_connector *
pgbox_db_connector_init(struct pgbox_db *db,
			pgbox_db_connector_callback_t *callback, void *context);
/* Gives up connecting, if that is still going on. *connector may be NULL. */
void pgbox_db_connector_deinit(struct pgbox_db_connector **connector);

/* ---- pgbox-db-exec.c ---- */

/* Sends one statement and waits for all of its answer until deadline. Returns
   0 and the result, or -1 and the failure. After an error the state is
   DISCONNECTED, or what the server is in: TXN if a transaction has to be rolled
   back, else IDLE. It may be DISCONNECTED after a success, too, but not with
   done = TXN. */
int pgbox_db_run(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
		 int64_t deadline, struct pgbox_db_result **result_r,
		 struct pgbox_db_failure *failure_r);
/* Like pgbox_db_run() outside of a transaction: connects before, and runs the
   statement again where that is harmless (see pgbox_db_exec()). */
int pgbox_db_run_retrying(struct pgbox_db *db,
			  const struct pgbox_db_statement *stmt,
			  unsigned int timeout_msecs,
			  struct pgbox_db_result **result_r,
			  struct pgbox_db_failure *failure_r);

/* ---- pgbox-db-prepare.c ---- */

/* Forgets everything: for a new connection. */
void pgbox_db_prepare_reset(struct pgbox_db *db);
/* Counts a use of the statement. Returns TRUE if it is to be prepared now. */
bool pgbox_db_prepare_is_wanted(struct pgbox_db *db,
				const struct pgbox_db_statement *stmt);
void pgbox_db_prepare_set_done(struct pgbox_db *db,
			       const struct pgbox_query *query);
/* Returns TRUE if the server knows the statement by its query's name. */
bool pgbox_db_is_prepared(struct pgbox_db *db,
			  const struct pgbox_db_statement *stmt);
/* Returns TRUE if the server did not run a statement because what was prepared
   is of no use any more: a new connection helps. */
bool pgbox_db_prepare_is_stale(const struct pgbox_db_failure *failure);

/* Waits for the answer of what pgbox_db_exec_start() has sent, so that the
   connection can be used. */
void pgbox_db_started_settle(struct pgbox_db *db);

/* ---- pgbox-db-wait.c ---- */

/* A clock that nobody sets. Deadlines are in its milliseconds. */
int64_t pgbox_db_now_usecs(void);
int64_t pgbox_db_now_msecs(void);

enum pgbox_db_wait {
	/* what was waited for has come */
	PGBOX_DB_WAIT_DONE,
	/* the deadline has passed, or the client hung up a while ago */
	PGBOX_DB_WAIT_DEADLINE,
	/* the connection is gone, PQerrorMessage() says why */
	PGBOX_DB_WAIT_LOST,
};

/* Drives PQconnectPoll() to its end. start_msecs is how long the
   PQconnectStart() before took. */
enum pgbox_db_wait
pgbox_db_wait_connected(struct pgbox_db *db, int64_t deadline,
			int64_t start_msecs);
/* Warns if a call of libpq that connects has taken too long. */
void pgbox_db_connect_check_time(struct pgbox_db *db, int64_t msecs);
/* Until libpq has given the statement to the kernel. DONE does not prove that
   it was able to: libpq reports that with the answer. */
enum pgbox_db_wait pgbox_db_wait_sent(struct pgbox_db *db, int64_t deadline);
/* Until PQgetResult() doesn't block, or soon after client_fd (0 = none) hung
   up */
enum pgbox_db_wait pgbox_db_wait_answer(struct pgbox_db *db, int64_t deadline,
					int client_fd);
/* Returns TRUE if the connection, which is idle, is known to be dead. Doesn't
   wait. */
bool pgbox_db_is_dead(struct pgbox_db *db);
/* Sleeps so long, at most until deadline. Returns FALSE if that has passed. */
bool pgbox_db_wait_msecs(unsigned int msecs, int64_t deadline);

/* Asks the server to cancel the statement, from a process of its own: PQcancel()
   blocks as long as the server or a pooler likes. Returns its id, -1 if there is
   none. end waits for it until deadline, then kills it. */
pid_t pgbox_db_cancel_start(struct pgbox_db *db);
void pgbox_db_cancel_end(pid_t pid, int64_t deadline);

/* ---- pgbox-db-listen.c ---- */

struct pgbox_db_listener;
/* Called before the socket is closed. */
void pgbox_db_listener_disconnected(struct pgbox_db_listener *listener,
				    const char *reason);

/* ---- pgbox-db-error.c ---- */

/* The class of a SQLSTATE */
enum pgbox_db_error pgbox_db_error_from_sqlstate(const char *sqlstate);
/* Fills the failure from an error result. completed is TRUE if the statement
   had a good result before it. */
void pgbox_db_failure_from_result(struct pgbox_db *db,
				  const struct pgbox_query *query,
				  const PGresult *res, bool completed,
				  struct pgbox_db_failure *failure_r);
/* Fills the failure from PQerrorMessage() of a connection attempt. */
void pgbox_db_failure_from_connect(const char *text,
				   struct pgbox_db_failure *failure_r);
/* Fills the failure of a connection that was lost or given up in the current
   state; sent is FALSE if the server cannot have all of the statement. */
void pgbox_db_failure_lost(struct pgbox_db *db,
			   const struct pgbox_query *query, bool sent,
			   const char *reason,
			   struct pgbox_db_failure *failure_r);
/* The same if it was given up because the deadline has passed */
void pgbox_db_failure_deadline(struct pgbox_db *db,
			       const struct pgbox_query *query, bool sent,
			       struct pgbox_db_failure *failure_r);
void pgbox_db_failure_set(struct pgbox_db_failure *failure_r,
			  enum pgbox_db_error error, const char *message);
/* libpq's texts end with a newline and may have more: makes one short line. */
const char *pgbox_db_error_one_line(const char *text);

/* ---- pgbox-db-params.c ---- */

/* params may be NULL. The values stay owned by params. */
void pgbox_db_params_get_wire(const struct pgbox_db_params *params,
			      struct pgbox_db_wire_params *wire_r);

/* Builtin types (PostgreSQL: src/include/catalog/pg_type.dat). They never
   change. */
#define PGBOX_OID_BOOL 16
#define PGBOX_OID_BYTEA 17
#define PGBOX_OID_NAME 19
#define PGBOX_OID_INT8 20
#define PGBOX_OID_INT2 21
#define PGBOX_OID_INT4 23
#define PGBOX_OID_TEXT 25
#define PGBOX_OID_VARCHAR 1043
#define PGBOX_OID_UUID 2950
#define PGBOX_OID_LSN 3220
#define PGBOX_OID_BOOL_ARRAY 1000
#define PGBOX_OID_BYTEA_ARRAY 1001
#define PGBOX_OID_INT2_ARRAY 1005
#define PGBOX_OID_INT4_ARRAY 1007
#define PGBOX_OID_TEXT_ARRAY 1009
#define PGBOX_OID_INT8_ARRAY 1016
#define PGBOX_OID_UUID_ARRAY 2951

/* ---- pgbox-db-result.c ---- */

/* Takes pg, which must be a good one. */
struct pgbox_db_result *
pgbox_db_result_create(const struct pgbox_query *query, PGresult *pg);

#endif
