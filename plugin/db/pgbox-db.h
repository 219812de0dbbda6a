#ifndef PGBOX_DB_H
#define PGBOX_DB_H

/* A PostgreSQL connection as the rest of the plugin sees it: parameters in,
   rows out, an error class. Nothing of libpq leaves the pgbox-db files, and
   these know nothing about mailboxes. */

struct event;

ARRAY_DEFINE_TYPE(pgbox_int64, int64_t);
struct pgbox_db;
struct pgbox_db_params;
struct pgbox_db_result;
struct pgbox_db_started;
struct pgbox_query_field;

/* A statement; sql/queries has them, see pgbox-query.h */
struct pgbox_query {
	/* file name without .sql, for logs and events */
	const char *name;
	/* one statement, schema-qualified, without comments */
	const char *sql;
	/* number of $n parameters */
	unsigned int param_count;
	/* its place among the constants, from 1; 0 = made at runtime, which has
	   none of the fields below */
	unsigned int number;
	/* it may run twice */
	bool repeatable;
	unsigned int column_count;
	/* in the order of $n */
	const struct pgbox_query_field *params;
	/* in the order of the result */
	const struct pgbox_query_field *columns;
};

enum pgbox_db_error {
	PGBOX_DB_ERROR_NONE = 0,
	/* No connection could be made, or it was lost before the statement
	   was sent: nothing has happened. Temporary. */
	PGBOX_DB_ERROR_UNAVAILABLE,
	/* The connection was lost, or the statement's deadline passed, after
	   it was sent: it may or may not have been committed. The caller
	   looks up what happened; it must not run the statement again. */
	PGBOX_DB_ERROR_UNCERTAIN,
	/* The deadline passed and it is sure that the statement was not
	   committed (the server confirmed the cancellation, or it was not yet
	   sent, or it was in an explicit transaction), or the server gave up
	   waiting for a lock (57014, 55P03): nothing has happened.
	   Temporary. */
	PGBOX_DB_ERROR_TIMEOUT,
	/* Serialization failure or deadlock (40001, 40P01), after the bounded
	   retries of pgbox_db_exec(): nothing has happened. Temporary. */
	PGBOX_DB_ERROR_CONFLICT,
	/* The pgbox functions refused: raised with SQLSTATE PB4xx (see
	   sql/README.md). The class of the most frequent ones: */
	PGBOX_DB_ERROR_NOT_FOUND,	/* PB404 mailbox or account does not exist */
	PGBOX_DB_ERROR_EXPUNGED,	/* PB410 a mail does not exist any more */
	PGBOX_DB_ERROR_EXISTS,		/* PB409 name exists already; also 23505 */
	PGBOX_DB_ERROR_NOT_POSSIBLE,	/* PB400 the request makes no sense */
	PGBOX_DB_ERROR_LIMIT,		/* PB413, 54000 a limit (UIDs, length) is reached */
	/* The server refuses by configuration: authentication, missing
	   database or schema, permission, read-only server, schema version.
	   Needs the admin. Nothing has happened. */
	PGBOX_DB_ERROR_CONFIG,
	/* The server is out of disk, memory or connections, starts or stops
	   (class 53, 57P0x): temporary, nothing has happened. */
	PGBOX_DB_ERROR_RESOURCES,
	/* Anything else: a bug of ours or of the server */
	PGBOX_DB_ERROR_INTERNAL,
};

struct pgbox_db_failure {
	enum pgbox_db_error error;
	/* five characters, "" if the server did not answer */
	char sqlstate[6];
	/* for the admin's log, on the data stack; never shown to a user. Holds
	   the query's name, no parameter values and no connection string. */
	const char *message;
};

/* For the plugin's init and deinit. Between them a connection that nobody refers
   to any more stays for idle_disconnect_msecs, so that the next user of an LMTP
   process finds it; at most one does. Without init there is no such thing. */
void pgbox_db_init(void);
void pgbox_db_deinit(void);

struct pgbox_db_settings {
	/* libpq connection string */
	const char *conninfo;
	/* milliseconds, all > 0 */
	unsigned int query_timeout_msecs;
	unsigned int connect_timeout_msecs;
	/* close the connection after it was unused for so long */
	unsigned int idle_disconnect_msecs;
	/* where the processes of this host share which servers don't answer;
	   NULL if there is no place */
	const char *host_dir;
};

