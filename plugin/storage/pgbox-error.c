/* Failures of the database as errors of lib-storage: a text for the mail
   client, which says nothing about the database, and a line in the log where
   the admin must act. Knows no SQLSTATE. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-list-private.h"
#include "pgbox-storage.h"

struct pgbox_error {
	enum mail_error error;
	/* for the client */
	const char *text;
	bool log;
};

static const struct pgbox_error errors[] = {
	[PGBOX_DB_ERROR_UNAVAILABLE] = {
		.error = MAIL_ERROR_UNAVAILABLE,
		.text = "The mail database is temporarily unavailable",
		.log = TRUE,
	},
	[PGBOX_DB_ERROR_UNCERTAIN] = {
		.error = MAIL_ERROR_UNAVAILABLE,
		.text = "The mail database did not confirm the command, "
			"which may have been done",
		.log = TRUE,
	},
	[PGBOX_DB_ERROR_TIMEOUT] = {
		.error = MAIL_ERROR_UNAVAILABLE,
		.text = "The mail database did not answer in time",
		.log = TRUE,
	},
	[PGBOX_DB_ERROR_CONFLICT] = {
		.error = MAIL_ERROR_UNAVAILABLE,
		.text = "The mail database is busy, try again",
		.log = TRUE,
	},
	[PGBOX_DB_ERROR_NOT_FOUND] = {
		.error = MAIL_ERROR_NOTFOUND,
		.text = "Mailbox doesn't exist",
	},
	[PGBOX_DB_ERROR_EXPUNGED] = {
		.error = MAIL_ERROR_EXPUNGED,
		.text = "Some of the requested messages no longer exist.",
	},
	[PGBOX_DB_ERROR_EXISTS] = {
		.error = MAIL_ERROR_EXISTS,
		.text = "Mailbox already exists",
	},
	[PGBOX_DB_ERROR_NOT_POSSIBLE] = {
		.error = MAIL_ERROR_NOTPOSSIBLE,
		.text = "This is not possible",
	},
	[PGBOX_DB_ERROR_LIMIT] = {
		.error = MAIL_ERROR_LIMIT,
		.text = "A limit of the mail database was reached",
	},
	[PGBOX_DB_ERROR_CONFIG] = {
		.error = MAIL_ERROR_TEMP,
		.log = TRUE,
	},
	[PGBOX_DB_ERROR_RESOURCES] = {
		.error = MAIL_ERROR_UNAVAILABLE,
		.text = "The mail database cannot serve this at the moment",
		.log = TRUE,
	},
	[PGBOX_DB_ERROR_INTERNAL] = {
		.error = MAIL_ERROR_TEMP,
		.log = TRUE,
	},
};

static const struct pgbox_error *
error_find(const struct pgbox_db_failure *failure)
{
	i_assert(failure->error != PGBOX_DB_ERROR_NONE &&
		 (unsigned int)failure->error < N_ELEMENTS(errors));

	return &errors[failure->error];
}

/* set_critical() logs and tells the client no more than the time; where the
   table knows more, that is said instead. */

void pgbox_storage_set_failure(struct mail_storage *storage,
			       const struct pgbox_db_failure *failure)
{
	const struct pgbox_error *error = error_find(failure);

	if (error->log) {
		mail_storage_set_critical(storage, "pgbox: %s",
					  failure->message);
	}
	if (error->text != NULL)
		mail_storage_set_error(storage, error->error, error->text);
}

void pgbox_mailbox_set_failure(struct pgbox_mailbox *mbox,
			       const struct pgbox_db_failure *failure)
{
	const struct pgbox_error *error = error_find(failure);

	if (error->log) {
		mailbox_set_critical(&mbox->box, "pgbox: %s",
				     failure->message);
	}
	if (error->text != NULL) {
		mail_storage_set_error(mbox->box.storage, error->error,
				       error->text);
	}
}

void pgbox_list_set_failure(struct mailbox_list *list,
			    const struct pgbox_db_failure *failure)
{
	const struct pgbox_error *error = error_find(failure);

	if (error->log) {
		mailbox_list_set_critical(list, "pgbox: %s",
					  failure->message);
	}
	if (error->text != NULL)
		mailbox_list_set_error(list, error->error, error->text);
}
