/* Explicit transactions, and the functions that run a statement inside or
   outside of one. Knows the only SQL that is not in sql/queries. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-db-private.h"

static const struct pgbox_query query_begin = {
	.name = "begin", .sql = "begin",
};
static const struct pgbox_query query_commit = {
	.name = "commit", .sql = "commit",
};
static const struct pgbox_query query_rollback = {
	.name = "rollback", .sql = "rollback",
};

/* Runs a statement within the transaction, rolls back if it fails. */
static int
txn_exec(struct pgbox_db *db, const struct pgbox_query *query,
	 const struct pgbox_db_params *params, unsigned int timeout_msecs,
	 int client_fd, struct pgbox_db_result **result_r,
	 struct pgbox_db_failure *failure_r)
{
	const struct pgbox_db_statement stmt = {
		.query = query,
		.params = params,
		.client_fd = client_fd,
		.busy = PGBOX_DB_STATE_TXN_BUSY,
		.done = PGBOX_DB_STATE_TXN,
	};

	if (pgbox_db_run(db, &stmt, pgbox_db_now_msecs() + timeout_msecs,
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
	const struct pgbox_db_statement stmt = {
		.query = query,
		.params = params,
		.client_fd = patience->client_fd,
		.busy = PGBOX_DB_STATE_BUSY,
		.done = PGBOX_DB_STATE_IDLE,
	};
	unsigned int timeout_msecs = patience->timeout_msecs > 0 ?
		patience->timeout_msecs : db->set.query_timeout_msecs;

	*result_r = NULL;
	if (db->state == PGBOX_DB_STATE_TXN) {
		return txn_exec(db, query, params, timeout_msecs,
				patience->client_fd, result_r, failure_r);
	}
	return pgbox_db_run_retrying(db, &stmt, timeout_msecs, result_r,
				     failure_r);
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

	ret = pgbox_db_run_retrying(db, &stmt, db->set.query_timeout_msecs,
				    &result, failure_r);
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
	int64_t deadline = pgbox_db_now_msecs() + db->set.query_timeout_msecs;
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
	int64_t deadline = pgbox_db_now_msecs() + db->set.query_timeout_msecs;
	struct pgbox_db_result *result = NULL;
	struct pgbox_db_failure failure;

	/* not after a failure: it is rolled back already */
	if (db->state != PGBOX_DB_STATE_TXN)
		return;
	/* if it fails, the connection was closed, which does the same */
	(void)pgbox_db_run(db, &stmt, deadline, &result, &failure);
	pgbox_db_result_free(&result);
}
