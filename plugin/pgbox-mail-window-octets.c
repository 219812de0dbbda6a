/* The bytes of small mails and of headers, read several at once. Knows nothing
   of SQL and of streams. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "bsearch-insert-pos.h"
#include "llist.h"
#include "pgbox-chunk.h"
#include "pgbox-storage.h"
#include "pgbox-mail-window-private.h"

/* All bytes of mails. What is read at once comes on top while the answer is
   taken over. */
#define WINDOW_MAX_OCTETS_BYTES (6 * 1024 * 1024)
/* What is larger is read in ranges. A message that is asked for alone may be of
   interest only in part. */
#define WINDOW_MAX_MAIL_BYTES PGBOX_CHUNK_BYTES
#define WINDOW_MAX_LONE_MAIL_BYTES (64 * 1024)

/* One message that is being read. Several mails may share it. */
struct octets_read {
	int64_t message_id;
	/* own reference */
	struct pgbox_octets *octets;
	size_t filled;
};
ARRAY_DEFINE_TYPE(octets_read, struct octets_read);

static struct pgbox_octets *octets_alloc(size_t size)
{
	struct pgbox_octets *octets;

	octets = i_malloc(sizeof(*octets) + size);
	octets->refcount = 1;
	octets->size = size;
	return octets;
}

void pgbox_octets_ref(struct pgbox_octets *octets)
{
	i_assert(octets->refcount > 0);
	octets->refcount++;
}

