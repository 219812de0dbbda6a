#ifndef PGBOX_SETTINGS_PRIVATE_H
#define PGBOX_SETTINGS_PRIVATE_H

/* What differs between Dovecot 2.3, where settings are strings in plugin { }
   (pgbox-settings-strings.c), and 2.4, where they have types
   (pgbox-settings-get.c). One of the two is compiled. */

#include "settings-parser.h"
#include "pgbox-settings.h"

/* Of mail processes, made of the table */
extern const struct setting_define pgbox_setting_defines[];
extern const struct pgbox_settings pgbox_default_settings;

/* Checks all but pgbox_dsn and pgbox_account, and finds what names mean.
   Returns FALSE and an error that names the setting if it is wrong. */
bool pgbox_settings_check(void *_set, pool_t pool, const char **error_r);

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

/* Reads the settings of master_service, unchecked; exits if it can't. dir and
   mail_dsn are "" if they are not set; base_dir_r is Dovecot's. If mail_dsn is not
   the same for all users it is NULL, with an error. */
void pgbox_settings_read_service(pool_t pool,
				 struct pgbox_service_settings *set_r,
				 const char **base_dir_r, const char **error_r);

/* What that calls for each database, at least once; copies name and dsn, which is
   NULL for that of mail processes. */
void pgbox_service_settings_add(struct pgbox_service_settings *set, pool_t pool,
				const char *name, const char *dsn);

/* The error of a setting of services; "%s" are the setting and what is wrong. */
#define PGBOX_SERVICE_NO_VARIABLES \
	"%s can't have variables, as the service pgbox-notify has no user: " \
	"set pgbox_notify_dsn: %s"

/* Dovecot 2.4: what services read */
extern const struct setting_parser_info pgbox_notify_setting_parser_info;
/* alone, because it may hold variables of a user */
extern const struct setting_parser_info pgbox_dsn_setting_parser_info;

#endif
