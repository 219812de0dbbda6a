/* What was read of a mailbox's mails, as those who read them see it. Knows nothing of
   SQL, of cache files and of streams. */

#include "pgbox-config.h"
#include "lib.h"
#include "hash.h"
#include "pgbox-storage.h"
#include "pgbox-mail-range.h"
#include "pgbox-mail-window-private.h"

static struct pgbox_mail_window *window_create(struct pgbox_mailbox *mbox)
{
	struct pgbox_mail_window *window;

	window = i_new(struct pgbox_mail_window, 1);
	window->mbox = mbox;
	window->id = mbox->known.id;
	window->uid_validity = mbox->known.uid_validity;
	window->epoch = mbox->epoch;
	hash_table_create_direct(&window->mails, default_pool, 0);
	window->info_ahead.next_seq = UINT32_MAX;
	window->header_ahead.next_seq = UINT32_MAX;
	window->whole_ahead.next_seq = UINT32_MAX;
	/* A header is small, a body is not. */
	window->header_ahead.min_used_percent = 10;
	window->whole_ahead.min_used_percent = 50;
	return window;
}

void pgbox_mail_window_free(struct pgbox_mailbox *mbox)
{
	struct pgbox_mail_window *window = mbox->window;

	if (window == NULL)
		return;
	mbox->window = NULL;
	pgbox_octets_batch_free(&window->coming);
	while (window->batches_head != NULL)
		pgbox_window_drop_batch(window, window->batches_head);
	hash_table_destroy(&window->mails);
	pgbox_range_cache_deinit(&window->ranges);
	i_free(window);
}

struct pgbox_mail_window *pgbox_mail_window_get(struct pgbox_mailbox *mbox)
{
	if (mbox->window != NULL &&
	    (mbox->window->id.mailbox_id != mbox->known.id.mailbox_id ||
	     mbox->window->uid_validity != mbox->known.uid_validity ||
	     mbox->window->epoch != mbox->epoch)) {
		/* the UIDs now mean other mails */
		pgbox_mail_window_free(mbox);
	}
	if (mbox->window == NULL)
		mbox->window = window_create(mbox);
	return mbox->window;
}

struct pgbox_range_cache *
pgbox_mail_window_get_ranges(struct pgbox_mail_window *window)
{
	struct pgbox_storage *storage = window->mbox->storage;

	if (window->ranges == NULL) {
		window->ranges = pgbox_range_cache_init(storage->db,
							window->id.account_id);
	}
	return window->ranges;
}

void pgbox_mail_window_set_last_uid(struct pgbox_mailbox *mbox,
				    uint32_t last_uid)
{
	pgbox_mail_window_get(mbox)->last_uid = last_uid;
}

const struct pgbox_message_info *
pgbox_mail_window_find_info(struct mail *mail)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(mail->box);
	struct pgbox_window_mail *wmail;

	wmail = pgbox_window_find(pgbox_mail_window_get(mbox), mail->uid);
	return wmail == NULL || wmail->gone ? NULL : &wmail->info;
}

int pgbox_mail_window_get_info(struct mail *mail, bool octets_wanted,
			       const struct pgbox_message_info **info_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(mail->box);
	struct pgbox_mail_window *window = pgbox_mail_window_get(mbox);
	struct pgbox_window_mail *wmail;
	int ret;

	if (octets_wanted && pgbox_window_read_unknown(window, mail) < 0)
		return -1;
	ret = pgbox_window_get_mail(window, mail, &wmail);
	if (ret > 0)
		*info_r = &wmail->info;
	return ret;
}

int pgbox_mail_window_get_octets(struct mail *mail,
				 enum pgbox_message_extent extent,
				 struct pgbox_octets **octets_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(mail->box);

	return pgbox_window_get_octets(pgbox_mail_window_get(mbox), mail,
				       extent, octets_r);
}

int pgbox_mail_window_check_exists(struct mail *mail)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(mail->box);
	struct pgbox_mail_window *window = pgbox_mail_window_get(mbox);
	struct pgbox_window_mail *wmail;

	/* Only forget where it is: its info may be in use. */
	if (pgbox_window_find(window, mail->uid) != NULL)
		hash_table_remove(window->mails, POINTER_CAST(mail->uid));
	return pgbox_window_get_mail(window, mail, &wmail);
}
