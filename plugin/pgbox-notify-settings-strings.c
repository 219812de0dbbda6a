/* Dovecot 2.3: reads what the service needs, which has no user, from the strings of
   plugin { }. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "settings-parser.h"
#include "mail-storage-settings.h"
#include "master-service.h"
#include "master-service-settings.h"
#include "var-expand.h"
#include "pgbox-db.h"
#include "pgbox-notify-file.h"
#include "pgbox-notify-settings.h"
#include "pgbox-settings-names.h"

/* Returns 1 and the value as mail processes see it, 0 and NULL if it is not set, or
   -1 if that depends on the user. */
static int
find_plugin_setting(const struct mail_user_settings *set, const char *key,
		    const char **value_r, const char **error_r)
{
	static const struct var_expand_table no_variables[] = {
		{ '\0', NULL, NULL }
	};
	const char *const *envs;
	unsigned int i, count;
	string_t *value;

	*value_r = NULL;
	if (!array_is_created(&set->plugin_envs))
		return 0;
	envs = array_get(&set->plugin_envs, &count);
	for (i = 0; i + 1 < count; i += 2) {
		if (strcmp(envs[i], key) == 0)
			break;
	}
	if (i + 1 >= count || *envs[i + 1] == '\0')
		return 0;

	value = t_str_new(128);
	if (var_expand(value, envs[i + 1], no_variables, error_r) <= 0)
		return -1;
	*value_r = str_c(value);
	return 1;
}

static const char *
get_plugin_setting(const struct mail_user_settings *set, const char *key)
{
	const char *value, *error;

	if (find_plugin_setting(set, key, &value, &error) < 0) {
		i_fatal("%s can't have variables, as the service pgbox-notify "
			"has no user: set "PGBOX_SETTING_NOTIFY_DSN": %s",
			key, error);
	}
	return value;
}

static void
get_databases(const struct mail_user_settings *set, pool_t pool,
	      struct pgbox_notify_settings *notify_set)
{
	struct pgbox_notify_database *database;
	const char *key = PGBOX_SETTING_NOTIFY_DSN, *dsn, *error;
	unsigned int i;

	p_array_init(&notify_set->databases, pool, 4);
	dsn = get_plugin_setting(set, key);
	if (dsn == NULL) {
		key = PGBOX_SETTING_DSN;
		dsn = get_plugin_setting(set, key);
	}
	for (i = 2; dsn != NULL; i++) {
		if (pgbox_db_conninfo_check(dsn, &error) < 0)
			i_fatal("%s: %s", key, error);
		database = array_append_space(&notify_set->databases);
		database->name = p_strdup(pool, key);
		database->dsn = p_strdup(pool, dsn);
		key = t_strdup_printf(PGBOX_SETTING_NOTIFY_DSN"%u", i);
		dsn = get_plugin_setting(set, key);
	}
	if (array_is_empty(&notify_set->databases)) {
		i_fatal("Neither "PGBOX_SETTING_NOTIFY_DSN" nor "
			PGBOX_SETTING_DSN" is set in plugin { }");
	}
}

const struct pgbox_notify_settings *pgbox_notify_settings_read(pool_t pool)
{
	static const struct setting_parser_info *roots[] = {
		&mail_user_setting_parser_info,
		NULL
	};
	struct pgbox_notify_settings *set =
		p_new(pool, struct pgbox_notify_settings, 1);
	const struct mail_user_settings *all;
	struct master_service_settings_input input = {
		.roots = roots,
		/* as mail processes, which have the plugin { } */
		.module = "mail",
		.service = master_service_get_name(master_service),
	};
	struct master_service_settings_output output;
	const char *mail_dsn, *error;

	if (master_service_settings_read(master_service, &input, &output,
					 &error) < 0)
		i_fatal("Error reading configuration: %s", error);
	all = master_service_settings_get_others(master_service)[0];

	set->dir = p_strdup(pool,
			    get_plugin_setting(all, PGBOX_SETTING_NOTIFY_DIR));
	if (set->dir == NULL) {
		set->dir = p_strconcat(pool, all->base_dir,
				       "/"PGBOX_NOTIFY_DIR_NAME, NULL);
	}
	get_databases(all, pool, set);
	if (find_plugin_setting(all, PGBOX_SETTING_DSN, &mail_dsn,
				&error) > 0)
		set->mail_dsn = p_strdup(pool, mail_dsn);
	return set;
}
