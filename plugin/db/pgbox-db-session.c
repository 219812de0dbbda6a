/* The connection object: its life and its states. Knows nothing of statements,
   and not how to connect. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "llist.h"
#include "pgbox-db-session.h"

#include <sys/socket.h>

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
		db->backend_is_known = FALSE;
		array_clear(&db->prepare_states);
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

void pgbox_db_disconnect(struct pgbox_db *db, const char *reason)
{
	int fd;

	if (db->state == PGBOX_DB_STATE_DISCONNECTED)
		return;

	e_debug(db->event, "Disconnected: %s", reason);
	if (db->listener != NULL)
		db->closing(db->listener, reason);
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
	db->set.host_dir = p_strdup(pool, set->host_dir);
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
