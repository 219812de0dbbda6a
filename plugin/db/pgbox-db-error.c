/* What went wrong, in our classes and in words for the admin. Knows SQLSTATEs
   and the states of a connection; decides nothing. */

#include "pgbox-config.h"
#include "lib.h"
#include "str.h"
#include "strescape.h"
#include "pgbox-db-session.h"

#include <ctype.h>

#define SQLSTATE_LENGTH 5
/* A server's texts are cut to this: the context of an error may hold whole
   function bodies. */
#define MESSAGE_MAX_LENGTH 1000
#define CONTEXT_MAX_LENGTH 200

/* Shorter codes are prefixes, the first match counts. Codes that are missing
   are PGBOX_DB_ERROR_INTERNAL. */
static const struct {
	const char *sqlstate;
	enum pgbox_db_error error;
} sqlstate_table[] = {
	/* raised by our functions */
	{ "PB404", PGBOX_DB_ERROR_NOT_FOUND },
	{ "PB410", PGBOX_DB_ERROR_EXPUNGED },
	{ "PB409", PGBOX_DB_ERROR_EXISTS },
	{ "PB400", PGBOX_DB_ERROR_NOT_POSSIBLE },
	{ "PB413", PGBOX_DB_ERROR_LIMIT },
	{ "23505", PGBOX_DB_ERROR_EXISTS },	/* unique_violation */

	{ "40001", PGBOX_DB_ERROR_CONFLICT },	/* serialization_failure */
	{ "40P01", PGBOX_DB_ERROR_CONFLICT },	/* deadlock_detected */
	{ "40003", PGBOX_DB_ERROR_UNCERTAIN },	/* ..._completion_unknown */
	{ "57014", PGBOX_DB_ERROR_TIMEOUT },	/* query_canceled */
	{ "55P03", PGBOX_DB_ERROR_TIMEOUT },	/* lock_not_available */
	{ "25P03", PGBOX_DB_ERROR_TIMEOUT },	/* idle_in_transaction_... */
	{ "25P04", PGBOX_DB_ERROR_TIMEOUT },	/* transaction_timeout */

	{ "57P04", PGBOX_DB_ERROR_CONFIG },	/* database_dropped */
	{ "57P05", PGBOX_DB_ERROR_UNAVAILABLE },/* idle_session_timeout */
	{ "57P", PGBOX_DB_ERROR_RESOURCES },	/* shutdown, starting up */
	{ "53", PGBOX_DB_ERROR_RESOURCES },	/* disk, memory, connections */
	{ "54000", PGBOX_DB_ERROR_LIMIT },	/* too long for an index */

	{ "08", PGBOX_DB_ERROR_UNAVAILABLE },	/* connection; poolers */

	{ "F0", PGBOX_DB_ERROR_CONFIG },	/* session_begin() */
	{ "28", PGBOX_DB_ERROR_CONFIG },	/* authorization */
	{ "3D000", PGBOX_DB_ERROR_CONFIG },	/* no such database */
	{ "3F000", PGBOX_DB_ERROR_CONFIG },	/* no such schema */
	{ "42501", PGBOX_DB_ERROR_CONFIG },	/* insufficient_privilege */
	{ "42883", PGBOX_DB_ERROR_CONFIG },	/* no such function */
	{ "42P01", PGBOX_DB_ERROR_CONFIG },	/* no such table */
	{ "42703", PGBOX_DB_ERROR_CONFIG },	/* no such column */
	{ "42704", PGBOX_DB_ERROR_CONFIG },	/* no such object */
	{ PGBOX_SQLSTATE_READ_ONLY, PGBOX_DB_ERROR_CONFIG },
};

/* Dovecot 2.3 and 2.4 have different ones. */
static bool has_prefix(const char *str, const char *prefix)
{
	return strncmp(str, prefix, strlen(prefix)) == 0;
}

enum pgbox_db_error pgbox_db_error_from_sqlstate(const char *sqlstate)
{
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(sqlstate_table); i++) {
		if (has_prefix(sqlstate, sqlstate_table[i].sqlstate))
			return sqlstate_table[i].error;
	}
	return PGBOX_DB_ERROR_INTERNAL;
}

