/* The main door: connects, runs statements within and outside of transactions,
   and again where nothing can have happened. Has the only SQL of the pgbox-db
   files but LISTEN. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-db-client.h"

/* After a failure to connect nobody tries again for so long: an operation of
   many statements would wait for the timeout in each. */
#define STAY_AWAY_MSECS 1000

/* Runs after the first one of a statement that met a deadlock or could not be
   serialized */
#define CONFLICT_MAX_RETRIES 3
#define CONFLICT_WAIT_MIN_MSECS 5
#define CONFLICT_WAIT_MAX_MSECS 50

static const struct pgbox_query query_begin = {
	.name = "begin", .sql = "begin",
};
static const struct pgbox_query query_commit = {
	.name = "commit", .sql = "commit",
};
static const struct pgbox_query query_rollback = {
	.name = "rollback", .sql = "rollback",
};

/*
 * Connecting
 */

static void
connect_failed(struct pgbox_db *db, const struct pgbox_db_failure *failure)
{
	char *message = i_strdup(failure->message);

	pgbox_db_disconnect(db, failure->message);
	i_free(db->connect_message);
	db->connect_message = message;
	db->connect_failure = *failure;
	db->connect_failure.message = message;
	db->stay_away_until = pgbox_db_now_msecs() + STAY_AWAY_MSECS;
}

/* Connects unless there is a connection. Returns 0 with state IDLE, or -1 and
   the failure with state DISCONNECTED. Not within a transaction. */
static int
client_connect(struct pgbox_db *db, struct pgbox_db_failure *failure_r)
{
	int64_t start, deadline;
	int ret;

	pgbox_db_started_settle(db);
	if (db->state == PGBOX_DB_STATE_IDLE)
		return 0;
	i_assert(db->state == PGBOX_DB_STATE_DISCONNECTED);

	start = pgbox_db_now_msecs();
	if (start < db->stay_away_until) {
		*failure_r = db->connect_failure;
		failure_r->message =
			t_strdup_printf("%s (no new attempt within %d ms)",
					db->connect_message, STAY_AWAY_MSECS);
		return -1;
	}
	deadline = pgbox_db_command_deadline(db, db->set.connect_timeout_msecs);
	if (pgbox_db_command_is_over(deadline, "Connecting to PostgreSQL",
				     failure_r))
		return -1;
	ret = pgbox_db_connect_hosts(db, deadline, failure_r);
	pgbox_db_command_waited(start, db->set.connect_timeout_msecs);
	if (ret < 0) {
		failure_r->message = t_strconcat("Connecting to PostgreSQL "
			"failed: ", failure_r->message, NULL);
		connect_failed(db, failure_r);
		return -1;
	}
	e_debug(db->event, "Connected to \"%s\", port %s, in %lld ms (server "
		"process %d)", PQhost(db->conn), PQport(db->conn),
		(long long)(pgbox_db_now_msecs() - start),
		PQbackendPID(db->conn));
	return 0;
}

int pgbox_db_try_connect(struct pgbox_db *db,
			 struct pgbox_db_failure *failure_r)
{
	pgbox_db_started_settle(db);
	if (db->state == PGBOX_DB_STATE_IDLE && pgbox_db_is_dead(db))
		pgbox_db_disconnect(db, "The server closed the connection");
	return client_connect(db, failure_r);
}

/*
 * Statements
 */

static int64_t query_deadline(const struct pgbox_db *db)
{
	return pgbox_db_command_deadline(db, db->set.query_timeout_msecs);
}

/* Returns TRUE if the server can't have run the statement, and another
   connection may help. */
static bool failure_wants_reconnect(const struct pgbox_db_failure *failure)
{
	return failure->error == PGBOX_DB_ERROR_UNAVAILABLE ||
		/* The server starts up, or shuts down while the statement is
		   being prepared; if it was running, that is UNCERTAIN. */
		(failure->error == PGBOX_DB_ERROR_RESOURCES &&
		 strncmp(failure->sqlstate, "57P", 3) == 0) ||
		strcmp(failure->sqlstate, PGBOX_SQLSTATE_READ_ONLY) == 0;
}

/* Like pgbox_db_run() outside of a transaction: connects before, and runs the
   statement again where that is harmless (see pgbox_db_exec()). */
static int
run_retrying(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	     unsigned int timeout_msecs, struct pgbox_db_result **result_r,
	     struct pgbox_db_failure *failure_r)
{
	/* connecting has a timeout of its own */
	int64_t left_msecs = timeout_msecs, deadline;
	unsigned int conflicts = 0;
	bool reconnected = FALSE;

	for (;;) {
		if (client_connect(db, failure_r) < 0)
			return -1;
		deadline = pgbox_db_command_deadline(db, left_msecs);
		if (pgbox_db_run(db, stmt, deadline, result_r, failure_r) == 0)
			return 0;

		if (failure_r->error == PGBOX_DB_ERROR_CONFLICT &&
		    conflicts < CONFLICT_MAX_RETRIES) {
			unsigned int msecs =
				i_rand_minmax(CONFLICT_WAIT_MIN_MSECS,
					      CONFLICT_WAIT_MAX_MSECS);

			if (!pgbox_db_wait_msecs(msecs, deadline))
				return -1;
			conflicts++;
		} else if ((failure_wants_reconnect(failure_r) ||
			    pgbox_db_prepare_is_stale(failure_r)) &&
			   !reconnected) {
			pgbox_db_disconnect(db, failure_r->message);
			reconnected = TRUE;
		} else {
			return -1;
		}
		left_msecs = deadline - pgbox_db_now_msecs();
		if (left_msecs <= 0)
			return -1;
	}
}

