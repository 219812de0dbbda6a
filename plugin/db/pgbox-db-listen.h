#ifndef PGBOX_DB_LISTEN_H
#define PGBOX_DB_LISTEN_H

/* A connection that is kept to receive what NOTIFY sends. It must be a direct
   one: a pooler in transaction mode forgets who listens. Needs an ioloop.

   The connected callback must call pgbox_db_set_backend_pid(). There may be no
   other user of this db, but it can run statements: with
   pgbox_db_listener_exec(). */

#include "pgbox-db.h"

struct pgbox_db_listener;

struct pgbox_db_listener_callbacks {
	/* failure is NULL if it listens now. */
	void (*started)(const struct pgbox_db_failure *failure, void *context);
	/* A notification has come; own if this connection has sent it. */
	void (*notified)(const char *payload, bool own, void *context);
	/* The connection was lost; what was sent since may be lost, too. Called
	   by the ioloop, not within the functions below. */
	void (*lost)(const char *reason, void *context);
};

/* Nothing is connected yet. db must outlive the listener. */
struct pgbox_db_listener *
pgbox_db_listener_create(struct pgbox_db *db,
			 const struct pgbox_db_listener_callbacks *callbacks,
			 void *context);
void pgbox_db_listener_destroy(struct pgbox_db_listener **listener);

/* Connects and listens; the callback says how that went. May only be called
   when the listener was created, or that has failed, or the connection was
   lost. */
void pgbox_db_listener_start(struct pgbox_db_listener *listener);
bool pgbox_db_listener_is_listening(const struct pgbox_db_listener *listener);

/* Runs a statement while listening. */
int pgbox_db_listener_exec(struct pgbox_db_listener *listener,
			   const struct pgbox_query *query,
			   const struct pgbox_db_params *params,
			   struct pgbox_db_result **result_r,
			   struct pgbox_db_failure *failure_r);

#endif
