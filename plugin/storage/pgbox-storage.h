#ifndef PGBOX_STORAGE_H
#define PGBOX_STORAGE_H

/* The objects of the storage driver, as its files share them. A storage is
   one account of the database as one namespace sees it. */

#include "index-storage.h"
#include "pgbox-settings.h"
#include "pgbox-db.h"
#include "pgbox-moment.h"
#include "pgbox-query-mail.h"

#define PGBOX_STORAGE_NAME "pgbox"
/* Hierarchy separator of names in the database */
#define PGBOX_HIERARCHY_SEP '/'
/* Distance of two modseqs that the database gives (sql/functions): lib-index
   may add as many records of its own in between. */
#define PGBOX_MODSEQ_GAP 65536

struct pgbox_mail_window;
struct pgbox_mailbox_change;
struct pgbox_mailbox_row;
struct pgbox_notify;
struct pgbox_watch;

struct pgbox_storage {
	struct mail_storage storage;
	const struct pgbox_settings *set;
	/* own reference; shared by the storages of the process */
	struct pgbox_db *db;
	/* tells others what we change */
	struct pgbox_notify *notify;
	/* of the namespace's owner or the setting pgbox_account */
	const char *account_name;
	/* another user's: it may be missing, and is never created by us */
	bool account_foreign;
	/* a tree of mailboxes without an owner, and no user's */
	bool account_public;
	/* it gets an INBOX when it is created */
	bool account_inbox;
	/* 0 until pgbox_storage_open_account() succeeded. A mailbox that was
	   remembered may be of another account of this name. */
	int64_t account_id;
};

/* Header extension "pgbox" of a local index: what of the database it holds */
struct pgbox_index_header {
	/* epoch the rest belongs to; 0 = nothing was synced yet */
	uint64_t epoch;
	/* HIGHESTMODSEQ of the database that the index has been synced to */
	uint64_t modseq;
	/* number of the mailbox's keywords, which are all in the index */
	uint32_t keywords;
	/* enum pgbox_index_flags */
	unsigned int flags:8;
	/* of this and what else says how far the index is: more than the
	   database has is only believed if this is right */
	unsigned int checksum:24;
	/* The mailbox that it is of: a later one can have the same GUID, and so
	   the same directory. 0 or missing if an older version wrote it. */
	uint64_t mailbox_id;
	/* of the mails' UIDs, flags, keywords and MODSEQs (pgbox-sync-digest.c) */
	uint64_t digest;
};

enum pgbox_index_flags {
	/* no mail of the index has a POP3 UIDL or POP3 order of its own */
	PGBOX_INDEX_FLAG_NO_POP3_VALUES = 0x01,
	/* the header has a digest: older versions write none */
	PGBOX_INDEX_FLAG_DIGEST = 0x02,
	/* rows made no sense: the counters of the mailbox may not fit */
	PGBOX_INDEX_FLAG_DAMAGED_ROWS = 0x04,
};

/* Which mailbox of the database it is, and what is known of its row */
struct pgbox_mailbox_known {
	/* mailbox_id is 0 until the mailbox was looked up */
	struct pgbox_mailbox_id id;
	guid_128_t guid;
	uint32_t uid_validity;
	/* UIDNEXT and HIGHESTMODSEQ when the row was last read: lower bounds
	   for looking up a lost COMMIT */
	uint32_t uid_next;
	uint64_t modseq;
};

struct pgbox_mailbox {
	struct mailbox box;
	struct pgbox_storage *storage;
	struct pgbox_mailbox_known known;

