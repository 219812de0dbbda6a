/* Reads and checks the settings. Knows nothing of what they are used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "settings-parser.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "pgbox-compat.h"
#include "pgbox-db.h"
#include "pgbox-settings.h"

#define PGBOX_SETTING_DSN "pgbox_dsn"
#define PGBOX_SETTING_ACCOUNT "pgbox_account"
#define PGBOX_SETTING_ACCOUNT_CREATE "pgbox_account_create"
#define PGBOX_SETTING_NOTIFY "pgbox_notify"
#define PGBOX_SETTING_NOTIFY_DIR "pgbox_notify_dir"
#define PGBOX_SETTING_SEARCH_TEXT "pgbox_search_text"

#ifdef PGBOX_COMPAT_PLUGIN_GETENV

struct pgbox_time_setting {
	const char *name;
	const char *default_value;
	/* in struct pgbox_settings, an unsigned int */
	size_t offset;
	/* of the field's unit */
	unsigned int unit_msecs;
};

static const struct pgbox_time_setting time_settings[] = {
	{
		.name = "pgbox_query_timeout",
		.default_value = "30s",
		.offset = offsetof(struct pgbox_settings, query_timeout_msecs),
		.unit_msecs = 1,
	},
	{
		.name = "pgbox_connect_timeout",
		.default_value = "5s",
		.offset = offsetof(struct pgbox_settings,
				   connect_timeout_msecs),
		.unit_msecs = 1,
	},
	{
		.name = "pgbox_idle_disconnect",
		.default_value = "60s",
		.offset = offsetof(struct pgbox_settings,
				   idle_disconnect_msecs),
		.unit_msecs = 1,
	},
	{
		.name = "pgbox_expunge_retention",
		.default_value = "7d",
		.offset = offsetof(struct pgbox_settings,
				   expunge_retention_secs),
		.unit_msecs = 1000,
	},
	{
		.name = "pgbox_search_timeout",
		.default_value = "60s",
		.offset = offsetof(struct pgbox_settings,
				   search_timeout_msecs),
		.unit_msecs = 1,
	},
};

static int
get_time(struct mail_user *user, const struct pgbox_time_setting *def,
	 struct pgbox_settings *set, const char **error_r)
{
	unsigned int *dest = PTR_OFFSET(set, def->offset);
	const char *value, *error;
	unsigned int secs, msecs;

	value = mail_user_plugin_getenv(user, def->name);
	if (value == NULL || *value == '\0')
		value = def->default_value;

	/* settings_get_time_msecs() can't count as far as some days */
	if (def->unit_msecs == 1000) {
		if (settings_get_time(value, &secs, &error) == 0 && secs > 0) {
			*dest = secs;
			return 0;
		}
	} else if (settings_get_time_msecs(value, &msecs, &error) == 0 &&
		   msecs > 0) {
		*dest = msecs;
		return 0;
	}
	*error_r = t_strdup_printf(
		"%s must be a time greater than zero with its unit, such as %s",
		def->name, def->default_value);
	return -1;
}

static int
get_bool(struct mail_user *user, const char *name, bool default_value,
	 bool *value_r, const char **error_r)
{
	const char *value = mail_user_plugin_getenv(user, name);

	*value_r = default_value;
	if (value == NULL || *value == '\0')
		return 0;
	if (strcasecmp(value, "yes") == 0 || strcasecmp(value, "y") == 0 ||
	    strcmp(value, "1") == 0) {
		*value_r = TRUE;
		return 0;
	}
	if (strcasecmp(value, "no") == 0 || strcasecmp(value, "n") == 0 ||
	    strcmp(value, "0") == 0) {
		*value_r = FALSE;
		return 0;
	}
	*error_r = t_strdup_printf("%s must be yes or no", name);
	return -1;
}

static int
get_search_text(struct mail_user *user, enum pgbox_search_text *value_r,
		const char **error_r)
{
	const char *value =
		mail_user_plugin_getenv(user, PGBOX_SETTING_SEARCH_TEXT);

	*value_r = PGBOX_SEARCH_TEXT_YES;
	if (value == NULL || *value == '\0' || strcasecmp(value, "yes") == 0)
		return 0;
	if (strcasecmp(value, "headers") == 0)
		*value_r = PGBOX_SEARCH_TEXT_HEADERS;
	else if (strcasecmp(value, "no") == 0)
		*value_r = PGBOX_SEARCH_TEXT_NO;
	else {
		*error_r = PGBOX_SETTING_SEARCH_TEXT
			" must be yes, headers or no";
		return -1;
	}
	return 0;
}

