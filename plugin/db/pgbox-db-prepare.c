/* Which statements the server keeps prepared: parsing and planning costs it
   more than running most of ours. A prepared statement belongs to one process
   of the server, so there are none where a pooler may hand each statement to
   another. Sends nothing itself. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-db-statement.h"

/* A statement is prepared when it comes again on the same connection: that
   costs a round trip, and many a session ends before. */
#define USES_BEFORE_PREPARING 1

static uint8_t *prepare_get_state(struct pgbox_db *db, unsigned int number)
{
	return array_idx_get_space(&db->prepare_states, number);
}

void pgbox_db_set_backend_pid(struct pgbox_db *db, int64_t pid)
{
	/* A pooler has cancel keys of its own, and with them the process ids
	   that it tells. */
	db->backend_is_known = pid == PQbackendPID(db->conn);
}

bool pgbox_db_prepare_is_wanted(struct pgbox_db *db,
				const struct pgbox_db_statement *stmt)
{
	uint8_t *state;

	if (!db->backend_is_known || stmt->query->number == 0 ||
	    stmt->busy != PGBOX_DB_STATE_BUSY)
		return FALSE;
	state = prepare_get_state(db, stmt->query->number);
	if (*state < USES_BEFORE_PREPARING) {
		(*state)++;
		return FALSE;
	}
	return *state == USES_BEFORE_PREPARING;
}

void pgbox_db_prepare_set_done(struct pgbox_db *db,
			       const struct pgbox_query *query)
{
	*prepare_get_state(db, query->number) = USES_BEFORE_PREPARING + 1;
}

bool pgbox_db_is_prepared(struct pgbox_db *db,
			  const struct pgbox_db_statement *stmt)
{
	return db->backend_is_known && stmt->query->number != 0 &&
		stmt->busy == PGBOX_DB_STATE_BUSY &&
		*prepare_get_state(db, stmt->query->number) >
			USES_BEFORE_PREPARING;
}

bool pgbox_db_prepare_is_stale(const struct pgbox_db_failure *failure)
{
	return strcmp(failure->sqlstate, PGBOX_SQLSTATE_NOT_PREPARED) == 0 ||
		strcmp(failure->sqlstate, PGBOX_SQLSTATE_PLAN_CHANGED) == 0;
}
