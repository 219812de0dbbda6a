#ifndef PGBOX_QUERY_MAILBOX_H
#define PGBOX_QUERY_MAILBOX_H

/* Accounts, mailboxes, subscriptions and attributes as typed rows. A function
   is one statement. Those that only read are run a second time if the
   connection was lost under them; the others return UNCERTAIN then, and the
   caller looks up what happened.

   All return -1 on failure with failure_r. Names are storage names: UTF-8,
   levels separated by '/'. */

#include "guid.h"
#include "pgbox-db.h"

/* Longest name of a mailbox: it must fit into an index entry */
#define PGBOX_MAILBOX_NAME_MAX_BYTES 2048

struct pgbox_mailbox_row {
	int64_t mailbox_id;
	guid_128_t guid;
	/* FALSE: \Noselect, a node that only holds children */
	bool selectable;
	uint32_t uid_validity;
	uint32_t uid_next;
	uint32_t first_recent_uid;
	uint64_t modseq;
	unsigned int messages, unseen, recent;
	/* sum of the messages' sizes, which have CRLF line ends */
	uint64_t bytes;
	const char *name;
	/* 0 = the database began a new one, which the mailbox has to enter */
	uint64_t epoch;
	/* number of keywords that the mailbox has had */
	unsigned int keywords;
};
ARRAY_DEFINE_TYPE(pgbox_mailbox_row, struct pgbox_mailbox_row);

/* What to set; 0 or an empty GUID leaves a value as it is. */
struct pgbox_mailbox_change {
	uint32_t uid_validity;
	/* these only go up */
	uint32_t min_uid_next;
	uint32_t min_first_recent_uid;
	uint64_t min_modseq;
	guid_128_t guid;
};

struct pgbox_attribute_value {
	const unsigned char *data;
	size_t size;
	time_t changed_at;
};

struct pgbox_attribute_change {
	/* "" for a shared attribute */
	const char *user_name;
	const char *key;
	/* data == NULL removes the attribute; changed_at == 0 is now */
	struct pgbox_attribute_value value;
};
ARRAY_DEFINE_TYPE(pgbox_attribute_change, struct pgbox_attribute_change);

/* An account that is missing is created if wanted, with or without an INBOX. One of
   a user can't be opened as public, that is for a namespace without an owner, and
   the other way round: CONFIG.
   Running it again does no harm, and it does so itself. */
int pgbox_run_account_open(struct pgbox_db *db, const char *name,
			     bool create, bool create_inbox, bool public,
			     int64_t *account_id_r,
			     struct pgbox_db_failure *failure_r);

/* Returns 1 if found, 0 if not. row_r->name is allocated from pool. */
int pgbox_run_mailbox_by_name(struct pgbox_db *db, int64_t account_id,
				const char *name, pool_t pool,
				struct pgbox_mailbox_row *row_r,
				struct pgbox_db_failure *failure_r);
/* Appends all mailboxes of the account, sorted by the bytes of their names,
   which are allocated from pool. */
int pgbox_run_mailbox_list(struct pgbox_db *db, int64_t account_id,
			     pool_t pool,
			     ARRAY_TYPE(pgbox_mailbox_row) *rows,
			     struct pgbox_db_failure *failure_r);
/* Also turns a node that is not selectable into a mailbox. uid_validity and
   min_modseq may be 0. */
int pgbox_run_mailbox_create(struct pgbox_db *db, int64_t account_id,
			       const char *name, const guid_128_t guid,
			       bool selectable, uint32_t uid_validity,
			       uint64_t min_modseq,
			       struct pgbox_db_failure *failure_r);
/* EXISTS: it is not selectable and has children. NOT_FOUND: there is none, or
   it has another name by now. */
int pgbox_run_mailbox_delete(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id, const char *name,
			       struct pgbox_db_failure *failure_r);
/* leave_empty: an empty mailbox of the old name, as of INBOX */
int pgbox_run_mailbox_rename(struct pgbox_db *db, int64_t account_id,
			       const char *old_name, const char *new_name,
			       bool leave_empty,
			       struct pgbox_db_failure *failure_r);
int pgbox_run_mailbox_update(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id,
			       const struct pgbox_mailbox_change *change,
			       struct pgbox_db_failure *failure_r);
/* first_saved_r is -1 if the mailbox is empty. */
int pgbox_run_mailbox_first_saved(struct pgbox_db *db, int64_t account_id,
				    int64_t mailbox_id, time_t *first_saved_r,
				    struct pgbox_db_failure *failure_r);
/* Removes at most limit messages that nobody can see any more. removed_r is 0
   when all is done. */
int pgbox_run_purge(struct pgbox_db *db, int64_t account_id,
		      unsigned int retention_secs, unsigned int limit,
		      uint64_t *removed_r, struct pgbox_db_failure *failure_r);

/* names_r is a NULL-terminated list allocated from pool. */
int pgbox_run_subscription_list(struct pgbox_db *db, int64_t account_id,
				  const char *user_name, pool_t pool,
				  const char *const **names_r,
				  struct pgbox_db_failure *failure_r);
/* Running it again does no harm, and it does so itself. */
int pgbox_run_subscription_set(struct pgbox_db *db, int64_t account_id,
				 const char *user_name, const char *name,
				 bool subscribe,
				 struct pgbox_db_failure *failure_r);

/* user_name is "" for a shared attribute. Returns 1 and the value, allocated
   from pool and followed by a NUL, or 0 if there is none. */
int pgbox_run_attribute_get(struct pgbox_db *db, int64_t account_id,
			      int64_t mailbox_id, const char *user_name,
			      const char *key, pool_t pool,
			      struct pgbox_attribute_value *value_r,
			      struct pgbox_db_failure *failure_r);
/* keys_r is a NULL-terminated list allocated from pool: the keys that begin
   with prefix. */
int pgbox_run_attribute_list(struct pgbox_db *db, int64_t account_id,
			       int64_t mailbox_id, const char *user_name,
			       const char *prefix, pool_t pool,
			       const char *const **keys_r,
			       struct pgbox_db_failure *failure_r);
/* All or nothing; no attribute may be named twice. Running it again does no
   harm, and it does so itself. */
int pgbox_run_attribute_set(struct pgbox_db *db, int64_t account_id,
			    int64_t mailbox_id,
			    const ARRAY_TYPE(pgbox_attribute_change) *changes,
			    struct pgbox_db_failure *failure_r);

#endif
