/* Dovecot 2.3: reads the settings from the strings of plugin { }, for a user or for a
   service. Knows nothing of what they are used for. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "mail-storage-settings.h"
#include "mail-user.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "master-service.h"
#include "master-service-settings.h"
#include "var-expand.h"
#include "pgbox-settings-private.h"

/* Returns "" if it is not set. */
static const char *
get_string(const struct mail_user_settings *set, const char *name)
{
	const char *value = mail_user_set_plugin_getenv(set, name);

	return value == NULL ? "" : value;
}

/*
 * Types. Each parser has a value that is not empty, and returns 0, or -1 and what
 * the setting must be.
 */

static int parse_bool(const char *value, bool *value_r, const char **must_be_r)
{
	*value_r = strcasecmp(value, "yes") == 0 ||
		strcasecmp(value, "y") == 0 || strcmp(value, "1") == 0;
	if (*value_r || strcasecmp(value, "no") == 0 ||
	    strcasecmp(value, "n") == 0 || strcmp(value, "0") == 0)
		return 0;
	*must_be_r = "yes or no";
	return -1;
}

/* values are those of the table: "yes:headers:no" */
static int
parse_enum(const char *value, const char *values, const char **value_r,
	   const char **must_be_r)
{
	const char *const *names = t_strsplit(values, ":");
	string_t *must_be = t_str_new(64);
	unsigned int i;

	for (i = 0; names[i] != NULL; i++) {
		if (strcasecmp(names[i], value) == 0) {
			*value_r = names[i];
			return 0;
		}
		if (i > 0)
			str_append(must_be, names[i + 1] == NULL ? " or " : ", ");
		str_append(must_be, names[i]);
	}
	*must_be_r = str_c(must_be);
	return -1;
}

static int
parse_time(const char *value, enum setting_type type, unsigned int default_value,
	   unsigned int *value_r, const char **must_be_r)
{
	const char *error, *example;
	int ret;

	/* milliseconds can't count as far as some days */
	if (type == SET_TIME) {
		ret = settings_get_time(value, value_r, &error);
		example = t_strdup_printf("%ud", default_value / (24 * 3600));
	} else {
		ret = settings_get_time_msecs(value, value_r, &error);
		example = t_strdup_printf("%us", default_value / 1000);
	}
	if (ret == 0 && *value_r > 0)
		return 0;
	*must_be_r = t_strconcat("a time greater than zero with its unit, "
				 "such as ", example, NULL);
	return -1;
}

/*
 * Mail processes
 */

/* Returns 0, or -1 and what the setting must be. */
static int
read_setting(const struct mail_user_settings *user_set, pool_t pool,
	     const struct setting_define *def, struct pgbox_settings *set,
	     const char **must_be_r)
{
	const char *value = get_string(user_set, def->key);
	void *dest = PTR_OFFSET(set, def->offset);
	const char **dest_str = dest;
	unsigned int *dest_uint = dest;

	if (def->type == SET_ENUM) {
		/* not set is the first value */
		if (*value == '\0')
			value = t_strcut(*dest_str, ':');
		if (parse_enum(value, *dest_str, &value, must_be_r) < 0)
			return -1;
	}
	if (def->type == SET_ENUM || def->type == SET_STR) {
		*dest_str = p_strdup(pool, value);
		return 0;
	}
	if (*value == '\0')
		return 0;
	if (def->type == SET_BOOL)
		return parse_bool(value, dest, must_be_r);
	return parse_time(value, def->type, *dest_uint, dest_uint, must_be_r);
}

int pgbox_settings_read(struct mailbox_list *list, pool_t pool,
			const struct pgbox_settings **set_r,
			const char **error_r)
{
	const struct setting_define *def;
	struct pgbox_settings *set = p_new(pool, struct pgbox_settings, 1);
	const char *must_be;

	*set = pgbox_default_settings;
	set->pool = pool;
	for (def = pgbox_setting_defines; def->key != NULL; def++) {
		if (read_setting(list->ns->user->set, pool, def, set,
				 &must_be) < 0) {
			*error_r = t_strdup_printf("%s must be %s", def->key,
						   must_be);
			return -1;
		}
	}
	*set_r = set;
	return pgbox_settings_check(set, pool, error_r) ? 0 : -1;
}