/* Returns the process's connection for these settings, which all storages
   with an equal conninfo share; the timeouts are those of the first. Nothing is
   connected until the first statement. The settings are copied.

   Several hosts in conninfo are tried in order, beginning with the one that
   answered last; each gets an equal share of the time that is left of
   connect_timeout_msecs. One that does not answer is asked last by all processes of
   this host from then on, until it is found to be back. After a failure to connect, the next statements within
   a second fail with the same error at once.

   What happens is logged at debug level with the category "pgbox"; each
   statement sends the event "pgbox_query_finished" with the fields query, rows,
   error, sqlstate and, as all events, duration. Errors are the caller's to log. */
struct pgbox_db *
pgbox_db_ref(const struct pgbox_db_settings *set, struct event *event_parent);
/* Drops one reference, sets *db to NULL; the last one disconnects, but see
   pgbox_db_init(). */
void pgbox_db_unref(struct pgbox_db **db);

/* Connects if there is no connection, or if the server has closed it. Returns 0,
   or -1 and the failure. Not for use within a transaction. */
int pgbox_db_try_connect(struct pgbox_db *db,
			 struct pgbox_db_failure *failure_r);

/* Between these somebody waits for changes: the connection is closed soon after
   each use. Calls may be nested. */
void pgbox_db_wait_begin(struct pgbox_db *db);
void pgbox_db_wait_end(struct pgbox_db *db);

/* Checks that conninfo can be parsed. Returns 0, or -1 and error_r (on the
   data stack, without the password). */
int pgbox_db_conninfo_check(const char *conninfo, const char **error_r);

/* The query that is run once after each connect, before any other; it must
   return exactly one row, which is passed to the callback. The callback
   returns 0, or -1 and error_r: the connection is then refused with
   PGBOX_DB_ERROR_CONFIG. The next host is tried if the query or the callback
   fails. It must not run statements. As the connection is shared,
   the last one that was set counts, and context must live as long as db. */
typedef int
pgbox_db_connected_callback_t(struct pgbox_db *db,
			      const struct pgbox_db_result *result,
			      void *context, const char **error_r);
void pgbox_db_set_connected_callback(struct pgbox_db *db,
				     const struct pgbox_query *query,
				     pgbox_db_connected_callback_t *callback,
				     void *context);

/* More about that query. Each may be NULL, and gets the callback's context. */
struct pgbox_db_connected_hooks {
	/* Adds its parameters. */
	void (*params)(struct pgbox_db_params *params, void *context);
	/* It failed: may say more in failure->message. */
	void (*failed)(struct pgbox_db *db, struct pgbox_db_failure *failure,
		       void *context);
	/* It failed, or the callback refused, as message says, but another host
	   is used now. */
	void (*elsewhere)(const char *message, void *context);
};
/* Until the next pgbox_db_set_connected_callback() */
void pgbox_db_set_connected_hooks(struct pgbox_db *db,
				  const struct pgbox_db_connected_hooks *hooks);

/* Of the connection, or as the connection string says, for texts to the admin. */
const char *pgbox_db_role_name(const struct pgbox_db *db);
const char *pgbox_db_database_name(const struct pgbox_db *db);

/* For the callback: the result has told that pid, of pg_backend_pid(), runs the
   statements of this connection. If that is the process that the connection was
   made to, no pooler is in between, and statements that come again are prepared. */
void pgbox_db_set_backend_pid(struct pgbox_db *db, int64_t pid);

/* ---- parameters ----

   A list in the order of $1, $2, ... allocated from the pool; with
   pool_datastack_create() all of it in the same data stack frame. Values are
   sent in binary form. Text and bytea values are not copied: they must stay
   until the statement has run. Their number must be the query's param_count. */
