#ifndef PGBOX_SYNC_PRIVATE_H
#define PGBOX_SYNC_PRIVATE_H

/* A sync in progress, shared by pgbox-sync.c, which asks the database and holds
   the locks, and pgbox-sync-apply.c, which brings the rows into the index. */

#include "pgbox-query-mail.h"
#include "pgbox-storage.h"

struct pgbox_sync_layout;
struct pgbox_sync_log;

/* What the caller itself has changed in the database */
struct pgbox_sync_own {
	const ARRAY_TYPE(pgbox_mail_change) *changes;
	const struct pgbox_change_result *result;
	/* what the transaction wants to become of it: HIDE, SYNC */
	enum mailbox_transaction_flags flags;
};

struct pgbox_sync_context {
	struct pgbox_mailbox *mbox;
	enum mailbox_sync_flags flags;
	/* NULL if the caller has changed nothing */
	const struct pgbox_sync_own *own;
	/* the rows were made of what own says, and not asked for */
	bool own_rows;
	pool_t pool;

	/* what the index has */
	struct pgbox_sync_position position;
	uint32_t uid_validity, first_recent_uid;
	/* number of keywords whose names are in the index's file */
	unsigned int keywords;
	enum pgbox_index_flags index_flags;
	/* the position is what a sync has written, not damaged */
	bool position_is_sound;
	/* of the mails, as a sync has written it; later as this one writes it */
	uint64_t digest;
	/* what the database has more */
	struct pgbox_sync_rows rows;
	/* when it was asked */
	struct pgbox_moment asked_at;
	/* UIDs that are \Recent for this session, which is not told yet */
	ARRAY_TYPE(seq_range) recent_uids;

	/* while the index is locked: */
	struct mail_index_sync_ctx *sync_ctx;
	struct mail_index_view *view;
	struct mail_index_transaction *trans;
	struct pgbox_sync_log *log;
	const struct pgbox_sync_layout *layout;
	/* by the keyword's number in the index, not created if there are none */
	ARRAY(ARRAY_TYPE(seq_range)) new_keyword_uids;
};

/* How a sync, or one step of it, ended */
enum pgbox_sync_result {
	PGBOX_SYNC_FAILED = -1,
	PGBOX_SYNC_DONE = 0,
	/* something else has to be done first, or was: begin anew */
	PGBOX_SYNC_AGAIN,
	/* the index does not fit the mailbox: reset it and begin anew */
	PGBOX_SYNC_RESET,
};

/* Returns TRUE if \Recent is given to this session. */
static inline bool
pgbox_sync_drops_recent(const struct pgbox_sync_context *ctx)
{
	return (ctx->mbox->box.flags & MAILBOX_FLAG_DROP_RECENT) != 0;
}

/* Returns the checksum for hdr, which is or will be that of an index with these
   values. */
unsigned int
pgbox_sync_header_checksum(const struct pgbox_sync_context *ctx,
			   const struct pgbox_index_header *hdr,
			   uint32_t uid_validity, uint32_t uid_next);

/* Applies ctx->rows to ctx->trans, and creates ctx->log for its commit. */
enum pgbox_sync_result pgbox_sync_apply(struct pgbox_sync_context *ctx);
/* ---- pgbox-sync-mail.c ---- */
/* Gives flags and keywords to a mail that the index has. Only what is different
   goes into the log: dsync takes that for what a user wanted, and all the rest
   for what the other side may change. */
void pgbox_sync_change_mail(struct pgbox_sync_context *ctx, uint32_t seq,
			    enum mail_flags flags, uint64_t modseq,
			    const ARRAY_TYPE(keyword_indexes) *keywords);

/* ---- pgbox-sync-digest.c ---- */
/* Returns the digest of all mails. Reads each of them. */
uint64_t pgbox_sync_digest_index(struct mail_index_view *view);
/* Returns where the view's records have what is in a digest. Valid while the view
   is not synced. */
struct pgbox_sync_layout *
pgbox_sync_layout_init(pool_t pool, struct mail_index_view *view);
/* Returns what the mail is in the digest: with these values, or as it is in the
   index. A digest is the sum of its mails. */
uint64_t
pgbox_sync_digest_mail(struct mail_index *index, uint32_t uid,
		       unsigned int flags, uint64_t modseq,
		       const ARRAY_TYPE(keyword_indexes) *keywords);
uint64_t pgbox_sync_digest_record(const struct pgbox_sync_layout *layout,
				  uint32_t seq);
/* The mail goes, or changes. What was read of all mails makes up a digest of its
   own. */
void pgbox_sync_digest_remove(struct pgbox_sync_context *ctx, uint32_t seq);

/* ---- pgbox-sync-own.c ---- */
/* Returns TRUE if the index at ctx->position, with ctx->own, has all that the
   database has. */
bool pgbox_sync_own_fits(const struct pgbox_sync_context *ctx);
/* Sets ctx->rows, but for the mails. */
void pgbox_sync_own_get_rows(struct pgbox_sync_context *ctx);
/* Applies the mails to ctx->trans and adds them to the rows, without flags and
   keywords. Returns FALSE if the index does not have them. */
bool pgbox_sync_own_apply(struct pgbox_sync_context *ctx);

#endif