	/* id of struct pgbox_index_header's extension in box.index */
	uint32_t hdr_ext_id;
	/* the field of box.cache that ENVELOPE is kept in */
	unsigned int envelope_field;
	/* the row was not read but remembered (pgbox-destination.h): good for
	   adding mails, which the database then checks */
	bool row_remembered;
	/* names of mailbox_keyword by keyword_id - 1, as far as they are known;
	   from box.pool */
	ARRAY_TYPE(const_string) keywords;
	/* the epoch that they are of */
	uint64_t keywords_epoch;
	/* we have changed something that the index hasn't got: the next sync asks
	   the database whatever others have told */
	bool sync_wanted;
	/* epoch of the index */
	uint64_t epoch;
	/* the index has all that the database had then */
	struct pgbox_moment synced_at;
	/* the index is in memory, because its directory can't be used */
	bool index_in_memory;
	/* what is wrong with the index's files; NULL if nothing is known */
	const char *index_broken;
	/* they were removed; box.index still has them */
	bool index_dropped;
	/* nobody has seen anything of the index yet: instead of mending it,
	   it is made anew */
	bool index_replaceable;
	/* of the file that tells that we are opening the index; -1 if we
	   aren't */
	int guard_fd;
	/* while a client waits for changes */
	struct pgbox_watch *watch;
	/* metadata and small bodies that were read ahead (pgbox-mail-window.h);
	   NULL until needed */
	struct pgbox_mail_window *window;
	/* UIDs below it had their text extracted while the mailbox was open, or
	   were left to others */
	uint32_t text_uid;
};

#define PGBOX_STORAGE(s)	(container_of(s, struct pgbox_storage, storage))
#define PGBOX_MAILBOX(s)	(container_of(s, struct pgbox_mailbox, box))

extern struct mail_storage pgbox_storage;
extern struct mailbox pgbox_mailbox;
extern struct mail_vfuncs pgbox_mail_vfuncs;

/* Makes storage->account_id known: looks the account up, or creates it if the
   settings allow. Returns 0, or -1 with the storage's error set. */
int pgbox_storage_open_account(struct pgbox_storage *storage);
/* The same with a failure in place of the storage's error: NOT_FOUND if another
   user has no account. */
int pgbox_storage_try_open_account(struct pgbox_storage *storage,
				   struct pgbox_db_failure *failure_r);

/* Looks the account up again: another one may have its name by now. Returns 0, or
   -1 with the storage's error set. */
int pgbox_storage_reopen_account(struct pgbox_storage *storage);

/* Something of the account was changed by us, and committed: of a mailbox, or if
   guid is NULL in the list of mailboxes. */
void pgbox_storage_changed(struct pgbox_storage *storage,
			   const guid_128_t guid);

/* ---- pgbox-mailbox.c ---- */
struct mailbox *
pgbox_mailbox_alloc(struct mail_storage *storage, struct mailbox_list *list,
		    const char *vname, enum mailbox_flags flags);

/* ---- pgbox-mailbox-row.c ---- */
/* Looks the row up: in this command, or if not fresh in one that lists mailboxes.
   Returns 1 and the row, which is valid until the next look-up, if the mailbox
   exists and is selectable, 0 if not (MAIL_ERROR_NOTFOUND is set), -1 with another
   error of the storage set. */
int pgbox_mailbox_get_row(struct pgbox_mailbox *mbox, bool fresh,
			  const struct pgbox_mailbox_row **row_r);
/* The mailbox is going to be opened: the same, anew, and makes mbox->known known.
   Whoever only adds mails needs no look-up: then mbox->row_remembered is set, and
   row_r is not. */
int pgbox_mailbox_open_row(struct pgbox_mailbox *mbox,
			   struct pgbox_mailbox_row *row_r);
/* Makes mbox->known known; creates an INBOX that is gone. Returns 1 if the mailbox
   exists and is selectable, 0 if not (MAIL_ERROR_NOTFOUND is set), -1 on failure
   with the storage's error set. */
int pgbox_mailbox_lookup(struct pgbox_mailbox *mbox);
/* The same, anew, after what was remembered of a mailbox that is saved to turned
   out to be wrong. */
int pgbox_mailbox_reread(struct pgbox_mailbox *mbox);
/* Creates the mailbox with what the change says of its UIDVALIDITY, MODSEQ and GUID,
   and its directories, which it can be used without: what fails there is only
   logged. Returns 0, or -1 with the storage's error set. */
