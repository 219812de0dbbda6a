#ifndef PGBOX_DB_STATEMENT_H
#define PGBOX_DB_STATEMENT_H

/* The middle floor: one statement on a session that stands */

#include "pgbox-db-session.h"

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

/* Sends one statement and waits for all of its answer until deadline. Returns
   0 and the result, or -1 and the failure. After an error the state is
   DISCONNECTED, or what the server is in: TXN if a transaction has to be rolled
   back, else IDLE. It may be DISCONNECTED after a success, too, but not with
   done = TXN. */
int pgbox_db_run(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
		 int64_t deadline, struct pgbox_db_result **result_r,
		 struct pgbox_db_failure *failure_r);
/* Sends one and returns: see pgbox_db_exec_start(). */
struct pgbox_db_started *
pgbox_db_run_start(struct pgbox_db *db, const struct pgbox_db_statement *stmt,
		   int64_t deadline, struct pgbox_db_failure *failure_r);
/* Waits for the answer of what pgbox_db_exec_start() has sent, so that the
   connection can be used. */
void pgbox_db_started_settle(struct pgbox_db *db);

/* ---- pgbox-db-prepare.c ---- */

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

#endif
