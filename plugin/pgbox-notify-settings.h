#ifndef PGBOX_NOTIFY_SETTINGS_H
#define PGBOX_NOTIFY_SETTINGS_H

/* What of Dovecot's configuration the services pgbox-notify and pgbox-text need.
   pgbox-notify-settings-strings.c reads it with Dovecot 2.3,
   pgbox-notify-settings-get.c with 2.4. */

/* A database that the services connect to */
struct pgbox_notify_database {
	/* of the setting, for the log */
	const char *name;
	/* connection string, which was checked */
	const char *dsn;
};
ARRAY_DEFINE_TYPE(pgbox_notify_database, struct pgbox_notify_database);

struct pgbox_notify_settings {
	/* directory of wake-up files */
	const char *dir;
	/* at least one */
	ARRAY_TYPE(pgbox_notify_database) databases;
	/* what mail processes connect with; NULL if that is not the same for
	   all users */
	const char *mail_dsn;
};

/* Reads the settings of master_service; they live as long as the pool. Exits
   if they are wrong. */
const struct pgbox_notify_settings *pgbox_notify_settings_read(pool_t pool);

#endif
