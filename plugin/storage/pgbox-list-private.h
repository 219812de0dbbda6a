#ifndef PGBOX_LIST_PRIVATE_H
#define PGBOX_LIST_PRIVATE_H

/* The mailbox list driver "pgbox": the tree of mailboxes is in the database;
   on disk each mailbox has a directory that is named by its GUID. Storage
   names are the names in the database. */

#include "mailbox-list-private.h"
#include "mailbox-list-notify.h"
#include "pgbox-moment.h"
#include "pgbox-query-mailbox.h"

#define PGBOX_LIST_NAME "pgbox"

struct mailbox;
struct pgbox_db_failure;

/* All mailboxes of the account as they were at one moment */
struct pgbox_list_rows {
	int refcount;
	pool_t pool;
	/* sorted by the bytes of the names */
	ARRAY_TYPE(pgbox_mailbox_row) rows;
	struct pgbox_moment read_at;
};

struct pgbox_mailbox_list {
	struct mailbox_list list;
	const char *temp_prefix;

	/* Running iterations. While there are any, rows are used to answer
	   for single mailboxes, so that a LIST-STATUS of all of them, or
	   counting the quota, is one query. */
	unsigned int iter_count;
	/* NULL if not read */
	struct pgbox_list_rows *rows;

	/* The mailbox that was looked up last. lib-storage asks for its path
	   before it asks for its status. */
	pool_t last_pool;
	struct pgbox_mailbox_row last_row;
	struct pgbox_moment last_read_at;
	bool last_valid;
	/* when the last row that pgbox_list_lookup() gave was read */
	struct pgbox_moment answer_read_at;

	/* The mailbox that is being opened, or NULL, and whose directory that
	   is: its row may not have been read. */
	const char *opening_name;
	guid_128_t opening_guid;
	/* it has no files: its directory can't be used */
	bool opening_in_memory;
	/* The admin was told that such directories can't be used. */
	bool in_memory_told;
};

#define PGBOX_MAILBOX_LIST(s) \
	(container_of(s, struct pgbox_mailbox_list, list))

extern struct mailbox_list pgbox_mailbox_list;

/* Returns 1 and the row, valid until the next lookup, 0 if there is no mailbox
   of this name, -1 with the list's error set. The database is asked, unless it
   was for the same command; without fresh, rows of a running iteration may be
   used, too. */
int pgbox_list_lookup(struct mailbox_list *list, const char *name, bool fresh,
		      const struct pgbox_mailbox_row **row_r);
/* Returns TRUE if the current command has asked for a single mailbox and found
   it. */
bool pgbox_list_was_looked_up(struct mailbox_list *list);
/* Reads all mailboxes, if that wasn't done a moment ago for another iteration.
   Returns 0 and a new reference, or -1 with the list's error set. */
int pgbox_list_rows_get(struct mailbox_list *list,
			struct pgbox_list_rows **rows_r);
void pgbox_list_rows_unref(struct pgbox_list_rows **rows);
/* Returns the index of the first row whose name is not less. */
unsigned int pgbox_list_rows_find(const struct pgbox_list_rows *rows,
				  const char *name);
/* While a mailbox is opened, tells its GUID, so that its paths need no lookup;
   name is NULL afterwards. */
void pgbox_list_set_opening(struct mailbox_list *list, const char *name,
			    const guid_128_t guid);
/* Makes the directories of the index of the mailbox that is being opened, if they
   are missing. If that can't be, or nobody could write there, the mailbox has none
   while it is opened: Dovecot keeps its index in memory. Returns FALSE then, and tells
   the admin once. */
bool pgbox_list_prepare_index_dirs(struct mailbox *box);
/* Something of the account was changed by us: forget what was read. */
void pgbox_list_changed(struct mailbox_list *list);

/* Returns FALSE and a text for the user if a mailbox can't have this name. */
bool pgbox_list_name_is_valid(const char *name, const char **error_r);

/* The account of the list for queries. Returns 0, or -1 with the list's error
   set: MAIL_ERROR_NOTFOUND if another user, whose account it is, has none. */
struct pgbox_storage;
int pgbox_list_open_account(struct mailbox_list *list,
			    struct pgbox_storage **storage_r);
void pgbox_list_set_failure(struct mailbox_list *list,
			    const struct pgbox_db_failure *failure);

/* ---- pgbox-list-path.c ---- */
/* Returns MAILBOX_LIST_PATH_TYPE_MAILBOX of the mailbox with the GUID, "" if
   there is none. */
const char *
pgbox_list_get_mailbox_path(struct mailbox_list *list, const guid_128_t guid);
int pgbox_list_get_path(struct mailbox_list *list, const char *name,
			enum mailbox_list_path_type type, const char **path_r);
/* Deletes the local files of a mailbox that does not exist any more. */
void pgbox_list_delete_local(struct mailbox_list *list, const guid_128_t guid);
/* Now and then deletes index directories of mailboxes that are not among the
   rows: others deleted them, on other hosts. */
void pgbox_list_clean_up_local(struct mailbox_list *list,
			       const struct pgbox_list_rows *rows);

/* ---- pgbox-list-iter.c ---- */
struct mailbox_list_iterate_context *
pgbox_list_iter_init(struct mailbox_list *list, const char *const *patterns,
		     enum mailbox_list_iter_flags flags);
const struct mailbox_info *
pgbox_list_iter_next(struct mailbox_list_iterate_context *ctx);
int pgbox_list_iter_deinit(struct mailbox_list_iterate_context *ctx);

/* ---- pgbox-list-notify.c ---- */
int pgbox_list_notify_init(struct mailbox_list *list,
			   enum mailbox_list_notify_event mask,
			   struct mailbox_list_notify **notify_r);
void pgbox_list_notify_deinit(struct mailbox_list_notify *notify);
int pgbox_list_notify_next(struct mailbox_list_notify *notify,
			   const struct mailbox_list_notify_rec **rec_r);
void pgbox_list_notify_wait(struct mailbox_list_notify *notify,
			    void (*callback)(void *context), void *context);
void pgbox_list_notify_flush(struct mailbox_list_notify *notify);

/* ---- pgbox-list-subscriptions.c ---- */
int pgbox_list_subscriptions_refresh(struct mailbox_list *src_list,
				     struct mailbox_list *dest_list);
int pgbox_list_set_subscribed(struct mailbox_list *list, const char *name,
			      bool set);

#endif
