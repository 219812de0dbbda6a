/* Dovecot 2.4: the tables of settings. Knows nothing of what they are used for, and
   needs nothing of the plugin: doveconf loads it, too. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-settings.h"
#include "pgbox-settings-names.h"
#include "pgbox-settings-info.h"

/* Of values with variables doveconf knows nothing yet. */
static bool string_is_known(const char *value)
{
	return value != set_value_unknown && *value != '\0';
}

static bool notify_dir_check(const char *dir, const char **error_r)
{
	if (!string_is_known(dir) || *dir == '/')
		return TRUE;
	*error_r = PGBOX_SETTING_NOTIFY_DIR" must be an absolute path";
	return FALSE;
}

/*
 * Mail processes
 */

static bool
time_check(const char *name, unsigned int value, const char **error_r)
{
	if (value > 0 && value != SET_TIME_INFINITE)
		return TRUE;
	*error_r = t_strdup_printf(
		"%s must be a time greater than zero, and finite", name);
	return FALSE;
}

static enum pgbox_search_text search_text_parse(const char *name)
{
	/* no other value passes SET_ENUM */
	if (strcmp(name, "no") == 0)
		return PGBOX_SEARCH_TEXT_NO;
	if (strcmp(name, "headers") == 0)
		return PGBOX_SEARCH_TEXT_HEADERS;
	return PGBOX_SEARCH_TEXT_YES;
}

static bool
pgbox_settings_check(void *_set, pool_t pool ATTR_UNUSED, const char **error_r)
{
	struct pgbox_settings *set = _set;

	set->compression = strcmp(set->compression_name, "none") != 0;
	set->search_text = search_text_parse(set->search_text_name);
	return notify_dir_check(set->notify_dir, error_r) &&
		time_check(PGBOX_SETTING_QUERY_TIMEOUT,
			   set->query_timeout_msecs, error_r) &&
		time_check(PGBOX_SETTING_CONNECT_TIMEOUT,
			   set->connect_timeout_msecs, error_r) &&
		time_check(PGBOX_SETTING_IDLE_DISCONNECT,
			   set->idle_disconnect_msecs, error_r) &&
		time_check(PGBOX_SETTING_EXPUNGE_RETENTION,
			   set->expunge_retention_secs, error_r) &&
		time_check(PGBOX_SETTING_SEARCH_TIMEOUT,
			   set->search_timeout_msecs, error_r);
}

#define DEF(type, name, field) \
	SETTING_DEFINE_STRUCT_##type(name, field, struct pgbox_settings)

static const struct setting_define pgbox_setting_defines[] = {
	/* "pgbox { }", as every storage class has a block of its name */
	{ .type = SET_FILTER_NAME, .key = "pgbox" },
	DEF(STR, PGBOX_SETTING_DSN, dsn),
	DEF(STR, PGBOX_SETTING_ACCOUNT, account),
	DEF(BOOL, PGBOX_SETTING_ACCOUNT_CREATE, account_create),
	DEF(TIME_MSECS, PGBOX_SETTING_QUERY_TIMEOUT, query_timeout_msecs),
	DEF(TIME_MSECS, PGBOX_SETTING_CONNECT_TIMEOUT, connect_timeout_msecs),
	DEF(TIME_MSECS, PGBOX_SETTING_IDLE_DISCONNECT, idle_disconnect_msecs),
	DEF(BOOL, PGBOX_SETTING_NOTIFY, notify),
	DEF(STR, PGBOX_SETTING_NOTIFY_DIR, notify_dir),
	DEF(TIME, PGBOX_SETTING_EXPUNGE_RETENTION, expunge_retention_secs),
	DEF(ENUM, PGBOX_SETTING_COMPRESSION, compression_name),
	DEF(ENUM, PGBOX_SETTING_SEARCH_TEXT, search_text_name),
	DEF(TIME_MSECS, PGBOX_SETTING_SEARCH_TIMEOUT, search_timeout_msecs),
	SETTING_DEFINE_LIST_END
};
#undef DEF

/* The times are those of pgbox-settings-names.h, in the fields' units. A
   default in a string would be missing where doveconf checks a block. */
static const struct pgbox_settings pgbox_default_settings = {
	.dsn = "",
	.account = "",
	.account_create = TRUE,
	.query_timeout_msecs = 30 * 1000,
	.connect_timeout_msecs = 5 * 1000,
	.idle_disconnect_msecs = 60 * 1000,
	.notify = TRUE,
	.notify_dir = "",
	.compression_name = "zstd:none",
	.expunge_retention_secs = 7 * 24 * 3600,
	.search_text_name = "yes:headers:no",
	.search_timeout_msecs = 60 * 1000,
};

/* Of Dovecot's own settings, where mail_driver = pgbox */
static const struct setting_keyvalue pgbox_default_keyvalues[] = {
	{ "pgbox/mailbox_list_layout", "pgbox" },
	{ "pgbox/mailbox_root_directory_name", "mailboxes" },
	{ "pgbox/mailbox_list_utf8", "yes" },
	{ NULL, NULL }
};

const struct setting_parser_info pgbox_setting_parser_info = {
	.name = "pgbox",
	.defines = pgbox_setting_defines,
	.defaults = &pgbox_default_settings,
	.default_settings = pgbox_default_keyvalues,
	.struct_size = sizeof(struct pgbox_settings),
	.pool_offset1 = 1 + offsetof(struct pgbox_settings, pool),
	.check_func = pgbox_settings_check,
};

/*
 * The service
 */

static bool
pgbox_notify_settings_check(void *_set, pool_t pool ATTR_UNUSED,
			    const char **error_r)
{
	const struct pgbox_notify_raw_settings *set = _set;

	return notify_dir_check(set->notify_dir, error_r);
}

static const struct setting_define pgbox_notify_setting_defines[] = {
	SETTING_DEFINE_STRUCT_STR(PGBOX_SETTING_NOTIFY_DIR, notify_dir,
				  struct pgbox_notify_raw_settings),
	SETTING_DEFINE_STRUCT_STRLIST(PGBOX_SETTING_NOTIFY_DSN, notify_dsn,
				      struct pgbox_notify_raw_settings),
	SETTING_DEFINE_LIST_END
};

static const struct pgbox_notify_raw_settings pgbox_notify_default_settings = {
	.notify_dir = "",
	.notify_dsn = ARRAY_INIT,
};

const struct setting_parser_info pgbox_notify_setting_parser_info = {
	.name = "pgbox_notify",
	.defines = pgbox_notify_setting_defines,
	.defaults = &pgbox_notify_default_settings,
	.struct_size = sizeof(struct pgbox_notify_raw_settings),
	.pool_offset1 = 1 + offsetof(struct pgbox_notify_raw_settings, pool),
	.check_func = pgbox_notify_settings_check,
};

static const struct setting_define pgbox_dsn_setting_defines[] = {
	SETTING_DEFINE_STRUCT_STR(PGBOX_SETTING_DSN, dsn,
				  struct pgbox_dsn_settings),
	SETTING_DEFINE_LIST_END
};

static const struct pgbox_dsn_settings pgbox_dsn_default_settings = {
	.dsn = "",
};

const struct setting_parser_info pgbox_dsn_setting_parser_info = {
	.name = "pgbox_dsn",
	.defines = pgbox_dsn_setting_defines,
	.defaults = &pgbox_dsn_default_settings,
	.struct_size = sizeof(struct pgbox_dsn_settings),
	.pool_offset1 = 1 + offsetof(struct pgbox_dsn_settings, pool),
};
