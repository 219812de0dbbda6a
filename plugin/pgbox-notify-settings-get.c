/* Dovecot 2.4: has Dovecot read what the service needs, which has no user. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "settings.h"
#include "master-service.h"
#include "master-service-settings.h"
#include "pgbox-db.h"
#include "pgbox-notify-file.h"
#include "pgbox-notify-settings.h"
#include "pgbox-settings-info.h"
#include "pgbox-settings-names.h"

static void
add_database(struct pgbox_notify_settings *set, pool_t pool, const char *name,
	     const char *dsn)
{
	struct pgbox_notify_database *database;
	const char *error;

	if (pgbox_db_conninfo_check(dsn, &error) < 0)
		i_fatal("%s: %s", name, error);
	database = array_append_space(&set->databases);
	database->name = p_strdup(pool, name);
	database->dsn = p_strdup(pool, dsn);
}

static void
add_notify_databases(struct pgbox_notify_settings *set, pool_t pool,
		     const struct pgbox_notify_raw_settings *raw)
{
	const char *const *pairs;
	unsigned int i, count;

	if (!array_is_created(&raw->notify_dsn))
		return;
	pairs = array_get(&raw->notify_dsn, &count);
	for (i = 0; i + 1 < count; i += 2) {
		add_database(set, pool, t_strconcat(
			PGBOX_SETTING_NOTIFY_DSN"/", pairs[i], NULL),
			pairs[i + 1]);
	}
}

/* What mail processes use, as long as it is the same for all users: NULL if not */
static const char *get_mail_dsn(pool_t pool, const char **error_r)
{
	struct event *event = master_service_get_event(master_service);
	const struct pgbox_dsn_settings *raw;
	const char *dsn;

	if (settings_get(event, &pgbox_dsn_setting_parser_info, 0, &raw,
			 error_r) < 0)
		return NULL;
	dsn = p_strdup(pool, raw->dsn);
	settings_free(raw);
	return dsn;
}

static void
add_mail_database(struct pgbox_notify_settings *set, pool_t pool,
		  const char *error)
{
	if (set->mail_dsn == NULL) {
		i_fatal(PGBOX_SETTING_DSN" can't have variables, as the "
			"service pgbox-notify has no user: set "
			PGBOX_SETTING_NOTIFY_DSN": %s", error);
	}
	if (*set->mail_dsn == '\0') {
		i_fatal("Neither "PGBOX_SETTING_NOTIFY_DSN" nor "
			PGBOX_SETTING_DSN" is set");
	}
	add_database(set, pool, PGBOX_SETTING_DSN, set->mail_dsn);
}

const struct pgbox_notify_settings *pgbox_notify_settings_read(pool_t pool)
{
	struct pgbox_notify_settings *set =
		p_new(pool, struct pgbox_notify_settings, 1);
	const struct pgbox_notify_raw_settings *raw;
	const struct master_service_settings *service_set;
	const char *error = NULL;

	if (master_service_settings_read_simple(master_service, &error) < 0)
		i_fatal("Error reading configuration: %s", error);
	service_set = master_service_get_service_settings(master_service);
	raw = settings_get_or_fatal(master_service_get_event(master_service),
				    &pgbox_notify_setting_parser_info);

	set->dir = *raw->notify_dir != '\0' ? p_strdup(pool, raw->notify_dir) :
		p_strconcat(pool, service_set->base_dir,
			    "/"PGBOX_NOTIFY_DIR_NAME, NULL);
	p_array_init(&set->databases, pool, 4);
	add_notify_databases(set, pool, raw);
	set->mail_dsn = get_mail_dsn(pool, &error);
	if (array_is_empty(&set->databases))
		add_mail_database(set, pool, error);
	settings_free(raw);
	return set;
}
