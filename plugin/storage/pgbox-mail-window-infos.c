/* What is known of mails: read several at once, and kept in memory until that is too
   much. Knows nothing of SQL, of cache files and of their bytes. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "hash.h"
#include "llist.h"
#include "pgbox-storage.h"
#include "pgbox-mail-window-private.h"

/* All infos. What is read at once comes on top while the answer is taken
   over. */
#define WINDOW_MAX_INFO_BYTES (6 * 1024 * 1024)
/* How many mails are read at once while they are asked for one after the
   other */
static const unsigned int read_ahead_counts[] = {
	1, 16, 128, PGBOX_WINDOW_MAX_READ_MAILS
};
/* So many may be left out without counting as a jump */
#define READ_AHEAD_SLACK 16

struct pgbox_window_mail *
pgbox_window_find(struct pgbox_mail_window *window, uint32_t uid)
{
	return hash_table_lookup(window->mails, POINTER_CAST(uid));
}

void pgbox_window_mail_drop_octets(struct pgbox_mail_window *window,
				   struct pgbox_window_mail *wmail)
{
	if (wmail->octets == NULL)
		return;
	DLLIST2_REMOVE(&window->octets_head, &window->octets_tail, wmail);
	window->octets_bytes -= wmail->octets->size;
	pgbox_octets_unref(&wmail->octets);
}

void pgbox_window_drop_batch(struct pgbox_mail_window *window,
			     struct pgbox_window_batch *batch)
{
	struct pgbox_window_mail *wmail;

	array_foreach_elem(&batch->mails, wmail) {
		pgbox_window_mail_drop_octets(window, wmail);
		/* see pgbox_mail_window_check_exists() */
		if (pgbox_window_find(window, wmail->info.uid) == wmail) {
			hash_table_remove(window->mails,
					  POINTER_CAST(wmail->info.uid));
		}
	}
	window->info_bytes -= batch->bytes;
	DLLIST2_REMOVE(&window->batches_head, &window->batches_tail, batch);
	array_free(&batch->mails);
	pool_unref(&batch->pool);
}

/* Keeps the newest batch whatever its size: somebody is about to use it. */
static void window_shrink(struct pgbox_mail_window *window)
{
	while (window->info_bytes > WINDOW_MAX_INFO_BYTES &&
	       window->batches_head != window->batches_tail)
		pgbox_window_drop_batch(window, window->batches_head);
}

/* ---- reading ahead ---- */

unsigned int
pgbox_read_ahead_get_count(struct pgbox_read_ahead *ahead, uint32_t seq)
{
	uint32_t slack = I_MAX(read_ahead_counts[ahead->step],
			       READ_AHEAD_SLACK);

	if (seq < ahead->next_seq || seq - ahead->next_seq > slack ||
	    ahead->used_count * 100 <
	    ahead->read_count * ahead->min_used_percent)
		ahead->step = 0;
	else if (ahead->step + 1 < N_ELEMENTS(read_ahead_counts))
		ahead->step++;
	return read_ahead_counts[ahead->step];
}

void pgbox_read_ahead_set_read(struct pgbox_read_ahead *ahead,
			       uint32_t next_seq, unsigned int count)
{
	ahead->next_seq = next_seq;
	ahead->read_count = count;
	ahead->used_count = 0;
}

/* ---- infos ---- */

struct pgbox_window_batch *pgbox_window_batch_create(void)
{
	struct pgbox_window_batch *batch;
	pool_t pool;

	pool = pool_alloconly_create("pgbox mail infos", 4096);
	batch = p_new(pool, struct pgbox_window_batch, 1);
	batch->pool = pool;
	i_array_init(&batch->mails, 16);
	return batch;
}

struct pgbox_window_mail *
pgbox_window_batch_add(struct pgbox_mail_window *window,
		       struct pgbox_window_batch *batch,
		       const struct pgbox_message_info *info)
{
	struct pgbox_window_mail *wmail;

	wmail = p_new(batch->pool, struct pgbox_window_mail, 1);
	wmail->info = *info;
	array_push_back(&batch->mails, &wmail);
	hash_table_insert(window->mails, POINTER_CAST(info->uid), wmail);
	return wmail;
}

void pgbox_window_batch_finish(struct pgbox_mail_window *window,
			       struct pgbox_window_batch *batch)
{
	batch->bytes = pool_alloconly_get_total_alloc_size(batch->pool);
	window->info_bytes += batch->bytes;
	DLLIST2_APPEND(&window->batches_head, &window->batches_tail, batch);
	if (array_count(&batch->mails) == 0)
		pgbox_window_drop_batch(window, batch);
	window_shrink(window);
}

/* Adds the mails that the source has. Returns 0 and the UID up to which it gave
   them, or -1 with the mailbox's error set. */