int pgbox_mailbox_create_row(struct pgbox_mailbox *mbox, bool selectable,
			     const struct pgbox_mailbox_change *change);
/* There is no mailbox to save to: the client is told to create it. */
void pgbox_mailbox_set_try_create(struct pgbox_mailbox *mbox);
/* The database said that the row is gone: the mailbox was deleted elsewhere.
   Ends the session's use of it cleanly. */
void pgbox_mailbox_set_gone(struct pgbox_mailbox *mbox);

/* ---- pgbox-mailbox-index.c ---- */
/* Removes the index's files because of mbox->index_broken, which the admin is told.
   Who has them open can go on with them; the next one who opens the mailbox makes
   new ones. */
void pgbox_mailbox_index_drop(struct pgbox_mailbox *mbox);
/* Empties the cache file, whose mails may be others now. All processes that have it
   open learn of it with the transaction, which commits a sync. */
void pgbox_mailbox_index_drop_cache(struct pgbox_mailbox *mbox,
				    struct mail_index_transaction *trans);
/* Returns TRUE if Dovecot has found something wrong with the index since it was
   opened. */
bool pgbox_mailbox_index_failed(struct pgbox_mailbox *mbox);
/* The mailbox is closed. The same struct mailbox may be opened again after its name
   got another mailbox: that has another directory, and another index. */
void pgbox_mailbox_index_forget(struct mailbox *box);
/* Finds out whether the index's directories can be used. Each time anew: one that
   could not may be mended since. */
void pgbox_mailbox_index_place(struct pgbox_mailbox *mbox);
/* Makes the directory of the control files, if the admin wants such files. */
void pgbox_mailbox_create_control_dir(struct mailbox *box);
/* The index is going to be opened. If processes died of it again and again, its
   files are removed. */
void pgbox_mailbox_index_guard(struct pgbox_mailbox *mbox);
/* It was opened and synced, or is closed. */
void pgbox_mailbox_index_guard_end(struct pgbox_mailbox *mbox);

/* ---- pgbox-mailbox-notify.c ---- */
void pgbox_mailbox_notify_changes(struct mailbox *box);
/* Nobody waits any more. */
void pgbox_mailbox_notify_end(struct pgbox_mailbox *mbox);

/* ---- pgbox-mailbox-change.c ---- */
int pgbox_mailbox_create(struct mailbox *box,
			 const struct mailbox_update *update, bool directory);
int pgbox_mailbox_update(struct mailbox *box,
			 const struct mailbox_update *update);
int pgbox_mailbox_delete(struct mailbox *box);

/* ---- pgbox-sync.c ---- */
struct mailbox_sync_context *
pgbox_storage_sync_init(struct mailbox *box, enum mailbox_sync_flags flags);
/* The row of the mailbox was read at this moment. Returns FALSE if it has more than
   the local index has; if not, the current command needs no sync. */
bool pgbox_sync_check_row(struct pgbox_mailbox *mbox,
			  const struct pgbox_mailbox_row *row,
			  const struct pgbox_moment *read_at);
/* Brings the local index to the state of the database. Returns 0, or -1 with
   the storage's error set. */
int pgbox_sync(struct pgbox_mailbox *mbox, enum mailbox_sync_flags flags);
/* The same, unless that was done for the current command. as_notified: nor if no
   notification has come in since it was last done, while they do. */
int pgbox_sync_refresh(struct pgbox_mailbox *mbox, bool as_notified);
/* The MODSEQ that the local index has been synced to */
uint64_t pgbox_sync_get_modseq(struct pgbox_mailbox *mbox);

/* The caller has changed flags and keywords, or expunged mails, after asked_at, and
   this is what the database answered. Brings it into the local index, without
   asking if nothing else was new. If nothing else was, it becomes what the
   transaction's flags want: hidden from the view (IMAP's .SILENT), or marked as
   dsync's own, which is no wish of a user. */