const char *pgbox_db_error_one_line(const char *text)
{
	string_t *str = t_str_new(128);
	const char *const *lines;
	bool first = TRUE;

	for (lines = t_strsplit(text, "\n"); *lines != NULL; lines++) {
		const char *line = t_str_trim(*lines, " \t\r");

		/* the server's source file helps nobody */
		if (*line == '\0' || has_prefix(line, "LOCATION:"))
			continue;
		if (!first)
			str_append(str, "; ");
		str_append(str, line);
		first = FALSE;
	}
	str_truncate_utf8(str, MESSAGE_MAX_LENGTH);
	return str_c(str);
}

void pgbox_db_failure_set(struct pgbox_db_failure *failure_r,
			  enum pgbox_db_error error, const char *message)
{
	i_zero(failure_r);
	failure_r->error = error;
	failure_r->message = message;
}

/*
 * Answers of the server
 */

static void
append_field(string_t *str, const PGresult *res, int field, const char *title)
{
	const char *value = PQresultErrorField(res, field);

	if (value == NULL || *value == '\0')
		return;
	value = pgbox_db_error_one_line(value);
	if (field == PG_DIAG_CONTEXT && strlen(value) > CONTEXT_MAX_LENGTH) {
		value = t_strconcat(t_strndup(value, CONTEXT_MAX_LENGTH),
				    "...", NULL);
	}
	str_printfa(str, "; %s: %s", title, value);
}

static const char *
failure_message(const struct pgbox_query *query, const PGresult *res,
		const char *sqlstate)
{
	const char *primary =
		PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	string_t *str = t_str_new(256);

	str_printfa(str, "Query %s: %s (SQLSTATE %s)", query->name,
		    pgbox_db_error_one_line(primary == NULL ? "" : primary),
		    sqlstate);
	if (has_prefix(sqlstate, "23")) {
		/* the detail has the values of the row */
		append_field(str, res, PG_DIAG_CONSTRAINT_NAME, "Constraint");
	} else {
		append_field(str, res, PG_DIAG_MESSAGE_DETAIL, "Detail");
	}
	append_field(str, res, PG_DIAG_MESSAGE_HINT, "Hint");
	append_field(str, res, PG_DIAG_CONTEXT, "Context");
	str_truncate_utf8(str, MESSAGE_MAX_LENGTH);
	return str_c(str);
}

/* An ERROR means that the statement was rolled back. After anything worse the
   session is gone, and then it depends. */
static bool
error_is_certain(const PGresult *res, const char *sqlstate, bool completed)
{
	const char *severity =
		PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (null_strcmp(severity, "ERROR") == 0)
		return TRUE;
	if (completed || null_strcmp(severity, "FATAL") != 0)
		return FALSE;
	/* Only a session's start fails like this: a pooler hands it on when it
	   has no server for the statement. */
	if (strcmp(sqlstate, PGBOX_SQLSTATE_STARTING_UP) == 0)
		return TRUE;
	/* The server was shut down or has crashed, or a pooler lost it. */
	return !has_prefix(sqlstate, "57P") &&
		!has_prefix(sqlstate, "08") &&
		!has_prefix(sqlstate, "XX");
}

/* Returns TRUE if a loss in the current state leaves open what happened. */
static bool state_may_commit(enum pgbox_db_state state)
{
	return state == PGBOX_DB_STATE_BUSY ||
		state == PGBOX_DB_STATE_TXN_COMMITTING;
}

void pgbox_db_failure_from_result(struct pgbox_db *db,
				  const struct pgbox_query *query,
				  const PGresult *res, bool completed,
				  struct pgbox_db_failure *failure_r)
{
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (PQresultStatus(res) != PGRES_FATAL_ERROR) {
		/* COPY or nothing: not one of our statements */
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_INTERNAL,
			t_strdup_printf("Query %s: Unexpected result %s",
				query->name,
				PQresStatus(PQresultStatus(res))));
		return;
	}
	if (sqlstate == NULL || strlen(sqlstate) != SQLSTATE_LENGTH) {
		/* libpq made this result: the connection was lost */
		pgbox_db_failure_lost(db, query, TRUE,
			pgbox_db_error_one_line(PQresultErrorMessage(res)),
			failure_r);
		return;
	}

	i_zero(failure_r);
	i_strocpy(failure_r->sqlstate, sqlstate, sizeof(failure_r->sqlstate));
	failure_r->message = failure_message(query, res, sqlstate);
	if (state_may_commit(db->state) &&
	    !error_is_certain(res, sqlstate, completed))
		failure_r->error = PGBOX_DB_ERROR_UNCERTAIN;
	else
		failure_r->error = pgbox_db_error_from_sqlstate(sqlstate);
}