/* Runs a statement within the transaction, rolls back if it fails. */
static int
run_in_txn(struct pgbox_db *db, struct pgbox_db_statement *stmt,
	   unsigned int timeout_msecs, struct pgbox_db_result **result_r,
	   struct pgbox_db_failure *failure_r)
{
	stmt->busy = PGBOX_DB_STATE_TXN_BUSY;
	stmt->done = PGBOX_DB_STATE_TXN;
	if (pgbox_db_run(db, stmt, pgbox_db_command_deadline(db, timeout_msecs),
			 result_r, failure_r) == 0)
		return 0;
	pgbox_db_rollback(db);
	return -1;
}

int pgbox_db_exec_patient(struct pgbox_db *db, const struct pgbox_query *query,
			  const struct pgbox_db_params *params,
			  const struct pgbox_db_patience *patience,
			  struct pgbox_db_result **result_r,
			  struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_statement stmt = {
		.query = query,
		.params = params,
		.client_fd = patience->client_fd,
		.busy = PGBOX_DB_STATE_BUSY,
		.done = PGBOX_DB_STATE_IDLE,
	};
	unsigned int timeout_msecs = db->set.query_timeout_msecs;

	if (patience->timeout_msecs > 0)
		timeout_msecs = I_MIN(timeout_msecs, patience->timeout_msecs);

	*result_r = NULL;
	if (db->state == PGBOX_DB_STATE_TXN) {
		return run_in_txn(db, &stmt, timeout_msecs, result_r,
				  failure_r);
	}
	return run_retrying(db, &stmt, timeout_msecs, result_r, failure_r);
}

int pgbox_db_exec(struct pgbox_db *db, const struct pgbox_query *query,
		  const struct pgbox_db_params *params,
		  struct pgbox_db_result **result_r,
		  struct pgbox_db_failure *failure_r)
{
	static const struct pgbox_db_patience patience;

	return pgbox_db_exec_patient(db, query, params, &patience, result_r,
				     failure_r);
}

int pgbox_db_exec_repeatable(struct pgbox_db *db,
			     const struct pgbox_query *query,
			     const struct pgbox_db_params *params,
			     struct pgbox_db_result **result_r,
			     struct pgbox_db_failure *failure_r)
{
	int ret = pgbox_db_exec(db, query, params, result_r, failure_r);

	if (ret < 0 && failure_r->error == PGBOX_DB_ERROR_UNCERTAIN)
		ret = pgbox_db_exec(db, query, params, result_r, failure_r);
	return ret;
}

struct pgbox_db_started *
pgbox_db_exec_start(struct pgbox_db *db, const struct pgbox_query *query,
		    const struct pgbox_db_params *params,
		    struct pgbox_db_failure *failure_r)
{
	const struct pgbox_db_statement stmt = {
		.query = query,
		.params = params,
		.busy = PGBOX_DB_STATE_BUSY,
		.done = PGBOX_DB_STATE_IDLE,
	};

	if (pgbox_db_try_connect(db, failure_r) < 0)
		return NULL;
	return pgbox_db_run_start(db, &stmt, query_deadline(db), failure_r);
}

/*
 * Transactions
 */

int pgbox_db_begin(struct pgbox_db *db, struct pgbox_db_failure *failure_r)
{
	static const struct pgbox_db_statement stmt = {
		.query = &query_begin,
		.busy = PGBOX_DB_STATE_TXN_BEGINNING,
		.done = PGBOX_DB_STATE_TXN,
	};
	struct pgbox_db_result *result = NULL;
	int ret;

	i_assert(db->state != PGBOX_DB_STATE_TXN);

	ret = run_retrying(db, &stmt, db->set.query_timeout_msecs, &result,
			   failure_r);
	pgbox_db_result_free(&result);
	return ret;
}

int pgbox_db_commit(struct pgbox_db *db, struct pgbox_db_failure *failure_r)
{
	static const struct pgbox_db_statement stmt = {
		.query = &query_commit,
		.busy = PGBOX_DB_STATE_TXN_COMMITTING,
		.done = PGBOX_DB_STATE_IDLE,
	};
	struct pgbox_db_result *result = NULL;
	int64_t deadline = query_deadline(db);
	bool committed;

	if (db->state != PGBOX_DB_STATE_TXN) {
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_INTERNAL,
			"Query commit: The transaction has failed before");
		return -1;
	}
	if (pgbox_db_run(db, &stmt, deadline, &result, failure_r) < 0)
		return -1;

	/* the server answers ROLLBACK if the transaction can't be committed */
	committed = strcmp(PQcmdStatus(result->pg), "COMMIT") == 0;
	pgbox_db_result_free(&result);
	if (!committed) {
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_INTERNAL,
			"Query commit: The server rolled back instead");
		return -1;
	}
	return 0;
}

void pgbox_db_rollback(struct pgbox_db *db)
{
	static const struct pgbox_db_statement stmt = {
		.query = &query_rollback,
		.busy = PGBOX_DB_STATE_TXN_ROLLING_BACK,
		.done = PGBOX_DB_STATE_IDLE,
	};
	int64_t deadline = query_deadline(db);
	struct pgbox_db_result *result = NULL;
	struct pgbox_db_failure failure;

	/* not after a failure: it is rolled back already */
	if (db->state != PGBOX_DB_STATE_TXN)
		return;
	/* if it fails, the connection was closed, which does the same */
	(void)pgbox_db_run(db, &stmt, deadline, &result, &failure);
	pgbox_db_result_free(&result);
}
