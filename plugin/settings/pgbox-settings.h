#ifndef PGBOX_SETTINGS_H
#define PGBOX_SETTINGS_H

/* What the admin sets. The strings were checked and turned into values. */

struct mailbox_list;

/*
 * The table of settings: all else that knows of them is made of it, but for the
 * documentation, which a lint compares.
 *
 * type     what it is, as Dovecot's SET_*:
 *            STR         "" is not set
 *            BOOL
 *            ENUM        the default is the first of the values
 *            TIME, TIME_MSECS  in seconds or milliseconds, greater than zero
 *            STRLIST     pairs of name and value
 * name     in plugin { } of Dovecot 2.3, and in 2.4. With 2.3 pgbox_account is
 *          called pgbox_account_NAMESPACE if it is for a namespace, and a list's
 *          values are NAME, NAME2, NAME3 ...
 * field    in struct pgbox_settings
 * readers  MAIL processes, SERVICES (which have no user), or BOTH. If they can,
 *          services read pgbox_dsn as well.
 */
#define PGBOX_SETTINGS(ROW) \
/*  type        name                       field                   default            readers */ \
/* libpq connection string; may hold a password, so never log it */ \
ROW(STR,        "pgbox_dsn",               dsn,                    "",                MAIL) \
/* of pgbox_settings_get_account() */ \
ROW(STR,        "pgbox_account",           account,                "",                MAIL) \
/* create a user's account when it is first used */ \
ROW(BOOL,       "pgbox_account_create",    account_create,         TRUE,              MAIL) \
ROW(TIME_MSECS, "pgbox_query_timeout",     query_timeout_msecs,    30 * 1000,         MAIL) \
ROW(TIME_MSECS, "pgbox_connect_timeout",   connect_timeout_msecs,  5 * 1000,          MAIL) \
ROW(TIME_MSECS, "pgbox_idle_disconnect",   idle_disconnect_msecs,  60 * 1000,         MAIL) \
/* tell other sessions what this one changes */ \
ROW(BOOL,       "pgbox_notify",            notify,                 TRUE,              MAIL) \
/* directory of wake-up files; "" is PGBOX_NOTIFY_DIR_NAME in base_dir */ \
ROW(STR,        "pgbox_notify_dir",        notify_dir,             "",                BOTH) \
/* where services connect, if not to pgbox_dsn */ \
ROW(STRLIST,    "pgbox_notify_dsn",        notify_dsn,             ARRAY_INIT,        SERVICES) \
/* how long expunged mails and deleted mailboxes are kept */ \
ROW(TIME,       "pgbox_expunge_retention", expunge_retention_secs, 7 * 24 * 3600,     MAIL) \
ROW(ENUM,       "pgbox_compression",       compression_name,       "zstd:none",       MAIL) \
ROW(ENUM,       "pgbox_search_text",       search_text_name,       "yes:headers:no",  MAIL) \
/* what the database may take for one SEARCH */ \
ROW(TIME_MSECS, "pgbox_search_timeout",    search_timeout_msecs,   60 * 1000,         MAIL)

#define PGBOX_NOTIFY_DIR_NAME "pgbox"

/* Which text of messages is kept in the database for SEARCH; the numbers are
   those of the column message_text_queue.wanted. */
enum pgbox_search_text {
	PGBOX_SEARCH_TEXT_NO = 0,
	PGBOX_SEARCH_TEXT_HEADERS = 1,
	/* and bodies */
	PGBOX_SEARCH_TEXT_YES = 2,
};

#define PGBOX_SETTING_IS_STR const char *
#define PGBOX_SETTING_IS_BOOL bool
#define PGBOX_SETTING_IS_ENUM const char *
#define PGBOX_SETTING_IS_TIME unsigned int
#define PGBOX_SETTING_IS_TIME_MSECS unsigned int
#define PGBOX_SETTING_IS_STRLIST ARRAY_TYPE(const_string)
#define PGBOX_SETTING_FIELD(type, name, field, value, readers) \
	PGBOX_SETTING_IS_##type field;

struct pgbox_settings {
	/* holds the struct */
	pool_t pool;
	PGBOX_SETTINGS(PGBOX_SETTING_FIELD)

	/* what the names mean: compress new messages */
	bool compression;
	enum pgbox_search_text search_text;
};

/* The settings of the list's namespace. They live as long as the pool.
   Returns 0, or -1 and an error that names the setting. */
int pgbox_settings_get(struct mailbox_list *list, pool_t pool,
		       const struct pgbox_settings **set_r,
		       const char **error_r);

/* The account in the database that the list's namespace shows: of its owner, or
   what is set for the namespace. Lives in the data stack or longer.
   Returns 0, or -1 and an error that names the setting. */
int pgbox_settings_get_account(struct mailbox_list *list,
			       const char **account_r, const char **error_r);

/* A database that the services connect to */
struct pgbox_service_database {
	/* of the setting, for the log */
	const char *name;
	/* connection string, which was checked */
	const char *dsn;
};
ARRAY_DEFINE_TYPE(pgbox_service_database, struct pgbox_service_database);

/* What the services pgbox-notify and pgbox-text need */
struct pgbox_service_settings {
	/* directory of wake-up files */
	const char *dir;
	/* at least one */
	ARRAY_TYPE(pgbox_service_database) databases;
	/* what mail processes connect with; NULL if that is not the same for
	   all users */
	const char *mail_dsn;
};

/* The settings of master_service; they live as long as the pool. Exits if they
   are wrong. */
const struct pgbox_service_settings *
pgbox_service_settings_get(pool_t pool);

/* Dovecot 2.4: what a storage class registers */
extern const struct setting_parser_info pgbox_setting_parser_info;

#endif
