/* Finds out whether a command happened whose COMMIT got no answer. Running it
   again could do it twice; saying no could be wrong. */

#include "lib.h"
#include "array.h"
#include "randgen.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-transaction.h"

/* A server that restarts is back after a second or two. */
#define PGBOX_OPERATION_RETRY_MSECS 250

int64_t pgbox_operation_create(void)
{
	int64_t operation;

	random_fill(&operation, sizeof(operation));
	return operation;
}

int pgbox_operation_settle(struct pgbox_mailbox *mbox,
			   const struct pgbox_operation *operation,
			   const struct pgbox_db_failure *lost,
			   struct pgbox_add_result *result_r)
{
	struct pgbox_db *db = mbox->storage->db;
	struct pgbox_db_failure failure;
	bool done;

	e_debug(mbox->box.event, "Looking up a lost commit: %s", lost->message);
	for (;;) {
		if (pgbox_run_operation_done(db, &mbox->known.id, operation,
					     &done, result_r, &failure) == 0)
			break;
		if (failure.error == PGBOX_DB_ERROR_NOT_FOUND) {
			/* the mailbox is gone, and all that was in it */
			pgbox_mailbox_set_gone(mbox);
			return 0;
		}
		if (!pgbox_db_command_wait(db, PGBOX_OPERATION_RETRY_MSECS)) {
			pgbox_mailbox_set_failure(mbox, lost);
			return -1;
		}
	}
	if (!done) {
		pgbox_mailbox_set_failure(mbox, lost);
		return 0;
	}
	return 1;
}
