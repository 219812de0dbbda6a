#ifndef PGBOX_SETTINGS_PRIVATE_H
#define PGBOX_SETTINGS_PRIVATE_H

/* What differs between Dovecot 2.3, where settings are strings in plugin { }
   (pgbox-settings-strings.c), and 2.4, where they have types
   (pgbox-settings-get.c). One of the two is compiled. */

#include "pgbox-settings.h"
#include "pgbox-settings-names.h"

/* Reads all settings, and checks all but pgbox_dsn. Otherwise as
   pgbox_settings_get(). */
int pgbox_settings_read(struct mailbox_list *list, pool_t pool,
			const struct pgbox_settings **set_r,
			const char **error_r);

/* The account that is set for the list's namespace, NULL if none is: then
   name_r is the setting that could name it. Returns 0, or -1 and an error. */
int pgbox_settings_read_account(struct mailbox_list *list,
				const char **account_r, const char **name_r,
				const char **error_r);

#endif