/* The setting of a namespace without an owner, and of any other if it is set */
static const char *namespace_setting_name(const struct mail_namespace *ns)
{
	return t_strconcat("pgbox_account_",
			   ns->set->name == NULL ? "" : ns->set->name, NULL);
}

int pgbox_settings_read_account(struct mailbox_list *list,
				const char **account_r, const char **name_r,
				const char **error_r)
{
	struct mail_namespace *ns = list->ns;
	const char *account;

	*name_r = namespace_setting_name(ns);
	account = get_string(ns->user->set, *name_r);
	if (*account == '\0' && ns->owner != NULL) {
		account = get_string(ns->owner->set, "pgbox_account");
		if (*account != '\0' && ns->owner != ns->user &&
		    strcmp(account, get_string(ns->user->set,
					       "pgbox_account")) == 0) {
			/* A value of the session, as userdb fields are, says
			   nothing about another user. */
			*error_r = t_strdup_printf(
				"pgbox_account must hold the user's "
				"%%variables for namespace %s, where others "
				"share their mail", ns->prefix);
			return -1;
		}
	}
	*account_r = *account == '\0' ? NULL : account;
	return 0;
}

/*
 * Services
 */

/* Returns the value as mail processes see it, "" if it is not set, or NULL if that
   depends on the user. */
static const char *
find_without_user(const struct mail_user_settings *set, const char *key,
		  const char **error_r)
{
	static const struct var_expand_table no_variables[] = {
		{ '\0', NULL, NULL }
	};
	string_t *value = t_str_new(128);

	if (var_expand(value, get_string(set, key), no_variables, error_r) <= 0)
		return NULL;
	return str_c(value);
}

static const char *
get_without_user(const struct mail_user_settings *set, const char *key)
{
	const char *value, *error;

	value = find_without_user(set, key, &error);
	if (value == NULL)
		i_fatal(PGBOX_SERVICE_NO_VARIABLES, key, error);
	return value;
}

static const struct mail_user_settings *read_user_settings(void)
{
	static const struct setting_parser_info *roots[] = {
		&mail_user_setting_parser_info,
		NULL
	};
	struct master_service_settings_input input = {
		.roots = roots,
		/* as mail processes, which have the plugin { } */
		.module = "mail",
		.service = master_service_get_name(master_service),
	};
	struct master_service_settings_output output;
	const char *error;

	if (master_service_settings_read(master_service, &input, &output,
					 &error) < 0)
		i_fatal("Error reading configuration: %s", error);
	return master_service_settings_get_others(master_service)[0];
}

void pgbox_settings_read_service(pool_t pool,
				 struct pgbox_service_settings *set_r,
				 const char **base_dir_r, const char **error_r)
{
	const struct mail_user_settings *set = read_user_settings();
	const char *key = "pgbox_notify_dsn", *dsn;
	unsigned int i;

	*base_dir_r = set->base_dir;
	set_r->dir = p_strdup(pool, get_without_user(set, "pgbox_notify_dir"));
	for (i = 1;; i++) {
		if (i > 1)
			key = t_strdup_printf("pgbox_notify_dsn%u", i);
		dsn = get_without_user(set, key);
		if (*dsn != '\0')
			pgbox_service_settings_add(set_r, pool, key, dsn);
		else if (i == 1)
			pgbox_service_settings_add(set_r, pool, "pgbox_dsn",
						   NULL);
		else
			break;
	}
	set_r->mail_dsn = p_strdup(pool, find_without_user(set, "pgbox_dsn",
							   error_r));
}
