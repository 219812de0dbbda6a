#ifndef PGBOX_NOTIFY_SETTINGS_H
#define PGBOX_NOTIFY_SETTINGS_H

/* What of Dovecot's configuration the service pgbox-notify needs */

struct pgbox_notify_settings {
	/* directory of wake-up files */
	const char *dir;
	/* connection strings, at least one, NULL-terminated */
	const char *const *dsns;
};

/* Reads the settings of master_service. Exits if they are wrong. */
const struct pgbox_notify_settings *pgbox_notify_settings_read(pool_t pool);

#endif
