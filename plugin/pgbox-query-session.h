#ifndef PGBOX_QUERY_SESSION_H
#define PGBOX_QUERY_SESSION_H

struct pgbox_db;

/* From now on a connection fails unless the database has the schema version
   that this code was written for. */
void pgbox_query_session_init(struct pgbox_db *db);

#endif
