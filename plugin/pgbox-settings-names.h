#ifndef PGBOX_SETTINGS_NAMES_H
#define PGBOX_SETTINGS_NAMES_H

/* Names of all settings, and the defaults of those that are times. */

#define PGBOX_SETTING_DSN "pgbox_dsn"
#define PGBOX_SETTING_ACCOUNT "pgbox_account"
#define PGBOX_SETTING_ACCOUNT_CREATE "pgbox_account_create"
#define PGBOX_SETTING_NOTIFY "pgbox_notify"
#define PGBOX_SETTING_NOTIFY_DIR "pgbox_notify_dir"
#define PGBOX_SETTING_NOTIFY_DSN "pgbox_notify_dsn"
#define PGBOX_SETTING_COMPRESSION "pgbox_compression"
#define PGBOX_SETTING_SEARCH_TEXT "pgbox_search_text"

#define PGBOX_SETTING_QUERY_TIMEOUT "pgbox_query_timeout"
#define PGBOX_DEFAULT_QUERY_TIMEOUT "30s"
#define PGBOX_SETTING_CONNECT_TIMEOUT "pgbox_connect_timeout"
#define PGBOX_DEFAULT_CONNECT_TIMEOUT "5s"
#define PGBOX_SETTING_IDLE_DISCONNECT "pgbox_idle_disconnect"
#define PGBOX_DEFAULT_IDLE_DISCONNECT "60s"
#define PGBOX_SETTING_EXPUNGE_RETENTION "pgbox_expunge_retention"
#define PGBOX_DEFAULT_EXPUNGE_RETENTION "7d"
#define PGBOX_SETTING_SEARCH_TIMEOUT "pgbox_search_timeout"
#define PGBOX_DEFAULT_SEARCH_TIMEOUT "60s"

#endif
