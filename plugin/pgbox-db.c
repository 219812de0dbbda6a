/* The connection object: its life, its states, and when it is connected.
   Knows nothing of mailboxes and of SQL. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "llist.h"
#include "pgbox-db-private.h"

#include <sys/socket.h>

/* After a failure to connect nobody tries again for so long: an operation of
   many statements would wait for the timeout in each. */
#define STAY_AWAY_MSECS 1000

/* While somebody waits for changes the connection is closed after so long: long
   enough for what follows a change, short enough that ten thousand who wait
   hold none. */
#define WAITING_DISCONNECT_MSECS 1000

static struct event_category event_category_pgbox = {
	.name = "pgbox",
};

static struct pgbox_db *all_dbs = NULL;

/* Connections outlive their last reference */
static bool lingering_enabled = FALSE;

static void db_free(struct pgbox_db *db);

/*
 * States
 */

#define TO(state) (1 << PGBOX_DB_STATE_##state)

/* The states that each state may go to. From each but DISCONNECTED there is a
   way to DISCONNECTED. */
static const unsigned int state_transitions[PGBOX_DB_STATE_COUNT] = {
	[PGBOX_DB_STATE_DISCONNECTED] = TO(CONNECTING),
	[PGBOX_DB_STATE_CONNECTING] = TO(CHECKING) | TO(IDLE) |
		TO(DISCONNECTED),
	[PGBOX_DB_STATE_CHECKING] = TO(IDLE) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_IDLE] = TO(PREPARING) | TO(BUSY) |
		TO(TXN_BEGINNING) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_PREPARING] = TO(IDLE) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_BUSY] = TO(IDLE) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_TXN_BEGINNING] = TO(TXN) | TO(IDLE) |
		TO(DISCONNECTED),
	[PGBOX_DB_STATE_TXN] = TO(TXN_BUSY) | TO(TXN_COMMITTING) |
		TO(TXN_ROLLING_BACK) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_TXN_BUSY] = TO(TXN) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_TXN_COMMITTING] = TO(IDLE) | TO(DISCONNECTED),
	[PGBOX_DB_STATE_TXN_ROLLING_BACK] = TO(IDLE) | TO(DISCONNECTED),
};

static void idle_timeout(struct pgbox_db *db)
{
	/* A transaction between two statements is not idle. Whoever began it
	   is still there and gets to IDLE again. */
	timeout_remove(&db->to_idle);
	if (db->state == PGBOX_DB_STATE_IDLE)
		pgbox_db_disconnect(db, "Idle for too long");
	if (db->refcount == 0)
		db_free(db);
}

static void idle_timeout_start(struct pgbox_db *db)
{
	unsigned int msecs = db->set.idle_disconnect_msecs;

	if (db->listener != NULL)
		return;
	if (db->to_idle != NULL) {
		timeout_reset(db->to_idle);
	} else if (current_ioloop != NULL) {
		if (db->waiting_count > 0)
			msecs = I_MIN(msecs, WAITING_DISCONNECT_MSECS);
		/* we may be in a nested loop, which ends soon */
		db->to_idle = timeout_add_to(io_loop_get_root(), msecs,
					     idle_timeout, db);
	}
}

static void idle_timeout_restart(struct pgbox_db *db)
{
	timeout_remove(&db->to_idle);
	if (db->state == PGBOX_DB_STATE_IDLE)
		idle_timeout_start(db);
}

void pgbox_db_wait_begin(struct pgbox_db *db)
{
	if (db->waiting_count++ == 0)
		idle_timeout_restart(db);
}

void pgbox_db_wait_end(struct pgbox_db *db)
{
	i_assert(db->waiting_count > 0);
	if (--db->waiting_count == 0)
		idle_timeout_restart(db);
}

