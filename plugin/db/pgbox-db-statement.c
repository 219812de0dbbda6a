/* One statement on a session that stands: send, wait for all of the answer,
   cancel. Knows no SQL; neither connects nor tries again. */

#include "pgbox-config.h"
#include "lib.h"
#include "ioloop.h"
#include "pgbox-db-statement.h"

/* After the deadline the server gets so long to confirm that it cancelled */
#define CANCEL_WAIT_MSECS 2000
/* Also when the command has no time left: the statement would run on. */
#define CANCEL_LEAST_MSECS 100
/* The answer of a statement that nobody wants any more */
#define ABANDON_WAIT_MSECS 1000

/* A statement from its sending to its answer */
struct statement_run {
	struct pgbox_db_statement stmt;
	int64_t start_usecs;
	/* own */
	struct event *event;
};

/* What an answer may be of: the results until PQgetResult() returns NULL */
struct pgbox_db_answer {
	/* own; the good one, NULL if there is none */
	PGresult *good;
	/* own; the first bad one, which counts more: the statement is done
	   only when the server is ready for the next one */
	PGresult *bad;
};

static void answer_free(struct pgbox_db_answer *answer)
{
	PQclear(answer->good);
	PQclear(answer->bad);
	i_zero(answer);
}

/* Takes pg. Returns FALSE if it can't be followed by others. */
static bool answer_add(struct pgbox_db_answer *answer, PGresult *pg)
{
	ExecStatusType status = PQresultStatus(pg);
	PGresult **dest;

	dest = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ?
		&answer->good : &answer->bad;
	if (*dest == NULL)
		*dest = pg;
	else
		PQclear(pg);
	/* COPY would return the same one for ever */
	return status != PGRES_COPY_IN && status != PGRES_COPY_OUT &&
		status != PGRES_COPY_BOTH;
}

static enum pgbox_db_wait
answer_read_until(struct pgbox_db *db, struct pgbox_db_answer *answer,
		  int64_t deadline, int client_fd)
{
	enum pgbox_db_wait wait;
	PGresult *pg;

	do {
		wait = pgbox_db_wait_answer(db, deadline, client_fd);
		if (wait != PGBOX_DB_WAIT_DONE)
			return wait;
		pg = PQgetResult(db->conn);
		if (pg == NULL) {
			return PQstatus(db->conn) == CONNECTION_OK ?
				PGBOX_DB_WAIT_DONE : PGBOX_DB_WAIT_LOST;
		}
	} while (answer_add(answer, pg));
	return PGBOX_DB_WAIT_LOST;
}

/* Reads until the server is ready for the next statement. */
static enum pgbox_db_wait
answer_read(struct pgbox_db *db, struct pgbox_db_answer *answer,
	    int64_t deadline, int client_fd)
{
	int64_t start = pgbox_db_now_msecs();
	enum pgbox_db_wait wait;

	wait = answer_read_until(db, answer, deadline, client_fd);
	pgbox_db_command_waited(start, db->set.query_timeout_msecs);
	return wait;
}

/* The deadline has passed or the client is gone: the connection is given up in
   any case, because the cancel request could still be under way to the next
   statement. */
static enum pgbox_db_wait
answer_cancel(struct pgbox_db *db, struct pgbox_db_answer *answer)
{
	int64_t deadline = I_MAX(pgbox_db_command_deadline(db,
				 CANCEL_WAIT_MSECS), pgbox_db_now_msecs() +
				 CANCEL_LEAST_MSECS);
	enum pgbox_db_wait wait;
	pid_t pid;

	pid = pgbox_db_cancel_start(db);
	wait = answer_read(db, answer, deadline, 0);
	pgbox_db_cancel_end(pid, deadline);
	return wait;
}

/*
 * One run
 */

/* Returns the state after the server has answered the statement with an error:
   it rolls back by itself, but not what BEGIN has begun before. */
static enum pgbox_db_state state_after_error(enum pgbox_db_state busy)
{
	switch (busy) {
	case PGBOX_DB_STATE_PREPARING:
	case PGBOX_DB_STATE_BUSY:
	case PGBOX_DB_STATE_TXN_BEGINNING:
	case PGBOX_DB_STATE_TXN_COMMITTING:
		return PGBOX_DB_STATE_IDLE;
	case PGBOX_DB_STATE_TXN_BUSY:
		return PGBOX_DB_STATE_TXN;
	case PGBOX_DB_STATE_CHECKING:
	case PGBOX_DB_STATE_TXN_ROLLING_BACK:
		/* of no use any more */
		return PGBOX_DB_STATE_DISCONNECTED;
	case PGBOX_DB_STATE_DISCONNECTED:
	case PGBOX_DB_STATE_CONNECTING:
	case PGBOX_DB_STATE_IDLE:
	case PGBOX_DB_STATE_TXN:
	case PGBOX_DB_STATE_COUNT:
		break;
	}
	i_unreached();
}

