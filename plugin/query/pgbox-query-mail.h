#ifndef PGBOX_QUERY_MAIL_H
#define PGBOX_QUERY_MAIL_H

/* Typed rows for the statements that read and change the mails of a mailbox.
   All functions return 0, or -1 and the failure. */

#include "seq-range-array.h"
#include "pgbox-db.h"
#include "sha2.h"

struct pgbox_message;
struct pgbox_stored_chunk;

/* Address of a mailbox: first parameters of all statements. */
struct pgbox_mailbox_id {
	int64_t account_id, mailbox_id;
};

/* ---- sync: sql/functions/mailbox-sync.sql ---- */

/* What a local index has of the mailbox */
struct pgbox_sync_position {
	uint64_t epoch;
	uint64_t modseq;
	uint32_t uid_next;
	/* number of keyword names known */
	unsigned int keywords;
};

struct pgbox_sync_mail {
	uint32_t uid;
	uint8_t flags;
	uint64_t modseq;
	/* keyword_ids in pgbox_sync_rows.keyword_ids */
	unsigned int keyword_idx, keyword_count;
};

struct pgbox_sync_tombstone {
	uint32_t uid;
	uint64_t modseq;
	const char *guid;
};
ARRAY_DEFINE_TYPE(pgbox_sync_tombstone, struct pgbox_sync_tombstone);

struct pgbox_sync_rows {
	/* FALSE if the mailbox is gone; the rest is unset then */
	bool exists;
	/* the database began a new epoch: pgbox_enter_epoch() has to be called
	   first; the rest is unset then */
	bool epoch_pending;
	/* mails are the whole mailbox: what they don't name is gone */
	bool full;
	uint64_t epoch;
	uint32_t uid_validity, uid_next, first_recent_uid;
	uint64_t modseq;
	/* if full: expunges up to this MODSEQ are not among the tombstones */
	uint64_t tombstones_after;
	/* a mail may have pop3_uidl or pop3_order */
	bool pop3_values;
	/* names after the position's number of keywords */
	ARRAY_TYPE(const_string) new_keywords;
	/* ascending UIDs */
	ARRAY(struct pgbox_sync_mail) mails;
	/* numbers of mailbox_keyword, from 1 */
	ARRAY_TYPE(pgbox_int64) keyword_ids;
	/* ascending modseqs and UIDs */
	ARRAY_TYPE(pgbox_sync_tombstone) tombstones;
	/* mails from this UID on are \Recent for this session only, which they
	   have become by the statement; 0 if it didn't take any */
	uint32_t taken_recent_uid;

	/* So many rows make no sense, and what is wrong with the first of them. A mail
	   is here as far as it can be, without a UID that can be not at all. */
	unsigned int damaged;
	const char *damage;
};

/* take_recent: give \Recent of the newest mails to this session. If the answer
   is lost, nobody has it. */
int pgbox_run_sync(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const struct pgbox_sync_position *position,
		     bool take_recent, pool_t pool,
		     struct pgbox_sync_rows *rows_r,
		     struct pgbox_db_failure *failure_r);
/* Makes the whole mailbox look changed, for a local index that does not fit:
   all frontends read it anew, with one MODSEQ for all mails. */
int pgbox_run_restart(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		      struct pgbox_db_failure *failure_r);
/* Mends what makes no sense in the mailbox's rows. problems_r gets what was wrong, in the
   pool. */
int pgbox_run_repair(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     pool_t pool, ARRAY_TYPE(const_string) *problems_r,
		     struct pgbox_db_failure *failure_r);
int pgbox_run_enter_epoch(struct pgbox_db *db,
			    const struct pgbox_mailbox_id *id,
			    struct pgbox_db_failure *failure_r);

/* ---- change: sql/functions/mail-change.sql, mail-flags-change.sql ---- */

struct pgbox_keyword_change {
	const char *name;
	bool add;
};

/* What a transaction does to one existing mail */
struct pgbox_mail_change {
	uint32_t uid;
	/* disjoint */
	uint8_t flags_add, flags_remove;
	bool expunge;
	/* remove all keywords first */
	bool keywords_clear;
	/* no other mail is between this one and the change before it */
	bool adjoins;
	/* no name twice; may be uncreated */
	ARRAY(struct pgbox_keyword_change) keywords;
};
ARRAY_DEFINE_TYPE(pgbox_mail_change, struct pgbox_mail_change);

struct pgbox_change_result {
	/* FALSE if the answer was lost: only changed and conflict_uids are set
	   then */
	bool known;
	/* HIGHESTMODSEQ before and after the change */
	uint64_t old_modseq, modseq;
	bool changed;
	/* UIDs left alone because of max_modseq, ascending */
	ARRAY_TYPE(pgbox_int64) conflict_uids;