void pgbox_octets_unref(struct pgbox_octets **_octets)
{
	struct pgbox_octets *octets = *_octets;

	if (octets == NULL)
		return;
	*_octets = NULL;
	i_assert(octets->refcount > 0);
	if (--octets->refcount == 0)
		i_free(octets);
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

static void
window_mail_set_octets(struct pgbox_mail_window *window,
		       struct pgbox_window_mail *wmail,
		       struct pgbox_octets *octets,
		       struct pgbox_read_ahead *ahead)
{
	pgbox_window_mail_drop_octets(window, wmail);
	pgbox_octets_ref(octets);
	wmail->octets = octets;
	wmail->unused_ahead = ahead;
	window->octets_bytes += octets->size;
	DLLIST2_APPEND(&window->octets_head, &window->octets_tail, wmail);
}

static int octets_read_cmp(const struct octets_read *r1,
			   const struct octets_read *r2)
{
	if (r1->message_id == r2->message_id)
		return 0;
	return r1->message_id < r2->message_id ? -1 : 1;
}

static uoff_t
info_get_extent_size(const struct pgbox_message_info *info,
		     enum pgbox_message_extent extent)
{
	return extent == PGBOX_MESSAGE_EXTENT_HEADER &&
		info->header_size < info->size ?
		info->header_size + 1 : info->size;
}

static struct pgbox_read_ahead *
window_get_ahead(struct pgbox_mail_window *window,
		 enum pgbox_message_extent extent)
{
	return extent == PGBOX_MESSAGE_EXTENT_HEADER ?
		&window->header_ahead : &window->whole_ahead;
}

static bool
window_mail_has_octets(const struct pgbox_window_mail *wmail,
		       enum pgbox_message_extent extent)
{
	return wmail->octets != NULL && wmail->octets->size >=
		info_get_extent_size(&wmail->info, extent);
}

/* Chooses the mails from mail->seq on that are read in one go. The first is
   always among them. */
static void
window_get_next_mails(struct pgbox_mail_window *window, struct mail *mail,
		      unsigned int count, enum pgbox_message_extent extent,
		      ARRAY_TYPE(octets_read) *reads, uint32_t *next_seq_r)
{
	struct mail_index_view *view = mail->transaction->view;
	uoff_t size, bytes = 0;
	uint32_t seq, uid, end;

	end = mail_index_view_get_messages_count(view) + 1;
	if (end - mail->seq > count)
		end = mail->seq + count;
	for (seq = mail->seq; seq < end; seq++) {
		const struct pgbox_window_mail *wmail;
		struct octets_read *read;

		mail_index_lookup_uid(view, seq, &uid);
		wmail = pgbox_window_find(window, uid);
		if (wmail == NULL) {
			/* its size is not known */
			break;
		}
		size = info_get_extent_size(&wmail->info, extent);
		if (wmail->gone || size > WINDOW_MAX_MAIL_BYTES ||
		    window_mail_has_octets(wmail, extent))
			continue;
		bytes += size;
		if (bytes > PGBOX_WINDOW_MAX_READ_BYTES)
			break;
		read = array_append_space(reads);
		read->message_id = wmail->info.message_id;
		read->octets = octets_alloc(size);
	}
	*next_seq_r = seq;
}

/* Sorts by message and leaves out what is there twice. */
static void octets_reads_sort(ARRAY_TYPE(octets_read) *reads)
{
	unsigned int i;

	array_sort(reads, octets_read_cmp);
	for (i = array_count(reads); i-- > 1; ) {
		struct octets_read *read = array_idx_modifiable(reads, i);

		if (octets_read_cmp(read, read - 1) == 0) {
			pgbox_octets_unref(&read->octets);
			array_delete(reads, i, 1);
		}
	}
}

static struct octets_read *
octets_reads_find(ARRAY_TYPE(octets_read) *reads, int64_t message_id)
{
	struct octets_read key = { .message_id = message_id };
	unsigned int idx;

	if (!array_bsearch_insert_pos(reads, &key, octets_read_cmp, &idx))
		return NULL;
	return array_idx_modifiable(reads, idx);
}

static void
octets_reads_add_chunk(ARRAY_TYPE(octets_read) *reads,
		       const struct pgbox_message_chunk *chunk)
{
	struct octets_read *read = octets_reads_find(reads, chunk->message_id);
	const char *error;
	size_t size;

	/* anything but the next bytes is missing chunks */
	if (read == NULL || chunk->offset != read->filled)
		return;
	size = I_MIN(chunk->size, read->octets->size - read->filled);
	/* what is broken counts as missing here: then it is read in ranges,
	   which tells why that fails */
	if (pgbox_chunk_decode(chunk->data, chunk->data_size, chunk->is_frame,
			       read->octets->data + read->filled, size,
			       &error) == 0)
		read->filled += size;
}

static int
window_read_octets(struct pgbox_mail_window *window,
		   enum pgbox_message_extent extent,
		   ARRAY_TYPE(octets_read) *reads)
{
	struct pgbox_storage *storage = window->mbox->storage;
	struct pgbox_message_chunks *chunks;
	struct pgbox_message_chunk chunk;
	struct pgbox_db_failure failure;
	ARRAY_TYPE(pgbox_int64) message_ids;
	const struct octets_read *read;

	t_array_init(&message_ids, array_count(reads));
	array_foreach(reads, read)
		array_push_back(&message_ids, &read->message_id);
	if (pgbox_message_read_chunks(storage->db, storage->account_id,
				      &message_ids, extent, &chunks,
				      &failure) < 0) {
		pgbox_mailbox_set_failure(window->mbox, &failure);
		return -1;
	}
	while (pgbox_message_chunks_next(chunks, &chunk))
		octets_reads_add_chunk(reads, &chunk);
	pgbox_message_chunks_free(&chunks);
	return 0;
}

/* Gives the bytes to the mails from seq to next_seq-1 that wait for them.
   Returns to how many. */
static unsigned int
window_take_octets(struct pgbox_mail_window *window,
		   struct mail_index_view *view, uint32_t seq,
		   uint32_t next_seq, enum pgbox_message_extent extent,
		   ARRAY_TYPE(octets_read) *reads)
{
	struct octets_read *read;
	unsigned int count = 0;
	uint32_t uid;

	for (; seq < next_seq; seq++) {
		struct pgbox_window_mail *wmail;

		mail_index_lookup_uid(view, seq, &uid);
		wmail = pgbox_window_find(window, uid);
		if (wmail->gone || window_mail_has_octets(wmail, extent))
			continue;
		read = octets_reads_find(reads, wmail->info.message_id);
		if (read == NULL || read->filled < read->octets->size)
			continue;
		window_mail_set_octets(window, wmail, read->octets,
				       window_get_ahead(window, extent));
		count++;
	}
	while (window->octets_bytes > WINDOW_MAX_OCTETS_BYTES)
		pgbox_window_mail_drop_octets(window, window->octets_head);
	return count;
}

static int
window_load_octets(struct pgbox_mail_window *window, struct mail *mail,
		   unsigned int count, enum pgbox_message_extent extent)
{
	struct pgbox_read_ahead *ahead = window_get_ahead(window, extent);
	ARRAY_TYPE(octets_read) reads;
	struct octets_read *read;
	uint32_t next_seq;
	int ret;

	t_array_init(&reads, count);
	window_get_next_mails(window, mail, count, extent, &reads, &next_seq);
	octets_reads_sort(&reads);
	ret = window_read_octets(window, extent, &reads);
	if (ret == 0) {
		count = window_take_octets(window, mail->transaction->view,
					   mail->seq, next_seq, extent,
					   &reads);
		pgbox_read_ahead_set_read(ahead, next_seq, count);
	}
	array_foreach_modifiable(&reads, read)
		pgbox_octets_unref(&read->octets);
	return ret;
}

int pgbox_mail_window_get_octets(struct mail *mail,
				 enum pgbox_message_extent extent,
				 struct pgbox_octets **octets_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(mail->box);
	struct pgbox_mail_window *window = pgbox_mail_window_get(mbox);
	struct pgbox_read_ahead *ahead = window_get_ahead(window, extent);
	struct pgbox_window_mail *wmail;
	unsigned int count;
	uoff_t size;
	int ret;

	if ((ret = pgbox_window_get_mail(window, mail, &wmail)) <= 0)
		return ret;
	if (!window_mail_has_octets(wmail, extent)) {
		size = info_get_extent_size(&wmail->info, extent);
		count = pgbox_read_ahead_get_count(ahead, mail->seq);
		if (size > WINDOW_MAX_MAIL_BYTES ||
		    (count == 1 && size > WINDOW_MAX_LONE_MAIL_BYTES)) {
			pgbox_read_ahead_set_read(ahead, mail->seq + 1, 0);
			return 0;
		}
		T_BEGIN {
			ret = window_load_octets(window, mail, count, extent);
		} T_END;
		if (ret < 0)
			return -1;
		if (!window_mail_has_octets(wmail, extent))
			return 0;
	}
	if (wmail->unused_ahead == ahead) {
		wmail->unused_ahead = NULL;
		ahead->used_count++;
	}
	pgbox_octets_ref(wmail->octets);
	*octets_r = wmail->octets;
	return 1;
}
