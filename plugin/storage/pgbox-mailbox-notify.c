/* A mailbox that a client waits for: IDLE, hibernation, NOTIFY of the selected
   mailbox. Does not know what has changed. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-notify.h"
#include "pgbox-storage.h"
#include "mailbox-watch.h"

static void mailbox_changed(void *context)
{
	struct mailbox *box = context;

	box->notify_callback(box, box->notify_context);
}

/* Registers the wake-up file for imap-hibernate, which can wait for files only:
   a session hibernates only while that is sufficient. */
static void mailbox_watch_moved(const char *path, void *context)
{
	struct mailbox *box = context;

	mailbox_watch_remove_all(box);
	if (path != NULL)
		mailbox_watch_add(box, path);
}

static void notify_begin(struct pgbox_mailbox *mbox)
{
	struct mailbox *box = &mbox->box;
	struct pgbox_watch_settings set = {
		.notify = mbox->storage->notify,
		.db = mbox->storage->db,
		.guid = mbox->known.guid,
		.poll_secs = box->storage->set->mailbox_idle_check_interval,
		.changed = mailbox_changed,
		.moved = mailbox_watch_moved,
		.context = box,
	};
	const char *dir;

	if (mailbox_get_path_to(box, MAILBOX_LIST_PATH_TYPE_INDEX, &dir) > 0) {
		set.log_path = t_strdup_printf("%s/%s.log", dir,
					       box->index_prefix);
	}
	mbox->watch = pgbox_watch_init(&set);
	pgbox_db_wait_begin(mbox->storage->db);
}

void pgbox_mailbox_notify_end(struct pgbox_mailbox *mbox)
{
	if (mbox->watch == NULL)
		return;
	/* in this order, see pgbox-watch.c */
	mailbox_watch_remove_all(&mbox->box);
	pgbox_watch_deinit(&mbox->watch);
	pgbox_db_wait_end(mbox->storage->db);
}

void pgbox_mailbox_notify_changes(struct mailbox *box)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);

	pgbox_mailbox_notify_end(mbox);
	if (box->notify_callback != NULL)
		notify_begin(mbox);
}