static int
get_dsn(struct mail_user *user, const char **dsn_r, const char **error_r)
{
	const char *error;

	*dsn_r = mail_user_plugin_getenv(user, PGBOX_SETTING_DSN);
	if (*dsn_r == NULL || **dsn_r == '\0') {
		*error_r = PGBOX_SETTING_DSN" is not set: it must be a libpq "
			"connection string, such as "
			"\"host=db.example.org dbname=mail\"";
		return -1;
	}
	if (pgbox_db_conninfo_check(*dsn_r, &error) < 0) {
		*error_r = t_strdup_printf(PGBOX_SETTING_DSN" must be a libpq "
			"connection string: %s", error);
		return -1;
	}
	return 0;
}

int pgbox_settings_get(struct mail_user *user, pool_t pool,
		       const struct pgbox_settings **set_r,
		       const char **error_r)
{
	struct pgbox_settings *set = p_new(pool, struct pgbox_settings, 1);
	const char *dsn, *notify_dir;
	unsigned int i;

	if (get_dsn(user, &dsn, error_r) < 0)
		return -1;
	set->dsn = p_strdup(pool, dsn);
	if (get_bool(user, PGBOX_SETTING_ACCOUNT_CREATE, TRUE,
		     &set->account_create, error_r) < 0 ||
	    get_bool(user, PGBOX_SETTING_NOTIFY, TRUE,
		     &set->notify, error_r) < 0 ||
	    get_search_text(user, &set->search_text, error_r) < 0)
		return -1;
	notify_dir = mail_user_plugin_getenv(user, PGBOX_SETTING_NOTIFY_DIR);
	if (notify_dir != NULL && *notify_dir != '\0') {
		if (*notify_dir != '/') {
			*error_r = PGBOX_SETTING_NOTIFY_DIR
				" must be an absolute path";
			return -1;
		}
		set->notify_dir = p_strdup(pool, notify_dir);
	}
	for (i = 0; i < N_ELEMENTS(time_settings); i++) {
		if (get_time(user, &time_settings[i], set, error_r) < 0)
			return -1;
	}
	*set_r = set;
	return 0;
}

/* The account of the user's own mail, NULL if it is the username */
static const char *get_own_account(struct mail_user *user)
{
	const char *value =
		mail_user_plugin_getenv(user, PGBOX_SETTING_ACCOUNT);

	return value == NULL || *value == '\0' ? NULL : value;
}

static int
get_owners_account(struct mail_namespace *ns, const char **account_r,
		   const char **error_r)
{
	const char *account = get_own_account(ns->owner);

	if (account == NULL)
		account = ns->owner->username;
	else if (ns->owner != ns->user &&
		 null_strcmp(account, get_own_account(ns->user)) == 0) {
		/* A value of the session, as userdb fields are, says nothing
		   about another user. */
		*error_r = t_strdup_printf(
			PGBOX_SETTING_ACCOUNT" must hold the user's %%variables "
			"for namespace %s, where others share their mail",
			ns->prefix);
		return -1;
	}
	*account_r = account;
	return 0;
}

int pgbox_settings_get_account(struct mail_namespace *ns,
			       const char **account_r, const char **error_r)
{
	const char *name = ns->set->name == NULL ? "" : ns->set->name;
	const char *setting, *account;

	setting = t_strconcat(PGBOX_SETTING_ACCOUNT"_", name, NULL);
	account = mail_user_plugin_getenv(ns->user, setting);
	if (account == NULL || *account == '\0') {
		if (ns->owner == NULL) {
			*error_r = t_strdup_printf(
				"%s is not set: namespace %s has no owner, so "
				"this setting must name the account that "
				"holds its mail", setting, name);
			return -1;
		}
		if (get_owners_account(ns, &account, error_r) < 0)
			return -1;
	}
	if (!pgbox_db_text_is_valid(account, strlen(account))) {
		*error_r = t_strdup_printf(
			"The account of namespace %s must be UTF-8 (%s)",
			name, setting);
		return -1;
	}
	*account_r = account;
	return 0;
}

#endif
