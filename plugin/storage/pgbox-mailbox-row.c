/* The row of a mailbox: looks it up, creates it, and says what it means that it is
   gone. Knows nothing of the mailbox's mails and of what is in its index. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-destination.h"
#include "pgbox-list-private.h"
#include "pgbox-storage.h"

/*
 * Looking up
 */

int pgbox_mailbox_get_row(struct pgbox_mailbox *mbox, bool fresh,
			  const struct pgbox_mailbox_row **row_r)
{
	struct mailbox *box = &mbox->box;
	int ret;

	ret = pgbox_list_lookup(box->list, box->name, fresh, row_r);
	if (ret < 0) {
		mail_storage_copy_list_error(box->storage, box->list);
		return -1;
	}
	if (ret > 0 && (*row_r)->selectable)
		return 1;
	mail_storage_set_error(box->storage, MAIL_ERROR_NOTFOUND,
		T_MAIL_ERR_MAILBOX_NOT_FOUND(box->vname));
	return 0;
}

/* row_r may be NULL; its name is valid until the next lookup. Returns as
   pgbox_mailbox_lookup(). */
static int
mailbox_read_row(struct pgbox_mailbox *mbox,
		 struct pgbox_mailbox_row *row_r)
{
	const struct pgbox_mailbox_row *row;
	int ret;

	if ((ret = pgbox_mailbox_get_row(mbox, TRUE, &row)) <= 0)
		return ret;
	mbox->known.id.account_id = mbox->storage->account_id;
	mbox->known.id.mailbox_id = row->mailbox_id;
	guid_128_copy(mbox->known.guid, row->guid);
	mbox->known.uid_validity = row->uid_validity;
	mbox->known.uid_next = row->uid_next;
	mbox->known.modseq = row->modseq;
	mbox->row_remembered = FALSE;
	pgbox_destination_remember(mbox);
	if (row_r != NULL)
		*row_r = *row;
	return 1;
}

/*
 * Creating
 */

/* Nobody knows whether the database created it: it did if the mailbox has the
   GUID that we have made. Returns 1 if so, 0 if not, -1 on error. */
static int
mailbox_is_created(struct pgbox_mailbox *mbox, const guid_128_t guid)
{
	struct mailbox *box = &mbox->box;
	const struct pgbox_mailbox_row *row;
	int ret;

	pgbox_list_changed(box->list);
	ret = pgbox_list_lookup(box->list, box->name, TRUE, &row);
	if (ret < 0)
		mail_storage_copy_list_error(box->storage, box->list);
	return ret <= 0 ? ret : (guid_128_equals(row->guid, guid) ? 1 : 0);
}

/* Makes its directories. It can be used without: what fails is only logged. */
static void mailbox_create_dirs(struct mailbox *box)
{
	const struct pgbox_mailbox_row *row;
	guid_128_t guid;

	if (pgbox_list_lookup(box->list, box->name, FALSE, &row) <= 0)
		return;
	guid_128_copy(guid, row->guid);
	pgbox_list_set_opening(box->list, box->name, guid);
	pgbox_mailbox_index_place(PGBOX_MAILBOX(box));
	/* the ACL plugin copies the parent's file there */
	pgbox_mailbox_create_control_dir(box);
	pgbox_list_set_opening(box->list, NULL, guid);
}

int pgbox_mailbox_create_row(struct pgbox_mailbox *mbox, bool selectable,
			     const struct pgbox_mailbox_change *change)
{
	struct mailbox *box = &mbox->box;
	struct pgbox_db_failure failure;
	guid_128_t guid;
	const char *error;
	int ret;

	if (!pgbox_list_name_is_valid(box->name, &error)) {
		mail_storage_set_error(box->storage, MAIL_ERROR_PARAMS, error);
		return -1;
	}
	if (guid_128_is_empty(change->guid))
		guid_128_generate(guid);
	else
		guid_128_copy(guid, change->guid);
	if (pgbox_storage_open_account(mbox->storage) < 0)
		return -1;
	ret = pgbox_run_mailbox_create(mbox->storage->db,
				       mbox->storage->account_id, box->name,
				       guid, selectable, change->uid_validity,
				       change->min_modseq, &failure);
	if (ret < 0 && failure.error == PGBOX_DB_ERROR_UNCERTAIN) {
		if ((ret = mailbox_is_created(mbox, guid)) < 0)
			return -1;
		ret = ret > 0 ? 0 : -1;
	}
	pgbox_list_changed(box->list);
	if (ret < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	pgbox_storage_changed(mbox->storage, NULL);
	mailbox_create_dirs(box);
	return 0;
}

/*
 * One that is used
 */

static int mailbox_read_or_create_row(struct pgbox_mailbox *mbox)
{
	static const struct pgbox_mailbox_change no_change;
	int ret = mailbox_read_row(mbox, NULL);

	if (ret == 0 && mailbox_is_autocreated(&mbox->box)) {
		/* As lib-storage does when it opens one. It fails if someone
		   else was faster, which is as good. */
		(void)pgbox_mailbox_create_row(mbox, TRUE, &no_change);
		ret = mailbox_read_row(mbox, NULL);
	}
	return ret;
}

int pgbox_mailbox_lookup(struct pgbox_mailbox *mbox)
{
	return mbox->known.id.mailbox_id != 0 ? 1 :
		mailbox_read_or_create_row(mbox);
}

int pgbox_mailbox_reread(struct pgbox_mailbox *mbox)
{
	int ret;

	i_assert(mbox->row_remembered);
	pgbox_destination_forget(mbox);
	pgbox_list_changed(mbox->box.list);
	if (pgbox_storage_reopen_account(mbox->storage) < 0)
		return -1;
	ret = mailbox_read_or_create_row(mbox);
	if (ret == 0)
		pgbox_mailbox_set_try_create(mbox);
	return ret;
}

void pgbox_mailbox_set_try_create(struct pgbox_mailbox *mbox)
{
	/* what imap says when it opens a mailbox to save to */
	mail_storage_set_error(mbox->box.storage, MAIL_ERROR_NOTFOUND,
		t_strconcat("[TRYCREATE] ",
			    T_MAIL_ERR_MAILBOX_NOT_FOUND(mbox->box.vname),
			    NULL));
}

int pgbox_mailbox_open_row(struct pgbox_mailbox *mbox,
			   struct pgbox_mailbox_row *row_r)
{
	mbox->row_remembered =
		(mbox->box.flags & MAILBOX_FLAG_SAVEONLY) != 0 &&
		pgbox_destination_get(mbox);
	return mbox->row_remembered ? 1 : mailbox_read_row(mbox, row_r);
}

void pgbox_mailbox_set_gone(struct pgbox_mailbox *mbox)
{
	pgbox_list_changed(mbox->box.list);
	mailbox_set_deleted(&mbox->box);
}
