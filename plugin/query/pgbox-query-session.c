/* What is asked when a connection is made, and about the history of the server
   that it was made to. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-db.h"
#include "pgbox-history.h"
#include "pgbox-query.h"
#include "pgbox-query-session.h"

/* "undefined" and the like: the statement is of another schema version */
#define SQLSTATE_CLASS_UNDEFINED "42"

static void session_params(struct pgbox_db_params *params, void *context)
{
	struct pgbox_history *history = context;
	struct pgbox_history_position seen;

	pgbox_history_read(history, &seen);

	const struct pgbox_session_begin_params values = {
		.system_identifier = seen.system_identifier,
		.timeline = seen.timeline,
		.position = seen.position,
		.epoch = seen.epoch,
		.raised_at = seen.raised_at,
	};
	pgbox_bind_session_begin(params, &values);
}

/* what session_begin() says */
enum {
	HISTORY_SYSTEM_IDENTIFIER,
	HISTORY_TIMELINE,
	HISTORY_EPOCH,
	HISTORY_RAISED_AT,
	HISTORY_COUNT,
};

static void
session_history_seen(struct pgbox_history *history,
		     const struct pgbox_session_begin_columns *columns)
{
	struct pgbox_history_position seen;
	const int64_t *n = columns->history.values;

	if (columns->history.count != HISTORY_COUNT) {
		pgbox_history_advanced(history, columns->position);
		return;
	}
	i_zero(&seen);
	seen.system_identifier = n[HISTORY_SYSTEM_IDENTIFIER];
	seen.timeline = n[HISTORY_TIMELINE];
	seen.position = columns->position;
	seen.epoch = n[HISTORY_EPOCH];
	seen.raised_at = n[HISTORY_RAISED_AT];
	pgbox_history_seen(history, &seen);
}

static int
session_begun(struct pgbox_db *db, const struct pgbox_db_result *result,
	      void *context, const char **error_r)
{
	struct pgbox_history *history = context;
	struct pgbox_session_begin_columns columns;
	int64_t version;

	pgbox_read_session_begin(result, 0, &columns);
	version = columns.schema_version;
	pgbox_db_set_backend_pid(db, columns.backend_pid);
	if (version == PGBOX_SCHEMA_VERSION) {
		session_history_seen(history, &columns);
		return 0;
	}
	*error_r = t_strdup_printf(
		"The database has pgbox's schema version %lld, but this "
		"plugin ("PGBOX_VERSION") needs version %d: %s",
		(long long)version, PGBOX_SCHEMA_VERSION,
		version >= PGBOX_SCHEMA_VERSION ? "install the newer plugin" :
		t_strdup_printf("run pgbox-schema upgrade --dsn 'dbname=%s "
				"...'", pgbox_db_database_name(db)));
	return -1;
}

/* undefined_table: before the first migration there is none. What is in a newer
   schema, or in an older one, has other names. */
#define SQLSTATE_UNDEFINED_TABLE "42P01"
#define SQLSTATE_INSUFFICIENT_PRIVILEGE "42501"

static void
session_failed(struct pgbox_db *db, struct pgbox_db_failure *failure,
	       void *context ATTR_UNUSED)
{
	const char *database = pgbox_db_database_name(db);

	if (strcmp(failure->sqlstate, SQLSTATE_INSUFFICIENT_PRIVILEGE) == 0) {
		failure->message = t_strdup_printf(
			"%s; what helps: GRANT pgbox_mail TO %s",
			failure->message, pgbox_db_role_name(db));
	} else if (strcmp(failure->sqlstate, SQLSTATE_UNDEFINED_TABLE) == 0) {
		failure->message = t_strdup_printf(
			"The database %s has not the schema of pgbox: run "
			"pgbox-schema install --dsn 'dbname=%s ...' as a "
			"superuser, or name another database in pgbox_dsn: %s",
			database, database, failure->message);
	} else if (strncmp(failure->sqlstate, SQLSTATE_CLASS_UNDEFINED,
			   strlen(SQLSTATE_CLASS_UNDEFINED)) == 0) {
		failure->message = t_strdup_printf(
			"The database %s has not the schema version %d that "
			"this plugin ("PGBOX_VERSION") needs: run pgbox-schema "
			"upgrade --dsn 'dbname=%s ...', or install the newer "
			"plugin: %s", database, PGBOX_SCHEMA_VERSION, database,
			failure->message);
	}
}

static void session_elsewhere(const char *message, void *context)
{
	struct pgbox_history *history = context;

	if (pgbox_history_may_tell(history)) {
		i_error("pgbox: A server is refused, another host of the "
			"connection string is used: %s", message);
	}
}

static const struct pgbox_db_connected_hooks session_hooks = {
	.params = session_params,
	.failed = session_failed,
	.elsewhere = session_elsewhere,
};

void pgbox_query_session_init(struct pgbox_db *db,
			      struct pgbox_history *history)
{
	pgbox_db_set_connected_callback(db, &pgbox_query_session_begin,
					session_begun, history);
	pgbox_db_set_connected_hooks(db, &session_hooks);
}

int pgbox_run_history_lost(struct pgbox_db *db, uint64_t epoch,
			   struct pgbox_db_failure *failure_r)
{
	const struct pgbox_history_lost_params values = { .epoch = epoch };

	return pgbox_exec_history_lost(db, &values, NULL, failure_r);
}