void pgbox_db_set_state(struct pgbox_db *db, enum pgbox_db_state state)
{
	i_assert((state_transitions[db->state] & (1 << state)) != 0);

	db->state = state;
	switch (state) {
	case PGBOX_DB_STATE_DISCONNECTED:
		timeout_remove(&db->to_idle);
		break;
	case PGBOX_DB_STATE_CONNECTING:
		db->server_left = FALSE;
		pgbox_db_prepare_reset(db);
		break;
	case PGBOX_DB_STATE_IDLE:
		idle_timeout_start(db);
		break;
	case PGBOX_DB_STATE_CHECKING:
	case PGBOX_DB_STATE_PREPARING:
	case PGBOX_DB_STATE_BUSY:
	case PGBOX_DB_STATE_TXN_BEGINNING:
	case PGBOX_DB_STATE_TXN:
	case PGBOX_DB_STATE_TXN_BUSY:
	case PGBOX_DB_STATE_TXN_COMMITTING:
	case PGBOX_DB_STATE_TXN_ROLLING_BACK:
		break;
	case PGBOX_DB_STATE_COUNT:
		i_unreached();
	}
}

/*
 * Connecting
 */

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
			db->connected_hooks.failed(failure_r,
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

static int
connect_until(struct pgbox_db *db, int64_t deadline,
	      struct pgbox_db_failure *failure_r)
{
	const char *error;

	if (db->options == NULL && pgbox_db_conninfo_parse(db, &error) < 0) {
		pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_CONFIG, error);
		return -1;
	}
	return pgbox_db_connect_hosts(db, deadline, failure_r);
}

static void
connect_failed(struct pgbox_db *db, const struct pgbox_db_failure *failure)
{
	char *message = i_strdup(failure->message);

	pgbox_db_disconnect(db, failure->message);
	i_free(db->connect_message);
	db->connect_message = message;
	db->connect_failure = *failure;
	db->connect_failure.message = message;
	db->stay_away_until = pgbox_db_now_msecs() + STAY_AWAY_MSECS;
}

int pgbox_db_connect(struct pgbox_db *db, struct pgbox_db_failure *failure_r)
{
	int64_t start = pgbox_db_now_msecs();

	pgbox_db_started_settle(db);
	if (db->state == PGBOX_DB_STATE_IDLE)
		return 0;
	i_assert(db->state == PGBOX_DB_STATE_DISCONNECTED);

	if (start < db->stay_away_until) {
		*failure_r = db->connect_failure;
		failure_r->message =
			t_strdup_printf("%s (no new attempt within %d ms)",
					db->connect_message, STAY_AWAY_MSECS);
		return -1;
	}
	if (connect_until(db, start + db->set.connect_timeout_msecs,
			  failure_r) < 0) {
		failure_r->message = t_strconcat("Connecting to PostgreSQL "
			"failed: ", failure_r->message, NULL);
		connect_failed(db, failure_r);
		return -1;
	}
	e_debug(db->event, "Connected to \"%s\", port %s, in %lld ms (server "
		"process %d)", PQhost(db->conn), PQport(db->conn),
		(long long)(pgbox_db_now_msecs() - start),
		PQbackendPID(db->conn));
	return 0;
}

int pgbox_db_try_connect(struct pgbox_db *db,
			 struct pgbox_db_failure *failure_r)
{
	pgbox_db_started_settle(db);
	if (db->state == PGBOX_DB_STATE_IDLE && pgbox_db_is_dead(db))
		pgbox_db_disconnect(db, "The server closed the connection");
	return pgbox_db_connect(db, failure_r);
}

void pgbox_db_disconnect(struct pgbox_db *db, const char *reason)
{
	int fd;

	if (db->state == PGBOX_DB_STATE_DISCONNECTED)
		return;

	e_debug(db->event, "Disconnected: %s", reason);
	if (db->listener != NULL)
		pgbox_db_listener_disconnected(db->listener, reason);
	fd = PQsocket(db->conn);
	if (fd != -1 && db->state != PGBOX_DB_STATE_IDLE &&
	    db->state != PGBOX_DB_STATE_TXN) {
		/* PQfinish() would try to send what is left of a statement
		   that we have given up */
		(void)shutdown(fd, SHUT_RDWR);
	}
	PQfinish(db->conn);
	db->conn = NULL;
	pgbox_db_set_state(db, PGBOX_DB_STATE_DISCONNECTED);
}

