#ifndef PGBOX_DB_SESSION_H
#define PGBOX_DB_SESSION_H

/* The lowest of three floors: a connection, its state, and waiting for it. The
   floors are session <- statement <- client; tests/lint/layers.sh has the order. */

#include "pgbox-db-wire.h"

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
	/* foreign; NULL unless the connection is kept for LISTEN. closing is
	   called before the socket is closed. */
	struct pgbox_db_listener *listener;
	void (*closing)(struct pgbox_db_listener *listener, const char *reason);

	/* Until then (pgbox_db_now_msecs()) nobody tries to connect, because
	   it failed just now, as connect_failure says. */
	int64_t stay_away_until;
	struct pgbox_db_failure connect_failure;
	char *connect_message; /* own */
};

/* Goes to another state. All actions that belong to entering or leaving one
   are here. */
void pgbox_db_set_state(struct pgbox_db *db, enum pgbox_db_state state);
/* Closes the connection, whatever it is doing. What libpq has not sent yet
   will not be sent. */
void pgbox_db_disconnect(struct pgbox_db *db, const char *reason);

/* ---- pgbox-db-home.c ---- */

/* PQconnectStartParams() and PQpingParams() without expand_dbname, and
   PQconnectPoll(), which don't know HOME. */
PGconn *pgbox_db_home_connect_start(const char *const *keywords,
				    const char *const *values);
PGPing pgbox_db_home_ping(const char *const *keywords,
			  const char *const *values);
PostgresPollingStatusType pgbox_db_home_connect_poll(PGconn *conn);

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

/* ---- pgbox-db-command.c ---- */

/* Returns the deadline of what may take msecs from now on, or as long as the
   current command has left of both timeouts together. */
int64_t pgbox_db_command_deadline(const struct pgbox_db *db, int64_t msecs);
/* Returns TRUE if that has left nothing, and the failure of what, which is not
   tried then. */
bool pgbox_db_command_is_over(int64_t deadline, const char *what,
			      struct pgbox_db_failure *failure_r);
/* The command has waited for the database since start, for what has that
   timeout. */
void pgbox_db_command_waited(int64_t start, unsigned int timeout_msecs);

#endif
