#ifndef PGBOX_SETTINGS_H
#define PGBOX_SETTINGS_H

/* What the admin sets. The strings were checked and turned into values. */

struct mail_user;
struct mail_namespace;

/* Which text of messages is kept in the database for SEARCH */
enum pgbox_search_text {
	PGBOX_SEARCH_TEXT_NO,
	PGBOX_SEARCH_TEXT_HEADERS,
	/* and bodies */
	PGBOX_SEARCH_TEXT_YES,
};

struct pgbox_settings {
	/* libpq connection string; may hold a password, so never log it */
	const char *dsn;
	/* create a user's account when it is first used */
	bool account_create;
	unsigned int query_timeout_msecs;
	unsigned int connect_timeout_msecs;
	unsigned int idle_disconnect_msecs;
	/* tell other sessions what this one changes */
	bool notify;
	/* directory of wake-up files, NULL is the default */
	const char *notify_dir;
	/* how long expunged mails and deleted mailboxes are kept */
	unsigned int expunge_retention_secs;
	enum pgbox_search_text search_text;
	/* what the database may take for one SEARCH */
	unsigned int search_timeout_msecs;
};

/* Returns 0, or -1 and an error that names the setting. */
int pgbox_settings_get(struct mail_user *user, pool_t pool,
		       const struct pgbox_settings **set_r,
		       const char **error_r);

/* The account in the database that a namespace shows: of its owner, or for a
   namespace without an owner what pgbox_account_<namespace name> says.
   Returns 0, or -1 and an error that names the setting. */
int pgbox_settings_get_account(struct mail_namespace *ns,
			       const char **account_r, const char **error_r);

#endif
