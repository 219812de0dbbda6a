/* From a connection string to an established session, which its own query has
   found good. Knows nothing of other statements. */

/* for close_range() */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE
#endif

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "master-service.h"
#include "pgbox-db-client.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A host that fails faster costs nobody much. */
#define SILENT_MSECS 200

/* Used unless the connection string says otherwise. Nothing here may be a
   setting of the session: a pooler would hand it to others. */
static const struct {
	const char *keyword, *value;
} default_options[] = {
	/* a server that was demoted is as good as none */
	{ "target_session_attrs", "read-write" },
	/* how long a silent network is waited for, in milliseconds and
	   seconds: without these a statement's deadline would still hold, but
	   the server would keep the session for hours */
	{ "tcp_user_timeout", "20000" },
	{ "keepalives_idle", "30" },
	{ "keepalives_interval", "10" },
	{ "keepalives_count", "3" },
};

/* What cannot be changed: the parameters are sent as UTF-8 */
#define CLIENT_ENCODING "UTF8"

#define APPLICATION_NAME_PREFIX "pgbox/"

/* client_encoding, application_name, end of the list */
#define EXTRA_OPTIONS_COUNT 3

/*
 * The connection string
 */

/* Returns the items of an option, none if it is not there. */
static const char *const *
option_get_list(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++) {
		if (strcmp(options->keyword, keyword) == 0 &&
		    options->val != NULL)
			return t_strsplit(options->val, ",");
	}
	return t_strsplit("", ",");
}

int pgbox_db_conninfo_check(const char *conninfo, const char **error_r)
{
	PQconninfoOption *options;
	char *error = NULL;

	options = PQconninfoParse(conninfo, &error);
	if (options == NULL) {
		/* libpq's text may quote the string, and with it the
		   password */
		*error_r = strstr(error, "invalid connection option") != NULL ?
			"Unknown keyword in the connection string" :
			"Syntax error in the connection string";
		PQfreemem(error);
		return -1;
	}
	PQconninfoFree(options);
	return 0;
}

/* Returns item idx of a list, or its only item. */
static const char *
list_item(const char *const *list, unsigned int idx)
{
	unsigned int count = str_array_length(list);

	if (count == 0)
		return "";
	return count == 1 ? list[0] : (idx < count ? list[idx] : "");
}

/* libpq would stay at a host that doesn't answer until our deadline, and never
   ask the next one. So the list is split and each host gets its share. */
static void conninfo_parse_hosts(struct pgbox_db *db)
{
	const char *const *hosts, *const *addrs, *const *ports;
	unsigned int i, count;

	hosts = option_get_list(db->options, "host");
	addrs = option_get_list(db->options, "hostaddr");
	ports = option_get_list(db->options, "port");
	count = I_MAX(str_array_length(hosts), str_array_length(addrs));
	/* none is the default one */
	count = I_MAX(count, 1);

	p_array_init(&db->hosts, db->pool, count);
	for (i = 0; i < count; i++) {
		struct pgbox_db_host *host = array_append_space(&db->hosts);

		host->host = p_strdup(db->pool, list_item(hosts, i));
		host->hostaddr = p_strdup(db->pool, list_item(addrs, i));
		host->port = p_strdup(db->pool, list_item(ports, i));
	}
}

int pgbox_db_conninfo_parse(struct pgbox_db *db,
			    struct pgbox_db_failure *failure_r)
{
	const char *error;

	if (db->options != NULL)
		return 0;
	if (pgbox_db_conninfo_check(db->set.conninfo, &error) < 0) {
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_CONFIG, error);
		return -1;
	}
	db->options = PQconninfoParse(db->set.conninfo, NULL);
	conninfo_parse_hosts(db);
	return 0;
}

/*
 * One attempt
 */

static bool keyword_is_host(const char *keyword)
{
	return strcmp(keyword, "host") == 0 ||
		strcmp(keyword, "hostaddr") == 0 ||
		strcmp(keyword, "port") == 0;
}

static void
option_add(ARRAY_TYPE(const_string) *keywords, ARRAY_TYPE(const_string) *values,
	   const char *keyword, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	array_push_back(keywords, &keyword);
	array_push_back(values, &value);
}