/* Goes to the state if the server agrees, disconnects otherwise. */
static void leave_busy_state(struct pgbox_db *db, enum pgbox_db_state state)
{
	PGTransactionStatusType status = PQtransactionStatus(db->conn);
	bool in_txn = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;

	if (state == PGBOX_DB_STATE_DISCONNECTED)
		pgbox_db_disconnect(db, "Failed");
	else if (status != PQTRANS_IDLE && !in_txn)
		pgbox_db_disconnect(db, "Not ready for a statement");
	else if (in_txn != (state == PGBOX_DB_STATE_TXN))
		pgbox_db_disconnect(db, "Unexpected transaction status");
	else
		pgbox_db_set_state(db, state);
}

/* The whole answer is there. */
static int
run_finish(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	   struct pgbox_db_answer *answer, struct pgbox_db_result **result_r,
	   struct pgbox_db_failure *failure_r)
{
	if (answer->bad != NULL) {
		pgbox_db_failure_from_result(db, stmt->query, answer->bad,
					     answer->good != NULL, failure_r);
		if (strcmp(failure_r->sqlstate, PGBOX_SQLSTATE_READ_ONLY) == 0)
			pgbox_db_disconnect(db, "The server is read-only");
		else
			leave_busy_state(db, state_after_error(stmt->busy));
		return -1;
	}
	if (answer->good == NULL) {
		pgbox_db_failure_lost(db, stmt->query, TRUE, "No result",
				      failure_r);
		pgbox_db_disconnect(db, "No result");
		return -1;
	}
	leave_busy_state(db, stmt->done);
	if (db->state != stmt->done && stmt->done == PGBOX_DB_STATE_TXN) {
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_INTERNAL,
			t_strdup_printf("Query %s: The server is not in a "
					"transaction", stmt->query->name));
		return -1;
	}
	*result_r = pgbox_db_result_create(stmt->query, answer->good);
	answer->good = NULL;
	return 0;
}

/* The connection was lost or the deadline has passed, with or without an
   answer before. */
static int
run_give_up(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	    bool expired, struct pgbox_db_answer *answer,
	    struct pgbox_db_failure *failure_r)
{
	if (answer->bad != NULL) {
		pgbox_db_failure_from_result(db, stmt->query, answer->bad,
					     answer->good != NULL, failure_r);
	} else if (expired) {
		pgbox_db_failure_deadline(db, stmt->query, TRUE, failure_r);
	} else {
		pgbox_db_failure_lost(db, stmt->query, TRUE,
			pgbox_db_error_one_line(PQerrorMessage(db->conn)),
			failure_r);
	}
	pgbox_db_disconnect(db, failure_r->message);
	return -1;
}

static int
run_read(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	 int64_t deadline, struct pgbox_db_result **result_r,
	 struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_answer answer;
	enum pgbox_db_wait wait;
	bool expired = FALSE;
	int ret;

	i_zero(&answer);
	wait = answer_read(db, &answer, deadline, stmt->client_fd);
	if (wait == PGBOX_DB_WAIT_DEADLINE) {
		expired = TRUE;
		wait = answer_cancel(db, &answer);
	}

	if (wait != PGBOX_DB_WAIT_DONE)
		ret = run_give_up(db, stmt, expired, &answer, failure_r);
	else
		ret = run_finish(db, stmt, &answer, result_r, failure_r);
	answer_free(&answer);

	if (expired && db->state != PGBOX_DB_STATE_DISCONNECTED) {
		pgbox_db_disconnect(db, "The deadline has passed");
		if (ret == 0 && stmt->done == PGBOX_DB_STATE_TXN) {
			/* in time, but now it is rolled back */
			pgbox_db_result_free(result_r);
			pgbox_db_failure_deadline(db, stmt->query, FALSE,
						  failure_r);
			ret = -1;
		}
	}
	return ret;
}

