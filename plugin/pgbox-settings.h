#ifndef PGBOX_SETTINGS_H
#define PGBOX_SETTINGS_H

/* What the admin sets. The strings were checked and turned into values. */

struct mailbox_list;

/* Which text of messages is kept in the database for SEARCH; the numbers are
   those of the column message_text_queue.wanted. */
enum pgbox_search_text {
	PGBOX_SEARCH_TEXT_NO = 0,
	PGBOX_SEARCH_TEXT_HEADERS = 1,
	/* and bodies */
	PGBOX_SEARCH_TEXT_YES = 2,
};

struct pgbox_settings {
	/* holds the struct */
	pool_t pool;
	/* libpq connection string; may hold a password, so never log it */
	const char *dsn;
	/* create a user's account when it is first used */
	bool account_create;
	unsigned int query_timeout_msecs;
	unsigned int connect_timeout_msecs;
	unsigned int idle_disconnect_msecs;
	/* tell other sessions what this one changes */
	bool notify;
	/* directory of wake-up files, "" is the default */
	const char *notify_dir;
	/* how long expunged mails and deleted mailboxes are kept */
	unsigned int expunge_retention_secs;
	enum pgbox_search_text search_text;
	/* compress new messages */
	bool compression;
	/* what the database may take for one SEARCH */
	unsigned int search_timeout_msecs;

	/* Only Dovecot 2.4 sets these, while it parses: what two of the above are
	   made of, and the answer of pgbox_settings_get_account() or "". */
	const char *compression_name, *search_text_name;
	const char *account;
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

#endif