/* Of two values for the same keyword libpq takes the last one. */
static void
connect_get_options(struct pgbox_db *db, const struct pgbox_db_host *host,
		    const char *const **keywords_r,
		    const char *const **values_r)
{
	ARRAY_TYPE(const_string) keywords, values;
	const PQconninfoOption *option;
	unsigned int i;

	t_array_init(&keywords, 32);
	t_array_init(&values, 32);

	for (i = 0; i < N_ELEMENTS(default_options); i++) {
		option_add(&keywords, &values, default_options[i].keyword,
			   default_options[i].value);
	}
	option_add(&keywords, &values, "application_name",
		   t_strconcat(APPLICATION_NAME_PREFIX, master_service == NULL ?
			       "" : master_service_get_name(master_service),
			       NULL));
	for (option = db->options; option->keyword != NULL; option++) {
		if (!keyword_is_host(option->keyword)) {
			option_add(&keywords, &values, option->keyword,
				   option->val);
		}
	}
	option_add(&keywords, &values, "host", host->host);
	option_add(&keywords, &values, "hostaddr", host->hostaddr);
	option_add(&keywords, &values, "port", host->port);
	option_add(&keywords, &values, "client_encoding", CLIENT_ENCODING);

	array_append_zero(&keywords);
	array_append_zero(&values);
	*keywords_r = array_front(&keywords);
	*values_r = array_front(&values);
}

static void notice_receiver(void *context, const PGresult *res)
{
	struct pgbox_db *db = context;
	const char *severity, *message;

	severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	e_debug(db->event, "Notice: %s: %s", severity == NULL ? "" : severity,
		message == NULL ? "" : message);

	/* Outside of a statement libpq has no other place for an error. */
	if (db->state == PGBOX_DB_STATE_IDLE && null_strcmp(severity, "FATAL") == 0)
		db->server_left = TRUE;
}

int pgbox_db_connect_begin(struct pgbox_db *db,
			   const struct pgbox_db_host *host,
			   const char **error_r)
{
	const char *const *keywords, *const *values;

	connect_get_options(db, host, &keywords, &values);
	db->conn = pgbox_db_home_connect_start(keywords, values);
	if (db->conn == NULL)
		i_fatal_status(FATAL_OUTOFMEM, "PQconnectStartParams() failed");
	(void)PQsetNoticeReceiver(db->conn, notice_receiver, db);
	(void)PQsetErrorVerbosity(db->conn, PQERRORS_VERBOSE);
	if (PQstatus(db->conn) == CONNECTION_BAD) {
		*error_r = t_strdup(PQerrorMessage(db->conn));
		return -1;
	}
	return 0;
}

const char *pgbox_db_connect_timeout_text(const struct pgbox_db_host *host)
{
	return t_strdup_printf("connection to server at \"%s\", port %s timed "
		"out", *host->hostaddr != '\0' ? host->hostaddr : host->host,
		*host->port != '\0' ? host->port : "default");
}

/* Returns NULL, or why it failed. */
static const char *
connect_host(struct pgbox_db *db, const struct pgbox_db_host *host,
	     int64_t deadline)
{
	int64_t start = pgbox_db_now_msecs();
	const char *error;

	if (pgbox_db_connect_begin(db, host, &error) < 0)
		return error;
	switch (pgbox_db_wait_connected(db, deadline,
					pgbox_db_now_msecs() - start)) {
	case PGBOX_DB_WAIT_DONE:
		if (PQsetnonblocking(db->conn, 1) != 0)
			break;
		return NULL;
	case PGBOX_DB_WAIT_DEADLINE:
		return t_strdup_printf("%s after %lld milliseconds",
			pgbox_db_connect_timeout_text(host),
			(long long)(pgbox_db_now_msecs() - start));
	case PGBOX_DB_WAIT_LOST:
		break;
	}
	return t_strdup(PQerrorMessage(db->conn));
}

int pgbox_db_connected(struct pgbox_db *db, int64_t deadline,
		       struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_statement stmt = {
		.query = db->connected_query,
		.busy = PGBOX_DB_STATE_CHECKING,
		.done = PGBOX_DB_STATE_IDLE,
	};
	struct pgbox_db_params *params;
	struct pgbox_db_result *result;
	const char *error = "Refused";

	if (db->connected_query == NULL) {
		pgbox_db_set_state(db, PGBOX_DB_STATE_IDLE);
		return 0;
	}
	if (db->connected_hooks.params != NULL) {
		params = pgbox_db_params_create(pool_datastack_create());
		db->connected_hooks.params(params, db->connected_context);
		stmt.params = params;
	}
	if (pgbox_db_run(db, &stmt, deadline, &result, failure_r) < 0) {
		if (db->connected_hooks.failed != NULL) {
			db->connected_hooks.failed(db, failure_r,
						   db->connected_context);
		}
		return -1;
	}

	if (pgbox_db_result_rows(result) != 1) {
		error = t_strdup_printf("%u rows instead of one",
					pgbox_db_result_rows(result));
	} else if (db->connected_callback(db, result, db->connected_context,
					  &error) == 0) {
		error = NULL;
	}
	pgbox_db_result_free(&result);
	if (error == NULL)
		return 0;
	pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_CONFIG,
			     t_strdup_printf("Query %s: %s",
					     db->connected_query->name, error));
	return -1;
}

