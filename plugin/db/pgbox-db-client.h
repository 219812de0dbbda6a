#ifndef PGBOX_DB_CLIENT_H
#define PGBOX_DB_CLIENT_H

/* The upper floor: connects, and runs statements again where that is harmless */

#include "pgbox-db-statement.h"

/* Parses conninfo into db->options and db->hosts, once. Returns 0, or -1 and the
   failure. */
int pgbox_db_conninfo_parse(struct pgbox_db *db,
			    struct pgbox_db_failure *failure_r);
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

/* The session is established, in state CONNECTING: runs the query of the
   connected callback, until deadline. Returns 0 with state IDLE, or -1 and the
   failure. */
int pgbox_db_connected(struct pgbox_db *db, int64_t deadline,
		       struct pgbox_db_failure *failure_r);

/* ---- pgbox-db-advice.c ---- */

/* Adds to the message what an admin can do about a connection that could not be
   made, if that is known. */
void pgbox_db_failure_advise(const struct pgbox_db *db,
			     struct pgbox_db_failure *failure);

/* ---- pgbox-db-hosts.c ---- */

/* Returns a bit for each host that is left alone, and the index of one that this
   process has to look at, or -1. */
unsigned int pgbox_db_hosts_get_left(struct pgbox_db *db, int *look_at_r);
/* The host has kept this process waiting. */
void pgbox_db_host_is_silent(struct pgbox_db *db, unsigned int idx);
/* The host is there; used if this process uses it from now on. */
void pgbox_db_host_answers(struct pgbox_db *db, unsigned int idx, bool used);

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

#endif
