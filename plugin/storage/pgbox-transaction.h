#ifndef PGBOX_TRANSACTION_H
#define PGBOX_TRANSACTION_H

/* What a mailbox transaction is going to change. */

#include "mail-storage-private.h"
#include "pgbox-query-mail.h"
#include "pgbox-query-mailbox.h"

struct pgbox_mailbox;

struct pgbox_transaction {
	union mailbox_transaction_module_context module_ctx;
	struct mailbox_transaction_context *t;
	pool_t pool;
	/* by ascending UID */
	ARRAY_TYPE(pgbox_mail_change) changes;
	/* METADATA; not created if there is none */
	ARRAY_TYPE(pgbox_attribute_change) attributes;
	/* The index could not be refreshed: searches fail, with the storage's
	   error set. */
	bool refresh_failed;
	/* Flags, keywords or MODSEQs were searched for when the index had this
	   MODSEQ; 0 if not */
	uint64_t searched_modseq;
};

/* Returns the transaction's changes; never NULL for a pgbox mailbox. */
struct pgbox_transaction *
pgbox_transaction_get(struct mailbox_transaction_context *t);

void pgbox_transaction_free(struct pgbox_transaction *pt);

/* Returns TRUE if the transaction is going to expunge the mail. */
bool pgbox_transaction_expunges(struct pgbox_transaction *pt, uint32_t uid);
/* The mail's expunge was committed together with something else, or that was
   undone: leaves it out of what the transaction does. */
void pgbox_transaction_forget_expunge(struct pgbox_transaction *pt,
				      uint32_t uid);

/* ---- lost commits (pgbox-operation.c) ---- */

/* A random number that names one command */
int64_t pgbox_operation_create(void);
/* After PGBOX_DB_ERROR_UNCERTAIN: looks up whether the operation happened,
   trying for as long as one query may take. Returns 1 if it did, with its UIDs
   in result_r, 0 if it did not and will not, -1 if that can't be found out; the
   storage's error is set for 0 and -1. */
int pgbox_operation_settle(struct pgbox_mailbox *mbox,
			   const struct pgbox_operation *operation,
			   const struct pgbox_db_failure *lost,
			   struct pgbox_add_result *result_r);

#endif