/* Returns 0 if libpq refuses. */
static int
run_send_statement(struct pgbox_db *db, const struct pgbox_db_statement *stmt)
{
	const struct pgbox_query *query = stmt->query;
	struct pgbox_db_wire_params wire;

	pgbox_db_params_get_wire(stmt->params, &wire);
	i_assert(wire.count == (int)query->param_count);
	if (stmt->prepare) {
		return PQsendPrepare(db->conn, query->name, query->sql,
				     wire.count, wire.types);
	}
	if (pgbox_db_is_prepared(db, stmt)) {
		return PQsendQueryPrepared(db->conn, query->name, wire.count,
					   wire.values, wire.lengths,
					   wire.formats, 1);
	}
	return PQsendQueryParams(db->conn, query->sql, wire.count, wire.types,
				 wire.values, wire.lengths, wire.formats, 1);
}

static int
run_send(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	 int64_t deadline, struct pgbox_db_failure *failure_r)
{
	int64_t start = pgbox_db_now_msecs();
	enum pgbox_db_wait wait = PGBOX_DB_WAIT_LOST;
	int ret;

	T_BEGIN {
		ret = run_send_statement(db, stmt);
	} T_END;
	if (ret != 0)
		wait = pgbox_db_wait_sent(db, deadline);
	pgbox_db_command_waited(start, db->set.query_timeout_msecs);

	/* The server does not commit before it has the last bytes (Sync). The
	   connection is closed so that it never gets them. */
	switch (wait) {
	case PGBOX_DB_WAIT_DONE:
		return 0;
	case PGBOX_DB_WAIT_DEADLINE:
		pgbox_db_failure_deadline(db, stmt->query, FALSE, failure_r);
		break;
	case PGBOX_DB_WAIT_LOST:
		pgbox_db_failure_lost(db, stmt->query, FALSE,
			pgbox_db_error_one_line(PQerrorMessage(db->conn)),
			failure_r);
		break;
	}
	pgbox_db_disconnect(db, failure_r->message);
	return -1;
}

static int
run_once(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	 int64_t deadline, struct pgbox_db_result **result_r,
	 struct pgbox_db_failure *failure_r)
{
	pgbox_db_set_state(db, stmt->busy);
	if (run_send(db, stmt, deadline, failure_r) < 0)
		return -1;
	return run_read(db, stmt, deadline, result_r, failure_r);
}

/* Has the server prepare the statement. Returns 0 if it can be run now, also
   if the server did not want to, -1 if the connection is gone. */
static int
run_prepare(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	    int64_t deadline, struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_statement prepare = *stmt;
	struct pgbox_db_result *result = NULL;
	int ret;

	prepare.busy = PGBOX_DB_STATE_PREPARING;
	prepare.done = PGBOX_DB_STATE_IDLE;
	prepare.prepare = TRUE;
	ret = run_once(db, &prepare, deadline, &result, failure_r);
	pgbox_db_result_free(&result);
	if (ret == 0 && db->state == PGBOX_DB_STATE_IDLE) {
		pgbox_db_prepare_set_done(db, stmt->query);
		return 0;
	}
	if (ret == 0) {
		pgbox_db_failure_deadline(db, stmt->query, FALSE, failure_r);
		return -1;
	}
	/* whatever it is, running the statement tells it better */
	return db->state == PGBOX_DB_STATE_IDLE ? 0 : -1;
}

static void
run_end(struct statement_run *run, const struct pgbox_db_result *result,
	const struct pgbox_db_failure *failure)
{
	int64_t usecs = pgbox_db_now_usecs() - run->start_usecs;
	struct event *event = run->event;

	if (result == NULL) {
		event_add_str(event, "error", failure->message);
		event_add_str(event, "sqlstate", failure->sqlstate);
		e_debug(event, "Query failed after %lld us: %s",
			(long long)usecs, failure->message);
	} else {
		event_add_int(event, "rows", pgbox_db_result_rows(result));
		e_debug(event, "Query %s: %u rows in %lld us",
			run->stmt.query->name, pgbox_db_result_rows(result),
			(long long)usecs);
	}
	event_unref(&run->event);
}

static int
run_start(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
	  int64_t deadline, struct statement_run *run_r,
	  struct pgbox_db_failure *failure_r)
{
	i_zero(failure_r);
	if (pgbox_db_is_dead(db)) {
		pgbox_db_failure_lost(db, stmt->query, FALSE,
				      "The server has closed the connection",
				      failure_r);
		pgbox_db_disconnect(db, "Closed by the server");
		return -1;
	}

	if (pgbox_db_command_is_over(deadline, t_strconcat("Query ",
			stmt->query->name, NULL), failure_r)) {
		/* a transaction ends */
		if (db->state != PGBOX_DB_STATE_IDLE)
			pgbox_db_disconnect(db, failure_r->message);
		return -1;
	}
	if (pgbox_db_prepare_is_wanted(db, stmt) &&
	    run_prepare(db, stmt, deadline, failure_r) < 0)
		return -1;