static void
failure_without_answer(struct pgbox_db *db, const struct pgbox_query *query,
		       bool sent, enum pgbox_db_error error,
		       const char *reason, struct pgbox_db_failure *failure_r)
{
	bool uncertain = sent && state_may_commit(db->state);

	pgbox_db_failure_set(failure_r, uncertain ?
			     PGBOX_DB_ERROR_UNCERTAIN : error,
			     t_strdup_printf("Query %s: %s%s", query->name,
					     reason, uncertain ?
					     " (outcome unknown)" : ""));
}

void pgbox_db_failure_lost(struct pgbox_db *db,
			   const struct pgbox_query *query, bool sent,
			   const char *reason,
			   struct pgbox_db_failure *failure_r)
{
	failure_without_answer(db, query, sent, PGBOX_DB_ERROR_UNAVAILABLE,
			       *reason == '\0' ? "Connection lost" : reason,
			       failure_r);
}

void pgbox_db_failure_deadline(struct pgbox_db *db,
			       const struct pgbox_query *query, bool sent,
			       struct pgbox_db_failure *failure_r)
{
	failure_without_answer(db, query, sent, PGBOX_DB_ERROR_TIMEOUT,
			       "No answer before the deadline", failure_r);
}

/*
 * Connecting
 */

/* Finds "FATAL:  28P01: text", which libpq writes with PQERRORS_VERBOSE. There
   is no other way to learn the SQLSTATE of a failed connection. */
static bool line_get_sqlstate(const char *line, char *sqlstate_r)
{
	const char *p = line;
	unsigned int i;

	while ((p = strstr(p, ":  ")) != NULL) {
		p += 3;
		for (i = 0; i < SQLSTATE_LENGTH; i++) {
			if (!i_isdigit(p[i]) && (p[i] < 'A' || p[i] > 'Z'))
				break;
		}
		if (i == SQLSTATE_LENGTH && p[i] == ':') {
			memcpy(sqlstate_r, p, SQLSTATE_LENGTH);
			sqlstate_r[SQLSTATE_LENGTH] = '\0';
			return TRUE;
		}
	}
	return FALSE;
}

static bool line_is_continuation(const char *line)
{
	return *line == '\0' || *line == '\t' || *line == ' ' ||
		has_prefix(line, "LOCATION:") || has_prefix(line, "DETAIL:") ||
		has_prefix(line, "HINT:") ||
		/* after a password was refused */
		has_prefix(line, "password retrieved from file");
}

void pgbox_db_failure_from_connect(const char *text,
				   struct pgbox_db_failure *failure_r)
{
	enum pgbox_db_error error = PGBOX_DB_ERROR_NONE;
	char sqlstate[SQLSTATE_LENGTH + 1] = "";
	const char *const *lines;

	/* There is one line for each attempt (addresses, with and without
	   TLS). Where one got no answer the problem may pass. */
	for (lines = t_strsplit(text, "\n"); *lines != NULL; lines++) {
		if (line_is_continuation(*lines))
			continue;
		if (!line_get_sqlstate(*lines, sqlstate)) {
			sqlstate[0] = '\0';
			error = PGBOX_DB_ERROR_UNAVAILABLE;
			break;
		}
		error = pgbox_db_error_from_sqlstate(sqlstate);
	}
	pgbox_db_failure_set(failure_r, error == PGBOX_DB_ERROR_NONE ?
			     PGBOX_DB_ERROR_UNAVAILABLE : error,
			     pgbox_db_error_one_line(text));
	i_strocpy(failure_r->sqlstate, sqlstate, sizeof(failure_r->sqlstate));
}
