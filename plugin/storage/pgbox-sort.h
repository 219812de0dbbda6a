#ifndef PGBOX_SORT_H
#define PGBOX_SORT_H

/* SORT: the order of mails that a search has found. */

#include "mail-storage.h"

struct pgbox_db_failure;
struct pgbox_sort;

/* Returns NULL if there is no program, or if Dovecot's own sorting is likely to be
   faster: it has what it needs in its index and cache files. */
struct pgbox_sort *
pgbox_sort_init(struct mailbox_transaction_context *t,
		const enum mail_sort_type *program);
void pgbox_sort_free(struct pgbox_sort **sort);

/* Adds a mail of the transaction's view. */
void pgbox_sort_add(struct pgbox_sort *sort, uint32_t seq);

/* Sorts what was added, once: asks the database, at most for timeout_msecs, or has
   Dovecot do it. Returns 0, or -1 and the failure; its error is NONE if Dovecot
   failed. */
int pgbox_sort_run(struct pgbox_sort *sort, unsigned int timeout_msecs,
		   struct pgbox_db_failure *failure_r);
bool pgbox_sort_is_run(const struct pgbox_sort *sort);
/* Returns FALSE if there are no more mails. */
bool pgbox_sort_next(struct pgbox_sort *sort, uint32_t *seq_r);

#endif
