/* What Dovecot knows of settings, made of the table in pgbox-settings.h, and checks.
   Knows nothing of what they are used for, and needs nothing of the plugin: doveconf of
   Dovecot 2.4 loads it, too. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-settings-private.h"

#define DEFINE(_type, name, _field) \
	{ .type = SET_##_type, .key = name, \
	  .offset = offsetof(struct pgbox_settings, _field) },
#define DEFAULT(type, name, field, value, readers) .field = value,

/* rows by their readers */
#define MAIL_IN_MAIL(row) row
#define MAIL_IN_BOTH(row) row
#define MAIL_IN_SERVICES(row)
#define DEFINE_MAIL(type, name, field, value, readers) \
	MAIL_IN_##readers(DEFINE(type, name, field))

const struct setting_define pgbox_setting_defines[] = {
#ifdef HAVE_SETTINGS_GET
	/* "pgbox { }", as every storage class has a block of its name */
	{ .type = SET_FILTER_NAME, .key = "pgbox" },
#endif
	PGBOX_SETTINGS(DEFINE_MAIL)
	SETTING_DEFINE_LIST_END
};

/* A default in a string would be missing where doveconf checks a block. */
const struct pgbox_settings pgbox_default_settings = {
	PGBOX_SETTINGS(DEFAULT)
};

/*
 * Checks
 */

/* Of values with variables doveconf knows nothing yet. */
static bool string_is_known(const char *value)
{
#ifdef HAVE_SETTINGS_GET
	if (value == set_value_unknown)
		return FALSE;
#endif
	return *value != '\0';
}

static bool notify_dir_check(const char *dir, const char **error_r)
{
	if (!string_is_known(dir) || *dir == '/')
		return TRUE;
	*error_r = "pgbox_notify_dir must be an absolute path";
	return FALSE;
}

static enum pgbox_search_text search_text_parse(const char *name)
{
	/* there is no other value */
	if (strcmp(name, "no") == 0)
		return PGBOX_SEARCH_TEXT_NO;
	if (strcmp(name, "headers") == 0)
		return PGBOX_SEARCH_TEXT_HEADERS;
	return PGBOX_SEARCH_TEXT_YES;
}

bool pgbox_settings_check(void *_set, pool_t pool ATTR_UNUSED,
			  const char **error_r)
{
	struct pgbox_settings *set = _set;

	set->compression = strcmp(set->compression_name, "none") != 0;
	set->search_text = search_text_parse(set->search_text_name);
	return notify_dir_check(set->notify_dir, error_r);
}

#ifdef HAVE_SETTINGS_GET
/*
 * Dovecot 2.4
 */

/* Of Dovecot's own settings, where mail_driver = pgbox */
static const struct setting_keyvalue pgbox_default_keyvalues[] = {
	{ "pgbox/mailbox_list_layout", "pgbox" },
	{ "pgbox/mailbox_root_directory_name", "mailboxes" },
	{ "pgbox/mailbox_list_utf8", "yes" },
	{ NULL, NULL }
};

static bool
settings_check_24(void *_set, pool_t pool, const char **error_r)
{
	const struct setting_define *def;
	const unsigned int *value;

	if (!pgbox_settings_check(_set, pool, error_r))
		return FALSE;
	for (def = pgbox_setting_defines; def->key != NULL; def++) {
		value = CONST_PTR_OFFSET(_set, def->offset);
		if ((def->type == SET_TIME || def->type == SET_TIME_MSECS) &&
		    (*value == 0 || *value == SET_TIME_INFINITE)) {
			*error_r = t_strdup_printf(
				"%s must be a time greater than zero, "
				"and finite", def->key);
			return FALSE;
		}
	}
	return TRUE;
}

#define SERVICES_IN_MAIL(row)
#define SERVICES_IN_BOTH(row) row
#define SERVICES_IN_SERVICES(row) row
#define DEFINE_SERVICES(type, name, field, value, readers) \
	SERVICES_IN_##readers(DEFINE(type, name, field))

static const struct setting_define pgbox_notify_setting_defines[] = {
	PGBOX_SETTINGS(DEFINE_SERVICES)
	SETTING_DEFINE_LIST_END
};

static const struct setting_define pgbox_dsn_setting_defines[] = {
	DEFINE(STR, "pgbox_dsn", dsn)
	SETTING_DEFINE_LIST_END
};

#define PARSER_INFO(_name, _defines) \
	.name = _name, \
	.defines = _defines, \
	.defaults = &pgbox_default_settings, \
	.struct_size = sizeof(struct pgbox_settings), \
	.pool_offset1 = 1 + offsetof(struct pgbox_settings, pool), \
	.check_func = settings_check_24

const struct setting_parser_info pgbox_setting_parser_info = {
	PARSER_INFO("pgbox", pgbox_setting_defines),
	.default_settings = pgbox_default_keyvalues,
};

const struct setting_parser_info pgbox_notify_setting_parser_info = {
	PARSER_INFO("pgbox_notify", pgbox_notify_setting_defines),
};

const struct setting_parser_info pgbox_dsn_setting_parser_info = {
	PARSER_INFO("pgbox_dsn", pgbox_dsn_setting_defines),
};

/* doveconf looks for these names, which come from the file's:
   libpgbox_settings.so. */
extern const char *pgbox_settings_version;
extern const struct setting_parser_info *pgbox_settings_set_infos[];

const char *pgbox_settings_version = DOVECOT_ABI_VERSION;

const struct setting_parser_info *pgbox_settings_set_infos[] = {
	&pgbox_setting_parser_info,
	&pgbox_notify_setting_parser_info,
	&pgbox_dsn_setting_parser_info,
	NULL
};
#endif
