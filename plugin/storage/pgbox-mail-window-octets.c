/* The bytes of small mails and of headers, read several at once, and the next ones
   while these are used. Knows nothing of SQL and of streams. */

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
#define WINDOW_MAX_OCTETS_BYTES (4 * 1024 * 1024)
/* What is read at once of whole messages: what comes ahead while these are used
   stays small enough for the processor's cache. */
#define WINDOW_MAX_READ_WHOLE_BYTES (512 * 1024)
/* How many mails of which nothing is known are asked for at once */
#define WINDOW_MAX_READ_UNKNOWN 256
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
ARRAY_DEFINE_TYPE(message_chunk, struct pgbox_message_chunk);

/* What one statement reads */
struct pgbox_octets_batch {
	enum pgbox_message_extent extent;
	/* Nothing was known of the mails: what there is to know comes, too, and
	   reads is empty until then. */
	bool unknown;
	/* the mails that wait for it, and the sequence after them */
	ARRAY_TYPE(pgbox_uids) uids;
	uint32_t next_seq;
	ARRAY_TYPE(octets_read) reads;
	/* own; NULL unless it was started ahead */
	struct pgbox_db_started *started;
};

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

static void
octets_batch_add_read(struct pgbox_octets_batch *batch,
		      const struct pgbox_message_info *info)
{
	struct octets_read *read = array_append_space(&batch->reads);

	read->message_id = info->message_id;
	read->octets = pgbox_octets_alloc(info_get_extent_size(info, batch->extent));
}

/* Chooses the mails from seq up to last_uid that are read in one go. The first one
   is always among them if its bytes are read here at all. */
static void
octets_batch_add_mails(struct pgbox_octets_batch *batch,
		       struct pgbox_mail_window *window,
		       struct mail_index_view *view, uint32_t seq,
		       unsigned int count, uint32_t last_uid)
{
	uoff_t size, max_bytes, bytes = 0;
	uint32_t uid, end;

	max_bytes = batch->extent == PGBOX_MESSAGE_EXTENT_WHOLE ?
		WINDOW_MAX_READ_WHOLE_BYTES : PGBOX_WINDOW_MAX_READ_BYTES;
	end = pgbox_window_get_end(view, seq, count);
	for (; seq < end; seq++) {
		const struct pgbox_window_mail *wmail;

		mail_index_lookup_uid(view, seq, &uid);
		wmail = pgbox_window_find(window, uid);
		if (wmail == NULL || uid > last_uid) {
			/* its size is not known, or nobody asks for it */
			break;
		}
		size = info_get_extent_size(&wmail->info, batch->extent);
		if (wmail->gone || size > WINDOW_MAX_MAIL_BYTES ||
		    window_mail_has_octets(wmail, batch->extent))
			continue;
		bytes += size;
		if (bytes > max_bytes)
			break;
		array_push_back(&batch->uids, &uid);
		octets_batch_add_read(batch, &wmail->info);
	}
	batch->next_seq = seq;
}

/* The same for mails of which nothing is known: the database finds out how many
   are enough. */
