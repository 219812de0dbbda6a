#ifndef PGBOX_SETTINGS_INFO_H
#define PGBOX_SETTINGS_INFO_H

/* Dovecot 2.4: names, types and defaults of settings, for the plugin, for the
   service and for doveconf. */

#include "settings-parser.h"

/* of struct pgbox_settings */
extern const struct setting_parser_info pgbox_setting_parser_info;

/* What the service reads, which has no user */
struct pgbox_notify_raw_settings {
	pool_t pool;
	/* "" is the default */
	const char *notify_dir;
	/* pairs of name and connection string */
	ARRAY_TYPE(const_string) notify_dsn;
};
extern const struct setting_parser_info pgbox_notify_setting_parser_info;

/* Alone, because it may hold variables of a user */
struct pgbox_dsn_settings {
	pool_t pool;
	const char *dsn;
};
extern const struct setting_parser_info pgbox_dsn_setting_parser_info;

#endif