struct pgbox_db_params *pgbox_db_params_create(pool_t pool);
void pgbox_db_param_null(struct pgbox_db_params *params);
void pgbox_db_param_bool(struct pgbox_db_params *params, bool value);
void pgbox_db_param_int2(struct pgbox_db_params *params, int16_t value);
void pgbox_db_param_int4(struct pgbox_db_params *params, int32_t value);
void pgbox_db_param_int8(struct pgbox_db_params *params, int64_t value);
/* a position in the WAL, pg_lsn */
void pgbox_db_param_lsn(struct pgbox_db_params *params, int64_t value);
/* value may be NULL (SQL null). It must be UTF-8 without NULs: see
   pgbox_db_text_is_valid(). */
void pgbox_db_param_text(struct pgbox_db_params *params, const char *value);
/* data may be NULL (SQL null) */
void pgbox_db_param_bytea(struct pgbox_db_params *params,
			  const void *data, size_t size);
/* size is 16 */
void pgbox_db_param_uuid(struct pgbox_db_params *params,
			 const unsigned char *uuid);

/* Arrays: begin, one add per element in order, end with the next parameter.
   Elements are copied into the parameter's buffer. */
enum pgbox_db_array_type {
	PGBOX_DB_ARRAY_BOOL,
	PGBOX_DB_ARRAY_INT2,
	PGBOX_DB_ARRAY_INT4,
	PGBOX_DB_ARRAY_INT8,
	PGBOX_DB_ARRAY_TEXT,
	PGBOX_DB_ARRAY_BYTEA,
	PGBOX_DB_ARRAY_UUID,
};
struct pgbox_db_array;
/* The array grows until the statement is run; several arrays may be open at
   the same time. */
struct pgbox_db_array *
pgbox_db_param_array(struct pgbox_db_params *params,
		     enum pgbox_db_array_type type);
void pgbox_db_array_add_null(struct pgbox_db_array *array);
void pgbox_db_array_add_bool(struct pgbox_db_array *array, bool value);
/* for INT2, INT4 and INT8 arrays; asserts that the value fits */
void pgbox_db_array_add_int(struct pgbox_db_array *array, int64_t value);
/* value may be NULL (SQL null) */
void pgbox_db_array_add_text(struct pgbox_db_array *array, const char *value);
/* for BYTEA and UUID arrays; data may be NULL (SQL null) */
void pgbox_db_array_add_bytes(struct pgbox_db_array *array,
			      const void *data, size_t size);

/* TRUE if PostgreSQL takes the string as text: valid UTF-8, no NUL inside
   (size is its length). */
bool pgbox_db_text_is_valid(const char *str, size_t size);

/* ---- statements ---- */

/* Runs the query and waits for its result, at most the query timeout
   (connecting: at most the connect timeout before it; cancelling: at most two
   seconds after it). All statements of one command, until the process is back in
   its root ioloop or imap is at the next command, wait for no more than both
   timeouts together, but for those that are answered within a tenth of theirs.

   Connects first if there is no connection. If the connection turns out to
   have been closed by the server before the statement was sent (or the server
   refused with 57P0x or 25006, read-only, while nothing was executed), reconnects
   once, but not in an explicit transaction. A server that shuts down (57P01)
   while the statement runs leaves it UNCERTAIN. Serialization failures and
   deadlocks outside a transaction are run again at most 3 times, after a short
   random wait.

   Returns 0 and the result, to be freed with pgbox_db_result_free(), or -1
   and the failure. params may be NULL if the query has none. */
int pgbox_db_exec(struct pgbox_db *db, const struct pgbox_query *query,
		  const struct pgbox_db_params *params,
		  struct pgbox_db_result **result_r,
		  struct pgbox_db_failure *failure_r);
/* How long an answer is waited for */
struct pgbox_db_patience {
	/* deadline, if it is less than the setting; 0 = the setting */
	unsigned int timeout_msecs;
	/* A socket, 0 = none: soon after its other side hung up, nobody wants
	   the answer any more, which is then as if the deadline had passed.
	   Nothing is read from it. */
	int client_fd;
};

/* Like pgbox_db_exec() with its own deadline */
int pgbox_db_exec_patient(struct pgbox_db *db, const struct pgbox_query *query,
			  const struct pgbox_db_params *params,
			  const struct pgbox_db_patience *patience,
			  struct pgbox_db_result **result_r,
			  struct pgbox_db_failure *failure_r);

/* Like pgbox_db_exec(), for statements that may run twice because they only
   read, or because the second run finds done what the first one did: runs it
   once more if the connection is lost in the middle. */