/*
 * Life
 */

static struct pgbox_db *db_find(const char *conninfo)
{
	struct pgbox_db *db;

	for (db = all_dbs; db != NULL; db = db->next) {
		if (strcmp(db->set.conninfo, conninfo) == 0)
			return db;
	}
	return NULL;
}

static void db_set_event(struct pgbox_db *db, struct event *parent)
{
	event_unref(&db->event);
	db->event = event_create(parent);
	event_add_category(db->event, &event_category_pgbox);
}

static struct pgbox_db *db_alloc(const struct pgbox_db_settings *set)
{
	struct pgbox_db *db;
	pool_t pool;

	pool = pool_alloconly_create("pgbox_db", 1024);
	db = p_new(pool, struct pgbox_db, 1);
	db->pool = pool;
	db->set = *set;
	db->set.conninfo = p_strdup(pool, set->conninfo);
	i_array_init(&db->prepare_states, 64);
	DLLIST_PREPEND(&all_dbs, db);
	return db;
}

static void db_free(struct pgbox_db *db)
{
	i_assert(db->started == NULL);
	pgbox_db_disconnect(db, "Not used any more");
	DLLIST_REMOVE(&all_dbs, db);
	PQconninfoFree(db->options);
	event_unref(&db->event);
	i_free(db->connect_message);
	array_free(&db->prepare_states);
	pool_unref(&db->pool);
}

static void free_lingering_except(const struct pgbox_db *except)
{
	struct pgbox_db *db, *next;

	for (db = all_dbs; db != NULL; db = next) {
		next = db->next;
		if (db->refcount == 0 && db != except)
			db_free(db);
	}
}

struct pgbox_db *
pgbox_db_ref(const struct pgbox_db_settings *set, struct event *event_parent)
{
	struct pgbox_db *db;

	i_assert(set->query_timeout_msecs > 0);
	i_assert(set->connect_timeout_msecs > 0);
	i_assert(set->idle_disconnect_msecs > 0);

	db = db_find(set->conninfo);
	if (db == NULL)
		db = db_alloc(set);
	if (db->refcount++ == 0)
		db_set_event(db, event_parent);
	return db;
}

void pgbox_db_unref(struct pgbox_db **_db)
{
	struct pgbox_db *db = *_db;

	if (db == NULL)
		return;
	*_db = NULL;
	i_assert(db->refcount > 0);
	if (--db->refcount > 0)
		return;

	free_lingering_except(db);
	if (lingering_enabled && db->state == PGBOX_DB_STATE_IDLE &&
	    db->to_idle != NULL) {
		/* the event and the callback belong to someone who goes */
		db_set_event(db, NULL);
		pgbox_db_set_connected_callback(db, NULL, NULL, NULL);
	} else {
		db_free(db);
	}
}

void pgbox_db_init(void)
{
	lingering_enabled = TRUE;
}

void pgbox_db_deinit(void)
{
	lingering_enabled = FALSE;
	free_lingering_except(NULL);
}

void pgbox_db_set_connected_callback(struct pgbox_db *db,
				     const struct pgbox_query *query,
				     pgbox_db_connected_callback_t *callback,
				     void *context)
{
	db->connected_query = query;
	db->connected_callback = callback;
	db->connected_context = context;
	i_zero(&db->connected_hooks);
}

void pgbox_db_set_connected_hooks(struct pgbox_db *db,
				  const struct pgbox_db_connected_hooks *hooks)
{
	db->connected_hooks = *hooks;
}