	/* What else the mailbox has */
	uint64_t epoch;
	uint32_t uid_validity, uid_next, first_recent_uid;
	unsigned int keywords;
	/* UIDs whose flags or keywords changed, maybe with some between them
	   that do not exist */
	ARRAY_TYPE(seq_range) changed_uids;
	/* the mails that were expunged; ascending UIDs */
	ARRAY_TYPE(pgbox_sync_tombstone) expunged;
};

/* What the mails must still be like when they change. Others are left alone. */
struct pgbox_change_condition {
	/* 0 or: they were not changed after it (RFC 7162 UNCHANGEDSINCE) */
	uint64_t max_modseq;
	/* for expunging: they have these flags */
	uint8_t expunge_flags;
	/* for expunging, 0 or: they were not changed after it */
	uint64_t expunge_max_modseq;
};

/* changes are ascending; operation: random number to look a lost COMMIT up with.
   result_r is allocated from the data stack. */
int pgbox_run_change(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		       const struct pgbox_change_condition *condition,
		       const ARRAY_TYPE(pgbox_mail_change) *changes,
		       int64_t operation, struct pgbox_change_result *result_r,
		       struct pgbox_db_failure *failure_r);

/* ---- save and copy: sql/functions/mail-save.sql, mail-copy.sql ---- */

/* One mail to be added to a mailbox */
struct pgbox_new_mail {
	/* A copy has the flags and keywords that its source has at the commit.
	   These are the differences: */
	uint8_t flags, flags_remove;
	/* NULL-terminated, or NULL */
	const char *const *keywords, *const *keywords_remove;
	time_t saved;
	/* 0 = none wanted */
	uint32_t uid;
	/* may be NULL */
	const char *pop3_uidl;
	/* 0 = none */
	uint32_t pop3_order;
	uint64_t min_modseq;

	/* a copy of this mail, if its mailbox_id is not 0 */
	struct pgbox_mailbox_id source;
	uint32_t source_uid;
	/* expunge the source in the same transaction */
	bool move;

	/* otherwise a new message; */
	const struct pgbox_message *message;
	const char *guid;
	time_t received;
	/* of what is stored of its octets */
	unsigned char sha256[SHA256_RESULTLEN];
	/* what is stored of them, as one chunk; or NULL: */
	const void *data;
	size_t data_size;
	/* they were uploaded as this message */
	int64_t message_id;
};
ARRAY_DEFINE_TYPE(pgbox_new_mail, struct pgbox_new_mail);

struct pgbox_add_result {
	uint32_t uid_validity;
	/* in the order of the mails, ascending */
	ARRAY_TYPE(pgbox_int64) uids;
};

/* Adds mails, which are all new messages or all copies; never none. */
/* mailbox_name: NOT_FOUND unless the mailbox has still this name; NULL if it may
   have any. text_wanted: what the service pgbox-text is to extract (column
   message_text_queue.wanted). */
int pgbox_run_save(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const char *mailbox_name, unsigned int text_wanted,
		     const struct pgbox_new_mail *mails, unsigned int count,
		     struct pgbox_add_result *result_r,
		     struct pgbox_db_failure *failure_r);
int pgbox_run_copy(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const char *mailbox_name,
		     const struct pgbox_new_mail *mails, unsigned int count,
		     int64_t operation, struct pgbox_add_result *result_r,
		     struct pgbox_db_failure *failure_r);

/* Sends the chunks of a large message, which becomes one by being saved. While
   the server stores some, the next ones are prepared. */
struct pgbox_upload *
pgbox_upload_init(struct pgbox_db *db, int64_t account_id);
/* The next chunk, in their order; it is copied. Returns 0, or -1 and the failure,
   after which only deinit may be called. */
int pgbox_upload_add(struct pgbox_upload *upload,
		     const struct pgbox_stored_chunk *chunk,
		     struct pgbox_db_failure *failure_r);
/* All chunks have been added: returns when they are stored. */
int pgbox_upload_finish(struct pgbox_upload *upload,
			struct pgbox_db_failure *failure_r);
/* Returns the id of the message to be, 0 if none is known; what is stored
   already stays. */
int64_t pgbox_upload_deinit(struct pgbox_upload **upload);
int pgbox_run_upload_abort(struct pgbox_db *db, int64_t account_id,
			     int64_t message_id,
			     struct pgbox_db_failure *failure_r);

/* ---- lost commits: sql/functions/operation-done.sql ---- */

struct pgbox_operation {
	/* lower bounds of the UIDs and MODSEQ that it can have given */
	uint32_t min_uid;
	uint64_t min_modseq;
	/* of a change or copy */
	int64_t operation;
	/* of a save: NULL-terminated GUIDs of its messages, otherwise NULL */
	const char *const *guids;
};

/* done_r: whether it was committed; result_r has the UIDs then: of a save or
   copy the new ones, of a change the changed ones. */
int pgbox_run_operation_done(struct pgbox_db *db,
			       const struct pgbox_mailbox_id *id,
			       const struct pgbox_operation *operation,
			       bool *done_r, struct pgbox_add_result *result_r,
			       struct pgbox_db_failure *failure_r);

#endif
