/* Creating, changing and deleting mailboxes. Knows nothing of mails. */

#include "pgbox-config.h"
#include "lib.h"
#include "settings-parser.h"
#include "pgbox-compat.h"
#include "pgbox-list-private.h"
#include "pgbox-storage.h"

static void
change_from_update(const struct mailbox_update *update,
		   struct pgbox_mailbox_change *change_r)
{
	i_zero(change_r);
	change_r->uid_validity = update->uid_validity;
	change_r->min_uid_next = update->min_next_uid;
	change_r->min_first_recent_uid = update->min_first_recent_uid;
	change_r->min_modseq = update->min_highest_modseq;
	guid_128_copy(change_r->guid, update->mailbox_guid);
}

static bool change_is_empty(const struct pgbox_mailbox_change *change)
{
	return change->uid_validity == 0 && change->min_uid_next == 0 &&
		change->min_first_recent_uid == 0 && change->min_modseq == 0 &&
		guid_128_is_empty(change->guid);
}

/* What is kept in the index files only */
static int
mailbox_update_local(struct mailbox *box, const struct mailbox_update *update)
{
	if (update->cache_updates == NULL &&
	    update->min_highest_pvt_modseq == 0)
		return 0;
	if (mailbox_open(box) < 0)
		return -1;
	return index_storage_mailbox_update_common(box, update);
}

/*
 * Creating
 */

static int
mailbox_update_row(struct pgbox_mailbox *mbox,
		   const struct pgbox_mailbox_change *change)
{
	struct pgbox_db_failure failure;

	if (change_is_empty(change))
		return 0;
	if (pgbox_mailbox_lookup(mbox) <= 0)
		return -1;
	if (pgbox_run_mailbox_update(mbox->storage->db,
				     mbox->known.id.account_id,
				     mbox->known.id.mailbox_id, change, &failure) < 0) {
		if (failure.error == PGBOX_DB_ERROR_NOT_FOUND)
			pgbox_mailbox_set_gone(mbox);
		else
			pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	pgbox_list_changed(mbox->box.list);
	pgbox_storage_changed(mbox->storage, mbox->known.guid);
	return 0;
}

int pgbox_mailbox_create(struct mailbox *box,
			 const struct mailbox_update *update, bool directory)
{
	static const struct mailbox_update no_update;
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	struct pgbox_mailbox_change change;

	if ((box->list->props & MAILBOX_LIST_PROP_NO_NOSELECT) != 0)
		directory = FALSE;
	if (update == NULL)
		update = &no_update;

	change_from_update(update, &change);
	if (pgbox_mailbox_create_row(mbox, !directory, &change) < 0)
		return -1;
	if (directory)
		return 0;

	/* the rest, which creating does not know */
	change.uid_validity = 0;
	change.min_modseq = 0;
	guid_128_empty(change.guid);
	if (mailbox_update_row(mbox, &change) < 0)
		return -1;
	return mailbox_update_local(box, update);
}

/*
 * Changing
 */

int pgbox_mailbox_update(struct mailbox *box,
			 const struct mailbox_update *update)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	struct pgbox_mailbox_change change;
	guid_128_t old_guid;

	if (mailbox_open(box) < 0)
		return -1;
	guid_128_copy(old_guid, mbox->known.guid);
	change_from_update(update, &change);
	if (guid_128_equals(change.guid, old_guid))
		guid_128_empty(change.guid);
	if (mailbox_update_row(mbox, &change) < 0)
		return -1;

	if (!guid_128_is_empty(change.guid)) {
		/* Its next opening finds it in another directory. */
		guid_128_copy(mbox->known.guid, change.guid);
	} else if (!change_is_empty(&change) &&
		   pgbox_sync(mbox, 0) < 0) {
		return -1;
	}
	return mailbox_update_local(box, update);
}

/*
 * Deleting
 */

/* \Noselect, or it doesn't exist */
static int mailbox_delete_node(struct mailbox *box)
{
	if (index_storage_mailbox_delete_dir(box, FALSE) == 0)
		return 0;
	/* The client saw it in LIST. */
	return mailbox_is_autocreated(box) ? 0 : -1;
}

/* Returns TRUE if a plugin follows single mails, and so has to see each of
   them go. */
static bool mailbox_mails_are_followed(struct mailbox *box)
{
	struct mail_user *user = box->storage->user;
	const char *const *plugins = PGBOX_COMPAT_USER_PLUGINS(user);
	const char *quota = PGBOX_COMPAT_USER_QUOTA_DRIVER(user);

	return str_array_find(plugins, "lazy_expunge") ||
		/* mail_log, push_notification, ... */
		str_array_find(plugins, "notify") ||
		/* adds and subtracts sizes itself */
		(str_array_find(plugins, "quota") && quota != NULL &&
		 strncmp(quota, "dict", 4) == 0);
}

int pgbox_mailbox_delete(struct mailbox *box)
{
	const struct pgbox_mailbox_row *row;

	if (!box->opened)
		return mailbox_delete_node(box);

	if (box->deleting_must_be_empty) {
		if (pgbox_list_lookup(box->list, box->name, TRUE, &row) < 0) {
			mail_storage_copy_list_error(box->storage, box->list);
			return -1;
		}
		if (row->messages > 0) {
			mail_storage_set_error(box->storage, MAIL_ERROR_EXISTS,
					       "Mailbox isn't empty");
			return -1;
		}
	}
	if (mailbox_mails_are_followed(box)) {
		if (index_storage_mailbox_delete_pre(box) < 0)
			return -1;
	} else {
		/* Its mails stay with the row until the purge. This tells the
		   other processes here; those of other frontends find the row
		   gone. */
		if (mailbox_mark_index_deleted(box, TRUE) < 0)
			return -1;
	}
	return index_storage_mailbox_delete_post(box);
}