int pgbox_db_exec_repeatable(struct pgbox_db *db,
			     const struct pgbox_query *query,
			     const struct pgbox_db_params *params,
			     struct pgbox_db_result **result_r,
			     struct pgbox_db_failure *failure_r);

/* Sleeps before a statement is tried again, as a part of the command's time.
   Returns FALSE at once if there is not so much left. */
bool pgbox_db_command_wait(struct pgbox_db *db, unsigned int msecs);

/* Sends a statement and returns while the server is at work on it, so that the
   next one can be prepared meanwhile. Other statements may be run: they wait for
   its answer, which the root ioloop takes over if it runs before. params are not
   needed any more. Returns NULL and the failure if nothing has happened. Not for
   use within a transaction. */
struct pgbox_db_started *
pgbox_db_exec_start(struct pgbox_db *db, const struct pgbox_query *query,
		    const struct pgbox_db_params *params,
		    struct pgbox_db_failure *failure_r);
/* Waits for the result, at most the query timeout, and frees *started. Returns
   as pgbox_db_exec() does, which would run the statement again after a
   deadlock. */
int pgbox_db_exec_finish(struct pgbox_db_started **started,
			 struct pgbox_db_result **result_r,
			 struct pgbox_db_failure *failure_r);

/* Takes over what has come of the answer, without waiting for more: the server
   stops at what the kernel holds for us. */
void pgbox_db_exec_look(struct pgbox_db_started *started);
/* Frees *started, which may be NULL, when the result of a statement that only
   reads is not wanted. Waits for a second at most, then cancels it and closes the
   connection. */
void pgbox_db_exec_abandon(struct pgbox_db_started **started);

/* An explicit transaction around several statements, for the rare case that
   one function call cannot do it. Not nestable. Statements inside are run by
   pgbox_db_exec(); after any failure the transaction is already rolled back,
   and pgbox_db_rollback() may still be called. Until then nothing else may be
   run: it would not be part of a transaction. commit returns -1 with UNCERTAIN if
   the COMMIT was lost, with INTERNAL if the transaction has failed before. */
int pgbox_db_begin(struct pgbox_db *db, struct pgbox_db_failure *failure_r);
int pgbox_db_commit(struct pgbox_db *db, struct pgbox_db_failure *failure_r);
void pgbox_db_rollback(struct pgbox_db *db);

/* ---- results ----

   Rows and columns count from 0. Reading a value of another type than the
   column has, or out of range, is a bug and asserts only on the index; a
   column type that differs panics with the query's name (all queries are
   ours and each is tested). Null values read as 0, FALSE, NULL. */
unsigned int pgbox_db_result_rows(const struct pgbox_db_result *result);
bool pgbox_db_result_is_null(const struct pgbox_db_result *result,
			     unsigned int row, unsigned int column);
bool pgbox_db_result_bool(const struct pgbox_db_result *result,
			  unsigned int row, unsigned int column);
/* Panics if the column has another name. */
void pgbox_db_result_check_name(const struct pgbox_db_result *result,
				unsigned int column, const char *name);
/* int2, int4, int8 and pg_lsn columns */
int64_t pgbox_db_result_int(const struct pgbox_db_result *result,
			    unsigned int row, unsigned int column);
/* text columns; the string belongs to the result */
const char *pgbox_db_result_text(const struct pgbox_db_result *result,
				 unsigned int row, unsigned int column);
/* bytea and uuid columns; the bytes belong to the result */
const unsigned char *
pgbox_db_result_bytes(const struct pgbox_db_result *result,
		      unsigned int row, unsigned int column, size_t *size_r);
/* int2[], int4[] and int8[] columns, appended to dest; nulls are 0 */
void pgbox_db_result_int_array(const struct pgbox_db_result *result,
			       unsigned int row, unsigned int column,
			       ARRAY_TYPE(pgbox_int64) *dest);
/* text[] columns: NULL-terminated list on the data stack; the strings are copies on
   the data stack, nulls are "" */
const char *const *
pgbox_db_result_text_array(const struct pgbox_db_result *result,
			   unsigned int row, unsigned int column);
void pgbox_db_result_free(struct pgbox_db_result **result);

#endif
