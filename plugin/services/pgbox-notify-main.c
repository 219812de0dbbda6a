/* The service pgbox-notify: one process per host, which Dovecot's master starts.
   Puts its parts together; see pgbox-notify-file.h for what it is good for. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "restrict-access.h"
#include "pgbox-history.h"
#include "pgbox-notify-dir.h"
#include "pgbox-notify-file.h"
#include "pgbox-notify-queue.h"
#include "pgbox-notify-server.h"
#include "pgbox-service.h"
#include "pgbox-settings.h"

/* At most so often the service pgbox-text is woken. */
#define TEXT_INTERVAL_MSECS 200

static struct pgbox_notify_dir *notify_dir;
static struct pgbox_notify_queue *notify_queue;
static ARRAY(struct pgbox_notify_server *) notify_servers;
static struct timeout *to_text;

/*
 * To the service pgbox-text
 */

static void text_wake(void *context ATTR_UNUSED)
{
	timeout_remove(&to_text);
	pgbox_notify_dir_wake(notify_dir, PGBOX_NOTIFY_TEXT_NAME);
}

/* What has changed may be new mail, and often is. */
static void text_wake_later(void)
{
	if (to_text == NULL) {
		to_text = timeout_add_short(TEXT_INTERVAL_MSECS, text_wake,
					    NULL);
	}
}

/*
 * From the databases
 */

static void server_notified(const char *payload)
{
	const char *const *names;

	text_wake_later();
	if (strcmp(payload, PGBOX_NOTIFY_PAYLOAD_ALL) == 0) {
		pgbox_notify_dir_changed_all(notify_dir);
		return;
	}
	for (names = t_strsplit(payload, " "); *names != NULL; names++) {
		if (pgbox_notify_name_is_valid(*names))
			pgbox_notify_dir_changed(notify_dir, *names, 0);
	}
}

static void server_began(void)
{
	pgbox_notify_dir_changed_all(notify_dir);
	pgbox_notify_queue_retry(notify_queue);
}

static void server_checked(void)
{
	struct pgbox_notify_server *server;
	bool alive = TRUE;

	array_foreach_elem(&notify_servers, server) {
		if (!pgbox_notify_server_is_alive(server))
			alive = FALSE;
	}
	pgbox_notify_dir_set_alive(notify_dir, alive);
}

static const struct pgbox_notify_server_callbacks server_callbacks = {
	.notified = server_notified,
	.began = server_began,
	.checked = server_checked,
};

/*
 * From this host
 */

static void queue_changed(const char *name, uint64_t writer)
{
	text_wake_later();
	pgbox_notify_dir_changed(notify_dir, name, writer);
}

/* All services listen to all databases, so any of them will do. */
static int queue_send(const char *const *payloads, unsigned int count)
{
	struct pgbox_notify_server *server;

	array_foreach_elem(&notify_servers, server) {
		if (pgbox_notify_server_send(server, payloads, count) == 0)
			return 0;
	}
	return -1;
}

static const struct pgbox_notify_queue_callbacks queue_callbacks = {
	.changed = queue_changed,
	.send = queue_send,
};

static void client_connected(struct master_service_connection *conn)
{
	/* anything but the FIFO is closed by our caller */
	if (!conn->fifo)
		return;
	master_service_client_connection_accept(conn);
	pgbox_notify_queue_read(notify_queue, conn->fd);
}

/*
 * Life
 */

/* The directory is made as root, the rest is done as the service's user. */
static void main_preinit(const struct pgbox_service_settings *set)
{
	struct restrict_access_settings access;
	const char *error;

	restrict_access_get_env(&access);
	if (pgbox_notify_dir_prepare(set->dir, access.uid, access.gid,
				     &error) < 0)
		i_fatal("%s", error);
	restrict_access_by_env(RESTRICT_ACCESS_FLAG_ALLOW_ROOT, NULL);
	restrict_access_allow_coredumps(TRUE);
}

static void main_init(const struct pgbox_service_settings *set)
{
	const struct pgbox_service_database *database;
	struct pgbox_notify_server *server;
	struct pgbox_history *history;

	notify_dir = pgbox_notify_dir_init(set->dir);
	notify_queue = pgbox_notify_queue_init(&queue_callbacks);
	i_array_init(&notify_servers, 4);
	array_foreach(&set->databases, database) {
		/* if there is only one, it is that of the mail processes,
		   however they get there */
		history = pgbox_history_get(set->mail_dsn != NULL &&
			array_count(&set->databases) == 1 ?
			set->mail_dsn : database->dsn, set->dir);
		server = pgbox_notify_server_init(database->name, database->dsn,
						  history, &server_callbacks);
		array_push_back(&notify_servers, &server);
	}
}

static void main_deinit(void)
{
	struct pgbox_notify_server *server;

	pgbox_notify_queue_deinit(&notify_queue);
	array_foreach_elem(&notify_servers, server)
		pgbox_notify_server_deinit(&server);
	array_free(&notify_servers);
	pgbox_history_deinit();
	timeout_remove(&to_text);
	pgbox_notify_dir_deinit(&notify_dir);
}

int main(int argc, char *argv[])
{
	static const struct pgbox_service service = {
		.name = "pgbox-notify",
		.preinit = main_preinit,
		.init = main_init,
		.deinit = main_deinit,
		.connected = client_connected,
	};

	return pgbox_service_run(&service, argc, argv);
}