void pgbox_sync_own(struct pgbox_mailbox *mbox,
		    const ARRAY_TYPE(pgbox_mail_change) *changes,
		    const struct pgbox_change_result *result,
		    const struct pgbox_moment *asked_at,
		    enum mailbox_transaction_flags flags);

/* ---- pgbox-transaction.c, pgbox-transaction-write.c ---- */
struct mailbox_transaction_context *
pgbox_transaction_begin(struct mailbox *box,
			enum mailbox_transaction_flags flags,
			const char *reason);
int pgbox_transaction_commit(struct mailbox_transaction_context *t,
			     struct mail_transaction_commit_changes *changes_r);
void pgbox_transaction_rollback(struct mailbox_transaction_context *t);
void pgbox_mail_update_flags(struct mail *mail, enum modify_type modify_type,
			     enum mail_flags flags);
void pgbox_mail_update_keywords(struct mail *mail, enum modify_type modify_type,
				struct mail_keywords *keywords);
void pgbox_mail_update_modseq(struct mail *mail, uint64_t min_modseq);
void pgbox_mail_expunge(struct mail *mail);

/* ---- pgbox-save.c, pgbox-copy.c ---- */
struct mail_save_context *
pgbox_save_alloc(struct mailbox_transaction_context *t);
int pgbox_save_begin(struct mail_save_context *ctx, struct istream *input);
int pgbox_save_continue(struct mail_save_context *ctx);
int pgbox_save_finish(struct mail_save_context *ctx);
void pgbox_save_cancel(struct mail_save_context *ctx);
/* Reads the flags of the mails from the index transaction, before that is
   cleared of other changes. */
void pgbox_save_prepare_commit(struct mail_save_context *ctx);
int pgbox_copy(struct mail_save_context *ctx, struct mail *mail);
int pgbox_transaction_save_commit_pre(struct mail_save_context *ctx);
void pgbox_transaction_save_commit_post(struct mail_save_context *ctx,
		struct mail_index_transaction_commit_result *result);
void pgbox_transaction_save_rollback(struct mail_save_context *ctx);
/* Returns a new reference to the bytes of a mail that is being saved in this
   transaction, seekable from offset 0. */
struct istream *pgbox_save_open_stream(struct mail *mail);
/* Returns the source of a mail that is being copied, NULL if it is another
   kind of mail or the copying of this mail has ended. */
struct mail *pgbox_save_get_copy_source(struct mail *mail);

/* ---- pgbox-mail.c ---- */
struct mail *
pgbox_mail_alloc(struct mailbox_transaction_context *t,
		 enum mail_fetch_field wanted_fields,
		 struct mailbox_header_lookup_ctx *wanted_headers);

/* ---- pgbox-attribute.c ---- */
int pgbox_attribute_set(struct mailbox_transaction_context *t,
			enum mail_attribute_type type_flags, const char *key,
			const struct mail_attribute_value *value);
/* Writes the attributes that were set in the transaction. */
int pgbox_attribute_commit(struct mailbox_transaction_context *t);
int pgbox_attribute_get(struct mailbox *box,
			enum mail_attribute_type type_flags, const char *key,
			struct mail_attribute_value *value_r);
struct mailbox_attribute_iter *
pgbox_attribute_iter_init(struct mailbox *box,
			  enum mail_attribute_type type_flags,
			  const char *prefix);
const char *pgbox_attribute_iter_next(struct mailbox_attribute_iter *iter);
int pgbox_attribute_iter_deinit(struct mailbox_attribute_iter *iter);

/* ---- pgbox-error.c: database failures as storage errors ---- */

/* Sets the error and logs it once where the admin must act. */
void pgbox_storage_set_failure(struct mail_storage *storage,
			       const struct pgbox_db_failure *failure);
void pgbox_mailbox_set_failure(struct pgbox_mailbox *mbox,
			       const struct pgbox_db_failure *failure);

#endif
