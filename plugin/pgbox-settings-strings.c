/* Dovecot 2.3: reads the settings from the strings of plugin { }. Knows nothing of
   what they are used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "settings-parser.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "pgbox-settings-private.h"

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
		.name = PGBOX_SETTING_QUERY_TIMEOUT,
		.default_value = PGBOX_DEFAULT_QUERY_TIMEOUT,
		.offset = offsetof(struct pgbox_settings, query_timeout_msecs),
		.unit_msecs = 1,
	},
	{
		.name = PGBOX_SETTING_CONNECT_TIMEOUT,
		.default_value = PGBOX_DEFAULT_CONNECT_TIMEOUT,
		.offset = offsetof(struct pgbox_settings,
				   connect_timeout_msecs),
		.unit_msecs = 1,
	},
	{
		.name = PGBOX_SETTING_IDLE_DISCONNECT,
		.default_value = PGBOX_DEFAULT_IDLE_DISCONNECT,
		.offset = offsetof(struct pgbox_settings,
				   idle_disconnect_msecs),
		.unit_msecs = 1,
	},
	{
		.name = PGBOX_SETTING_EXPUNGE_RETENTION,
		.default_value = PGBOX_DEFAULT_EXPUNGE_RETENTION,
		.offset = offsetof(struct pgbox_settings,
				   expunge_retention_secs),
		.unit_msecs = 1000,
	},
	{
		.name = PGBOX_SETTING_SEARCH_TIMEOUT,
		.default_value = PGBOX_DEFAULT_SEARCH_TIMEOUT,
		.offset = offsetof(struct pgbox_settings,
				   search_timeout_msecs),
		.unit_msecs = 1,
	},
};

/* Returns "" if it is not set. */
static const char *get_string(struct mail_user *user, const char *name)
{
	const char *value = mail_user_plugin_getenv(user, name);

	return value == NULL ? "" : value;
}

static int
get_time(struct mail_user *user, const struct pgbox_time_setting *def,
	 struct pgbox_settings *set, const char **error_r)
{
	unsigned int *dest = PTR_OFFSET(set, def->offset);
	const char *value, *error;
	unsigned int secs, msecs;

	value = get_string(user, def->name);
	if (*value == '\0')
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
	const char *value = get_string(user, name);

	*value_r = default_value;
	if (*value == '\0')
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
get_compression(struct mail_user *user, bool *value_r, const char **error_r)
{
	const char *value = get_string(user, PGBOX_SETTING_COMPRESSION);

	*value_r = strcasecmp(value, "none") != 0;
	if (*value != '\0' && *value_r && strcasecmp(value, "zstd") != 0) {
		*error_r = PGBOX_SETTING_COMPRESSION" must be zstd or none";
		return -1;
	}
	return 0;
}

static int
get_search_text(struct mail_user *user, enum pgbox_search_text *value_r,
		const char **error_r)
{
	const char *value = get_string(user, PGBOX_SETTING_SEARCH_TEXT);

	if (*value == '\0' || strcasecmp(value, "yes") == 0)
		*value_r = PGBOX_SEARCH_TEXT_YES;
	else if (strcasecmp(value, "headers") == 0)
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
get_notify_dir(struct mail_user *user, pool_t pool, const char **value_r,
	       const char **error_r)
{
	*value_r = p_strdup(pool, get_string(user, PGBOX_SETTING_NOTIFY_DIR));
	if (**value_r != '\0' && **value_r != '/') {
		*error_r = PGBOX_SETTING_NOTIFY_DIR" must be an absolute path";
		return -1;
	}
	return 0;
}

int pgbox_settings_read(struct mailbox_list *list, pool_t pool,
			const struct pgbox_settings **set_r,
			const char **error_r)
{
	struct mail_user *user = list->ns->user;
	struct pgbox_settings *set = p_new(pool, struct pgbox_settings, 1);
	unsigned int i;

	set->pool = pool;
	set->dsn = p_strdup(pool, get_string(user, PGBOX_SETTING_DSN));
	if (get_bool(user, PGBOX_SETTING_ACCOUNT_CREATE, TRUE,
		     &set->account_create, error_r) < 0 ||
	    get_bool(user, PGBOX_SETTING_NOTIFY, TRUE,
		     &set->notify, error_r) < 0 ||
	    get_notify_dir(user, pool, &set->notify_dir, error_r) < 0 ||
	    get_compression(user, &set->compression, error_r) < 0 ||
	    get_search_text(user, &set->search_text, error_r) < 0)
		return -1;
	for (i = 0; i < N_ELEMENTS(time_settings); i++) {
		if (get_time(user, &time_settings[i], set, error_r) < 0)
			return -1;
	}
	*set_r = set;
	return 0;
}

/* The setting of a namespace without an owner, and of any other if it is set */
static const char *namespace_setting_name(const struct mail_namespace *ns)
{
	return t_strconcat(PGBOX_SETTING_ACCOUNT"_",
			   ns->set->name == NULL ? "" : ns->set->name, NULL);
}

int pgbox_settings_read_account(struct mailbox_list *list,
				const char **account_r, const char **name_r,
				const char **error_r)
{
	struct mail_namespace *ns = list->ns;
	const char *account;

	*name_r = namespace_setting_name(ns);
	account = get_string(ns->user, *name_r);
	if (*account == '\0' && ns->owner != NULL) {
		account = get_string(ns->owner, PGBOX_SETTING_ACCOUNT);
		if (*account != '\0' && ns->owner != ns->user &&
		    strcmp(account, get_string(ns->user,
					PGBOX_SETTING_ACCOUNT)) == 0) {
			/* A value of the session, as userdb fields are, says
			   nothing about another user. */
			*error_r = t_strdup_printf(
				PGBOX_SETTING_ACCOUNT" must hold the user's "
				"%%variables for namespace %s, where others "
				"share their mail", ns->prefix);
			return -1;
		}
	}
	*account_r = *account == '\0' ? NULL : account;
	return 0;
}