	run_r->stmt = *stmt;
	run_r->start_usecs = pgbox_db_now_usecs();
	run_r->event = event_create(db->event);
	event_set_name(run_r->event, "pgbox_query_finished");
	event_add_str(run_r->event, "query", stmt->query->name);

	pgbox_db_set_state(db, stmt->busy);
	if (run_send(db, stmt, deadline, failure_r) < 0) {
		run_end(run_r, NULL, failure_r);
		return -1;
	}
	return 0;
}

static int
run_wait(struct pgbox_db *db, struct statement_run *run, int64_t deadline,
	 struct pgbox_db_result **result_r, struct pgbox_db_failure *failure_r)
{
	int ret;

	*result_r = NULL;
	ret = run_read(db, &run->stmt, deadline, result_r, failure_r);
	i_assert((ret == 0) == (*result_r != NULL));
	run_end(run, *result_r, failure_r);
	return ret;
}

int pgbox_db_run(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
		 int64_t deadline, struct pgbox_db_result **result_r,
		 struct pgbox_db_failure *failure_r)
{
	struct statement_run run;

	*result_r = NULL;
	if (run_start(db, stmt, deadline, &run, failure_r) < 0)
		return -1;
	return run_wait(db, &run, deadline, result_r, failure_r);
}

/*
 * Started and finished
 */

struct pgbox_db_started {
	/* foreign */
	struct pgbox_db *db;
	/* until the answer has come */
	struct statement_run run;
	/* own; in the root ioloop, NULL if there is none or the answer has
	   come */
	struct io *io;
	/* the answer has come: */
	bool settled;
	/* own; NULL if it has failed */
	struct pgbox_db_result *result;
	struct pgbox_db_failure failure;
	/* own; behind failure.message */
	char *message;
};

static void started_stop_input(struct pgbox_db_started *started)
{
	/* libpq closes the socket when it finds the connection lost */
	if (PQsocket(started->db->conn) == -1)
		io_remove_closed(&started->io);
	else
		io_remove(&started->io);
}

static void
started_settle_until(struct pgbox_db_started *started, int64_t deadline)
{
	struct pgbox_db *db = started->db;

	i_assert(db->started == started);
	db->started = NULL;
	started->settled = TRUE;
	started_stop_input(started);
	T_BEGIN {
		if (run_wait(db, &started->run, deadline, &started->result,
			     &started->failure) < 0) {
			started->message = i_strdup(started->failure.message);
		}
	} T_END;
}

void pgbox_db_started_settle(struct pgbox_db *db)
{
	if (db->started != NULL) {
		started_settle_until(db->started,
			pgbox_db_command_deadline(db,
						  db->set.query_timeout_msecs));
	}
}

void pgbox_db_exec_look(struct pgbox_db_started *started)
{
	if (started->settled)
		return;
	if (PQconsumeInput(started->db->conn) == 0 ||
	    PQisBusy(started->db->conn) == 0)
		pgbox_db_started_settle(started->db);
}

struct pgbox_db_started *
pgbox_db_run_start(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
		   int64_t deadline, struct pgbox_db_failure *failure_r)
{
	struct statement_run run;
	struct pgbox_db_started *started;

	if (run_start(db, stmt, deadline, &run, failure_r) < 0)
		return NULL;
	started = db->started = i_new(struct pgbox_db_started, 1);
	started->db = db;
	started->run = run;
	if (current_ioloop != NULL) {
		started->io = io_add_to(io_loop_get_root(), PQsocket(db->conn),
					IO_READ, pgbox_db_exec_look, started);
	}
	return started;
}

static void started_free(struct pgbox_db_started *started)
{
	i_free(started->message);
	i_free(started);
}

int pgbox_db_exec_finish(struct pgbox_db_started **_started,
			 struct pgbox_db_result **result_r,
			 struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_started *started = *_started;

	*_started = NULL;
	if (!started->settled)
		pgbox_db_started_settle(started->db);
	*result_r = started->result;
	*failure_r = started->failure;
	failure_r->message = t_strdup(started->message);
	started_free(started);
	return *result_r != NULL ? 0 : -1;
}

void pgbox_db_exec_abandon(struct pgbox_db_started **_started)
{
	struct pgbox_db_started *started = *_started;

	if (started == NULL)
		return;
	*_started = NULL;
	if (!started->settled) {
		started_settle_until(started,
			pgbox_db_command_deadline(started->db,
						  ABANDON_WAIT_MSECS));
	}
	pgbox_db_result_free(&started->result);
	started_free(started);
}