static int
window_batch_read(struct pgbox_mail_window *window,
		  struct pgbox_window_batch *batch,
		  enum pgbox_message_source source,
		  const ARRAY_TYPE(pgbox_uids) *uids, uint32_t *last_uid_r)
{
	struct pgbox_storage *storage = window->mbox->storage;
	ARRAY_TYPE(pgbox_message_info) infos;
	const struct pgbox_message_info *info;
	struct pgbox_db_failure failure;
	size_t bytes = 0;

	t_array_init(&infos, array_count(uids));
	if (pgbox_message_read_infos(storage->db, window->id.account_id,
				     window->id.mailbox_id, source, uids,
				     PGBOX_WINDOW_MAX_READ_BYTES, batch->pool,
				     &infos, &failure) < 0) {
		pgbox_mailbox_set_failure(window->mbox, &failure);
		return -1;
	}
	*last_uid_r = UINT32_MAX;
	array_foreach(&infos, info) {
		if (pgbox_window_find(window, info->uid) != NULL)
			continue;
		(void)pgbox_window_batch_add(window, batch, info);
		bytes += info->mime_parts_size;
		if (info->envelope != NULL)
			bytes += strlen(info->envelope);
		if (info->bodystructure != NULL)
			bytes += strlen(info->bodystructure);
		if (bytes > PGBOX_WINDOW_MAX_READ_BYTES)
			*last_uid_r = info->uid;
	}
	return 0;
}

/* The first of the UIDs was not in the mailbox. Finds those that another
   session has expunged, and remembers which are not anywhere: a view may have
   many. */
static int
window_batch_read_expunged(struct pgbox_mail_window *window,
			   struct pgbox_window_batch *batch,
			   const ARRAY_TYPE(pgbox_uids) *uids,
			   uint32_t last_uid)
{
	struct pgbox_message_info gone_info;
	ARRAY_TYPE(pgbox_uids) missing;
	uint32_t uid, last_expunged_uid;

	t_array_init(&missing, array_count(uids));
	array_foreach_elem(uids, uid) {
		if (uid <= last_uid && pgbox_window_find(window, uid) == NULL)
			array_push_back(&missing, &uid);
	}
	if (window_batch_read(window, batch, PGBOX_MESSAGE_SOURCE_EXPUNGED,
			      &missing, &last_expunged_uid) < 0)
		return -1;

	i_zero(&gone_info);
	array_foreach_elem(&missing, uid) {
		if (uid > last_expunged_uid)
			break;
		if (pgbox_window_find(window, uid) == NULL) {
			gone_info.uid = uid;
			pgbox_window_batch_add(window, batch,
					       &gone_info)->gone = TRUE;
		}
	}
	return 0;
}

uint32_t pgbox_window_get_end(struct mail_index_view *view, uint32_t seq,
			      unsigned int count)
{
	uint32_t end = mail_index_view_get_messages_count(view) + 1;

	return end - seq > count ? seq + count : end;
}

bool pgbox_window_is_missing(struct pgbox_mail_window *window,
			     struct mail_index_view *view, uint32_t seq,
			     uint32_t *uid_r)
{
	mail_index_lookup_uid(view, seq, uid_r);
	/* mails that are being saved have no UID yet */
	return *uid_r != 0 && pgbox_window_find(window, *uid_r) == NULL;
}

/* The mail and the ones after it that are not known yet */
static void
window_get_missing(struct pgbox_mail_window *window, struct mail *mail,
		   uint32_t end, ARRAY_TYPE(pgbox_uids) *uids)
{
	uint32_t seq, uid;

	array_push_back(uids, &mail->uid);
	for (seq = mail->seq + 1; seq < end; seq++) {
		if (pgbox_window_is_missing(window, mail->transaction->view,
					    seq, &uid))
			array_push_back(uids, &uid);
	}
}

/* Not all may have come: if there is much about the first ones, or if others
   were expunged. */
static uint32_t
window_get_first_missing(struct pgbox_mail_window *window, struct mail *mail,
			 uint32_t end)
{
	uint32_t seq, uid;

	for (seq = mail->seq + 1; seq < end; seq++) {
		if (pgbox_window_is_missing(window, mail->transaction->view,
					    seq, &uid))
			break;
	}
	return seq;
}

/* Returns 0 and the mail is in the window, or -1. */
static int
window_read_infos(struct pgbox_mail_window *window, struct mail *mail)
{
	struct pgbox_window_batch *batch;
	ARRAY_TYPE(pgbox_uids) uids;
	uint32_t end, last_uid;
	unsigned int count;
	int ret;

	count = pgbox_read_ahead_get_count(&window->info_ahead, mail->seq);
	end = pgbox_window_get_end(mail->transaction->view, mail->seq, count);
	t_array_init(&uids, count);
	window_get_missing(window, mail, end, &uids);

	batch = pgbox_window_batch_create();
	ret = window_batch_read(window, batch, PGBOX_MESSAGE_SOURCE_MAILBOX,
				&uids, &last_uid);
	if (ret == 0 && pgbox_window_find(window, mail->uid) == NULL) {
		ret = window_batch_read_expunged(window, batch, &uids,
						 last_uid);
	}

	if (ret == 0) {
		pgbox_read_ahead_set_read(&window->info_ahead,
			window_get_first_missing(window, mail, end),
			array_count(&batch->mails));
	}
	/* also after a failure: what came before is right */
	pgbox_window_batch_finish(window, batch);
	return ret;
}

int pgbox_window_get_mail(struct pgbox_mail_window *window, struct mail *mail,
			  struct pgbox_window_mail **wmail_r)
{
	struct pgbox_window_mail *wmail = pgbox_window_find(window, mail->uid);
	int ret = 0;

	if (wmail == NULL) {
		T_BEGIN {
			ret = window_read_infos(window, mail);
		} T_END;
		if (ret < 0)
			return -1;
		wmail = pgbox_window_find(window, mail->uid);
		i_assert(wmail != NULL);
	}
	*wmail_r = wmail;
	return wmail->gone ? 0 : 1;
}