static void
octets_batch_add_unknown(struct pgbox_octets_batch *batch,
			 struct pgbox_mail_window *window,
			 struct mail_index_view *view, uint32_t seq,
			 unsigned int count, uint32_t last_uid)
{
	uint32_t uid, end;

	count = I_MIN(count, WINDOW_MAX_READ_UNKNOWN);
	if (window->whole_enough > 0)
		count = I_MIN(count, window->whole_enough);
	end = pgbox_window_get_end(view, seq, count);
	for (; seq < end; seq++) {
		if (!pgbox_window_is_missing(window, view, seq, &uid) ||
		    uid > last_uid)
			break;
		array_push_back(&batch->uids, &uid);
	}
	batch->next_seq = seq;
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

static struct pgbox_octets_batch *
octets_batch_create(struct pgbox_mail_window *window,
		    struct mail_index_view *view, uint32_t seq,
		    unsigned int count, uint32_t last_uid,
		    enum pgbox_message_extent extent)
{
	struct pgbox_octets_batch *batch;
	uint32_t uid;

	batch = i_new(struct pgbox_octets_batch, 1);
	batch->extent = extent;
	batch->unknown = extent == PGBOX_MESSAGE_EXTENT_WHOLE &&
		seq <= mail_index_view_get_messages_count(view) &&
		pgbox_window_is_missing(window, view, seq, &uid);
	i_array_init(&batch->uids, 64);
	i_array_init(&batch->reads, 64);
	if (batch->unknown) {
		octets_batch_add_unknown(batch, window, view, seq, count,
					 last_uid);
	} else {
		octets_batch_add_mails(batch, window, view, seq, count,
				       last_uid);
		octets_reads_sort(&batch->reads);
	}
	return batch;
}

void pgbox_octets_batch_free(struct pgbox_octets_batch **_batch)
{
	struct pgbox_octets_batch *batch = *_batch;
	struct octets_read *read;

	if (batch == NULL)
		return;
	*_batch = NULL;
	pgbox_db_exec_abandon(&batch->started);
	array_foreach_modifiable(&batch->reads, read)
		pgbox_octets_unref(&read->octets);
	array_free(&batch->reads);
	array_free(&batch->uids);
	i_free(batch);
}

/* Returns it on the data stack. */
static const struct pgbox_message_request *
octets_batch_get_request(const struct pgbox_octets_batch *batch,
			 const struct pgbox_mail_window *window)
{
	struct pgbox_message_request *request =
		t_new(struct pgbox_message_request, 1);
	ARRAY_TYPE(pgbox_int64) *message_ids;
	const struct octets_read *read;

	request->account_id = window->id.account_id;
	request->extent = batch->extent;
	if (batch->unknown) {
		request->mailbox_id = window->id.mailbox_id;
		request->uids = &batch->uids;
		request->max_bytes = WINDOW_MAX_READ_WHOLE_BYTES;
		request->max_message_bytes = array_count(&batch->uids) == 1 ?
			WINDOW_MAX_LONE_MAIL_BYTES : WINDOW_MAX_MAIL_BYTES;
		return request;
	}
	message_ids = t_new(ARRAY_TYPE(pgbox_int64), 1);
	t_array_init(message_ids, array_count(&batch->reads));
	array_foreach(&batch->reads, read)
		array_push_back(message_ids, &read->message_id);
	request->message_ids = message_ids;
	return request;
}

/* Has the database begin to read what comes after the batch, if the mails are
   asked for one after the other by a command that goes on there. Nothing that
   fails here matters: it is asked for again when it is needed. */
static void
window_start_next(struct pgbox_mail_window *window,
		  struct mail_index_view *view,
		  const struct pgbox_octets_batch *last)
{
	struct pgbox_octets_batch *batch;

	i_assert(window->coming == NULL);
	if (last->extent != PGBOX_MESSAGE_EXTENT_WHOLE ||
	    window_get_ahead(window, last->extent)->step == 0)
		return;
	batch = octets_batch_create(window, view, last->next_seq,
				    PGBOX_WINDOW_MAX_READ_MAILS,
				    window->last_uid, last->extent);
	if (array_count(&batch->uids) > 0) {
		batch->started = pgbox_message_start(window->mbox->storage->db,
			octets_batch_get_request(batch, window));
	}
	if (batch->started != NULL)
		window->coming = batch;
	else
		pgbox_octets_batch_free(&batch);
}

/* Takes over what was unknown of the batch's mails, and all of their bytes but these
   themselves. */
static void
window_take_mails(struct pgbox_mail_window *window,
		  struct pgbox_octets_batch *batch,
		  struct pgbox_message_chunks *chunks,
		  ARRAY_TYPE(message_chunk) *dest)
{
	struct pgbox_window_batch *infos = pgbox_window_batch_create();
	struct pgbox_message_info info;
	struct pgbox_message_chunk chunk;
	unsigned int asked_count = array_count(&batch->uids), i;
	uint32_t last_uid = 0;

	while (pgbox_message_mails_next(chunks, infos->pool, &info, &chunk)) {
		last_uid = info.uid;
		/* another query may have been faster */
		if (pgbox_window_find(window, info.uid) == NULL)
			(void)pgbox_window_batch_add(window, infos, &info);
		if (chunk.data != NULL || info.size == 0)
			octets_batch_add_read(batch, &info);
		if (chunk.data != NULL)
			array_push_back(dest, &chunk);
	}
	octets_reads_sort(&batch->reads);

	for (i = asked_count; i > 0; i--) {
		if (*array_idx(&batch->uids, i - 1) <= last_uid)
			break;
	}
	batch->next_seq -= asked_count - i;
	/* a few more than were enough now */
	window->whole_enough = i == asked_count ? 0 : i + i / 8 + 1;
	pgbox_window_batch_finish(window, infos);
}

/* Takes over all but the bytes themselves. These are appended to dest, and belong
   to chunks. */
static void
window_take_chunks(struct pgbox_mail_window *window,
		   struct pgbox_octets_batch *batch,
		   struct pgbox_message_chunks *chunks,
		   ARRAY_TYPE(message_chunk) *dest)
{
	struct pgbox_message_chunk chunk;

	if (batch->unknown) {
		window_take_mails(window, batch, chunks, dest);
		return;
	}
	while (pgbox_message_chunks_next(chunks, &chunk))
		array_push_back(dest, &chunk);
}

/* Gives the bytes to the mails that wait for them. Returns to how many. */
static unsigned int
window_take_octets(struct pgbox_mail_window *window,
		   struct pgbox_octets_batch *batch)
{
	struct octets_read *read;
	unsigned int count = 0;
	uint32_t uid;

	array_foreach_elem(&batch->uids, uid) {
		struct pgbox_window_mail *wmail =
			pgbox_window_find(window, uid);

		if (wmail == NULL || wmail->gone ||
		    window_mail_has_octets(wmail, batch->extent))
			continue;
		read = octets_reads_find(&batch->reads, wmail->info.message_id);
		if (read == NULL || read->filled < read->octets->size)
			continue;
		window_mail_set_octets(window, wmail, read->octets,
				       window_get_ahead(window, batch->extent));
		count++;
	}
	while (window->octets_bytes > WINDOW_MAX_OCTETS_BYTES)
		pgbox_window_mail_drop_octets(window, window->octets_head);
	return count;
}

static bool
octets_batch_has_uid(const struct pgbox_octets_batch *batch, uint32_t uid)
{
	uint32_t batch_uid;

	array_foreach_elem(&batch->uids, batch_uid) {
		if (batch_uid == uid)
			return TRUE;
	}
	return FALSE;
}

/* Waits for what was started ahead, if the mail is in it. Returns 1, 0 if it is
   of no use, or -1 and the failure. */
static int
window_finish_coming(struct pgbox_mail_window *window, uint32_t uid,
		     enum pgbox_message_extent extent,
		     struct pgbox_octets_batch **batch_r,
		     struct pgbox_message_chunks **chunks_r,
		     struct pgbox_db_failure *failure_r)
{
	struct pgbox_octets_batch *batch = window->coming;
	int ret = 0;

	window->coming = NULL;
	if (batch != NULL && batch->extent == extent &&
	    octets_batch_has_uid(batch, uid)) {
		if (pgbox_message_finish_chunks(&batch->started, chunks_r,
						failure_r) == 0) {
			*batch_r = batch;
			return 1;
		}
		/* the deadline is one for both attempts */
		if (failure_r->error == PGBOX_DB_ERROR_TIMEOUT)
			ret = -1;
	}
	pgbox_octets_batch_free(&batch);
	return ret;
}

static int
window_load_octets(struct pgbox_mail_window *window, struct mail *mail,
		   unsigned int count, enum pgbox_message_extent extent)
{
	struct mail_index_view *view = mail->transaction->view;
	struct pgbox_octets_batch *batch;
	struct pgbox_message_chunks *chunks;
	const struct pgbox_message_chunk *chunk;
	ARRAY_TYPE(message_chunk) parts;
	struct pgbox_db_failure failure;
	int ret;

	ret = window_finish_coming(window, mail->uid, extent, &batch, &chunks,
				   &failure);
	if (ret == 0) {
		batch = octets_batch_create(window, view, mail->seq, count,
					    UINT32_MAX, extent);
		ret = pgbox_message_read(window->mbox->storage->db,
			octets_batch_get_request(batch, window), &chunks,
			&failure);
		if (ret < 0)
			pgbox_octets_batch_free(&batch);
	}
	if (ret < 0) {
		pgbox_mailbox_set_failure(window->mbox, &failure);
		return -1;
	}
	t_array_init(&parts, 64);
	window_take_chunks(window, batch, chunks, &parts);
	window_start_next(window, view, batch);
	array_foreach(&parts, chunk)
		octets_reads_add_chunk(&batch->reads, chunk);
	pgbox_message_chunks_free(&chunks);
	count = window_take_octets(window, batch);
	pgbox_read_ahead_set_read(window_get_ahead(window, extent),
				  batch->next_seq, count);
	pgbox_octets_batch_free(&batch);
	return 0;
}

int pgbox_window_read_unknown(struct pgbox_mail_window *window,
			      struct mail *mail)
{
	unsigned int count;
	int ret;

	if (pgbox_window_find(window, mail->uid) != NULL)
		return 0;
	count = pgbox_read_ahead_get_count(&window->whole_ahead, mail->seq);
	T_BEGIN {
		ret = window_load_octets(window, mail, count,
					 PGBOX_MESSAGE_EXTENT_WHOLE);
	} T_END;
	return ret;
}

int pgbox_window_get_octets(struct pgbox_mail_window *window, struct mail *mail,
			    enum pgbox_message_extent extent,
			    struct pgbox_octets **octets_r)
{
	struct pgbox_read_ahead *ahead = window_get_ahead(window, extent);
	struct pgbox_window_mail *wmail;
	unsigned int count;
	uoff_t size;
	int ret;

	if (extent == PGBOX_MESSAGE_EXTENT_WHOLE &&
	    pgbox_window_read_unknown(window, mail) < 0)
		return -1;
	if ((ret = pgbox_window_get_mail(window, mail, &wmail)) <= 0)
		return ret;
	if (window->coming != NULL)
		pgbox_db_exec_look(window->coming->started);
	if (!window_mail_has_octets(wmail, extent)) {
		size = info_get_extent_size(&wmail->info, extent);
		if (size > WINDOW_MAX_MAIL_BYTES)
			return 0;
		count = pgbox_read_ahead_get_count(ahead, mail->seq);
		if (count == 1 && size > WINDOW_MAX_LONE_MAIL_BYTES) {
			pgbox_read_ahead_set_read(ahead, mail->seq + 1, 0);
			return 0;
		}
		T_BEGIN {
			ret = window_load_octets(window, mail, count, extent);
		} T_END;
		if (ret < 0)
			return -1;
		/* what came with the bytes may have taken its place */
		wmail = pgbox_window_find(window, mail->uid);
		if (wmail == NULL || !window_mail_has_octets(wmail, extent))
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