/* Returns NULL, or why the host can't be used; with refused_r its failure if it
   answered. */
static const char *
try_host(struct pgbox_db *db, const struct pgbox_db_host *host,
	 int64_t deadline, struct pgbox_db_failure *refused_r)
{
	const char *error;

	i_zero(refused_r);
	pgbox_db_set_state(db, PGBOX_DB_STATE_CONNECTING);
	error = connect_host(db, host, deadline);
	if (error == NULL && pgbox_db_connected(db, deadline, refused_r) < 0)
		error = refused_r->message;
	if (error != NULL)
		pgbox_db_disconnect(db, "Connecting failed");
	return error;
}

/* Looks whether the host is there again, in a process of its own, which has none of
   our files and does not live long. */
static void look_at_host(struct pgbox_db *db, unsigned int idx)
{
	const struct pgbox_db_host *host = array_idx(&db->hosts, idx);
	const char *const *keywords, *const *values;
	pid_t pid;

	/* the child of a child is nobody's to wait for */
	if ((pid = fork()) == 0) {
		if (fork() == 0) {
			(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
			(void)signal(SIGALRM, SIG_DFL);
			(void)alarm(db->set.connect_timeout_msecs / 1000 + 1);
			connect_get_options(db, host, &keywords, &values);
			if (pgbox_db_home_ping(keywords, values) == PQPING_OK)
				pgbox_db_host_answers(db, idx, FALSE);
		}
		_exit(0);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	else
		e_warning(db->event, "fork() failed: %m");
}

/* Puts the hosts into the order in which they are asked: those that are left alone
   come last. */
static void
connect_order_hosts(struct pgbox_db *db, unsigned int *order_r)
{
	unsigned int i, pass, left, count = array_count(&db->hosts), n = 0;
	int look_at;

	left = pgbox_db_hosts_get_left(db, &look_at);
	if (look_at >= 0)
		look_at_host(db, look_at);
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < count; i++) {
			unsigned int idx = (db->host_idx + i) % count;
			bool is_left = idx < 32 && (left & (1U << idx)) != 0;

			if (is_left == (pass == 1))
				order_r[n++] = idx;
		}
	}
}

int pgbox_db_connect_hosts(struct pgbox_db *db, int64_t deadline,
			   struct pgbox_db_failure *failure_r)
{
	const struct pgbox_db_host *hosts;
	struct pgbox_db_failure refused, host_refused;
	string_t *errors = t_str_new(256);
	unsigned int i, count, *order;

	if (pgbox_db_conninfo_parse(db, failure_r) < 0)
		return -1;
	i_zero(&refused);
	hosts = array_get(&db->hosts, &count);
	order = t_new(unsigned int, count);
	connect_order_hosts(db, order);
	for (i = 0; i < count; i++) {
		unsigned int idx = order[i];
		int64_t now = pgbox_db_now_msecs();
		const char *error;

		error = try_host(db, &hosts[idx],
				 now + (deadline - now) / (count - i),
				 &host_refused);
		if (error == NULL) {
			db->host_idx = idx;
			pgbox_db_host_answers(db, idx, TRUE);
			if (refused.message != NULL &&
			    db->connected_hooks.elsewhere != NULL) {
				db->connected_hooks.elsewhere(refused.message,
					db->connected_context);
			}
			return 0;
		}
		if (host_refused.message == NULL &&
		    pgbox_db_now_msecs() - now >= SILENT_MSECS)
			pgbox_db_host_is_silent(db, idx);
		if (host_refused.message != NULL && refused.message == NULL)
			refused = host_refused;
		if (str_len(errors) > 0)
			str_append_c(errors, '\n');
		str_append(errors, error);
	}
	pgbox_db_failure_from_connect(str_c(errors), failure_r);
	if (refused.message != NULL) {
		/* what one that answers says, counts */
		refused.message = failure_r->message;
		*failure_r = refused;
	}
	pgbox_db_failure_advise(db, failure_r);
	return -1;
}
