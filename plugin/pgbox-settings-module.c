/* Dovecot 2.4: the module that tells doveconf of the settings. It looks for
   these names, which come from the file's: libpgbox_settings.so. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-settings-info.h"

extern const char *pgbox_settings_version;
extern const struct setting_parser_info *pgbox_settings_set_infos[];

const char *pgbox_settings_version = DOVECOT_ABI_VERSION;

const struct setting_parser_info *pgbox_settings_set_infos[] = {
	&pgbox_setting_parser_info,
	&pgbox_notify_setting_parser_info,
	&pgbox_dsn_setting_parser_info,
	NULL
};
