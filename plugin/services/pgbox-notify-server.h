#ifndef PGBOX_NOTIFY_SERVER_H
#define PGBOX_NOTIFY_SERVER_H

/* One database that the service pgbox-notify listens to. It connects again and
   again until that succeeds, and checks all the time that what is sent comes
   in. */

struct pgbox_db_failure;
struct pgbox_history;
struct pgbox_notify_server;

struct pgbox_notify_server_callbacks {
	/* Another host's service has sent this. */
	void (*notified)(const char *payload);
	/* It works (again): something may have been missed before. */
	void (*began)(void);
	/* pgbox_notify_server_is_alive() may have changed. */
	void (*checked)(void);
};

/* name is for the log. Begins to connect when the ioloop runs. Remembers in the
   history, which must live as long, how far the server has been. */
struct pgbox_notify_server *
pgbox_notify_server_init(const char *name, const char *dsn,
			 struct pgbox_history *history,
			 const struct pgbox_notify_server_callbacks *callbacks);
void pgbox_notify_server_deinit(struct pgbox_notify_server **server);

/* TRUE if notifications come in */
bool pgbox_notify_server_is_alive(const struct pgbox_notify_server *server);
/* Sends the payloads to all who listen. Returns 0, or -1 if that failed, which
   is logged. */
int pgbox_notify_server_send(struct pgbox_notify_server *server,
			     const char *const *payloads, unsigned int count);

#endif
