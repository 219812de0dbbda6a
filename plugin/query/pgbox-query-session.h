#ifndef PGBOX_QUERY_SESSION_H
#define PGBOX_QUERY_SESSION_H

struct pgbox_db;
struct pgbox_db_failure;
struct pgbox_history;

/* From now on a connection fails unless the database has the schema version
   that this code was written for, and the server's history goes on where it has
   been last. */
void pgbox_query_session_init(struct pgbox_db *db,
			      struct pgbox_history *history);

/* Commits of the epoch are lost that clients have seen: begins another one, unless
   that was done already. Returns 0, or -1 and the failure. */
int pgbox_run_history_lost(struct pgbox_db *db, uint64_t epoch,
			   struct pgbox_db_failure *failure_r);

#endif
