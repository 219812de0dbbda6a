/* The bytes of a mail as a stream: headers and small mails come from the
   mailbox's window, the rest in ranges. Knows nothing of how they are
   stored. */

#include "pgbox-config.h"
#include "lib.h"
#include "memarea.h"
#include "istream-private.h"
#include "pgbox-storage.h"
#include "pgbox-mail.h"
#include "pgbox-mail-range.h"
#include "pgbox-mail-window.h"
#include "pgbox-octets.h"
#include "pgbox-istream.h"

struct pgbox_istream {
	struct istream_private istream;

	/* foreign; lives longer than the stream */
	struct mail *mail;
	int64_t message_id;
	uoff_t size, header_size;

	/* own reference; NULL or the first bytes of the message */
	struct pgbox_octets *octets;
	/* The stream's buffer is not one of its own but some octets. */
	bool octets_shown;
	/* by enum pgbox_message_extent: they are too many to be read at once */
	bool too_large[2];
};

static void
pgbox_istream_destroy(struct iostream_private *stream)
{
	struct pgbox_istream *pstream =
		container_of(stream, struct pgbox_istream, istream.iostream);

	pgbox_octets_unref(&pstream->octets);
	i_stream_free_buffer(&pstream->istream);
}

static ssize_t
pgbox_istream_set_failed(struct pgbox_istream *pstream, bool bytes_missing)
{
	struct istream_private *stream = &pstream->istream;
	int ret = -1;

	if (bytes_missing)
		ret = pgbox_mail_window_check_exists(pstream->mail);
	if (ret == 0)
		mail_set_expunged(pstream->mail);

	stream->istream.stream_errno = ret == 0 ? ENOENT : EIO;
	io_stream_set_error(&stream->iostream, "%s",
			    ret < 0 ? "the database could not be read" :
			    ret == 0 ? "the message was deleted" :
			    "the database lacks bytes of the message");
	return -1;
}

/* Returns 1 if the bytes at offset are in pstream->octets, 0 if they must be
   read in ranges, or -1. */
static int
pgbox_istream_get_octets(struct pgbox_istream *pstream, uoff_t offset)
{
	enum pgbox_message_extent extent =
		offset < pstream->header_size &&
		!PGBOX_MAIL(pstream->mail)->body_wanted ?
		PGBOX_MESSAGE_EXTENT_HEADER : PGBOX_MESSAGE_EXTENT_WHOLE;
	struct pgbox_octets *octets;
	int ret;

	if (pstream->octets != NULL && offset < pstream->octets->size)
		return 1;
	if (pstream->too_large[extent])
		return 0;

	ret = pgbox_mail_window_get_octets(pstream->mail, extent, &octets);
	if (ret == 0)
		pstream->too_large[extent] = TRUE;
	if (ret <= 0)
		return ret;
	pgbox_octets_unref(&pstream->octets);
	pstream->octets = octets;
	return 1;
}

static int
pgbox_istream_get_range(struct pgbox_istream *pstream, uoff_t offset,
			struct pgbox_octets **octets_r, uoff_t *start_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(pstream->mail->box);
	struct pgbox_range_cache *ranges =
		pgbox_mail_window_get_ranges(pgbox_mail_window_get(mbox));
	struct pgbox_db_failure failure;
	int ret;

	ret = pgbox_range_cache_read(ranges, pstream->message_id,
				     pstream->size, offset,
				     octets_r, start_r, &failure);
	if (ret < 0)
		pgbox_mailbox_set_failure(mbox, &failure);
	return ret;
}

static void octets_memarea_free(struct pgbox_octets *octets)
{
	pgbox_octets_unref(&octets);
}

/* Has the stream's readers look at the octets themselves, which are those of the
   message from start on, and have all that is left to be read. */
static ssize_t
pgbox_istream_show_octets(struct pgbox_istream *pstream,
			  struct pgbox_octets *octets, uoff_t start)
{
	struct istream_private *stream = &pstream->istream;
	size_t old_size = stream->pos - stream->skip;

	if (stream->memarea == NULL || stream->buffer != octets->data) {
		if (stream->memarea != NULL)
			memarea_unref(&stream->memarea);
		pgbox_octets_ref(octets);
		stream->memarea = memarea_init(octets->data, octets->size,
					       octets_memarea_free, octets);
		stream->buffer = octets->data;
		stream->w_buffer = NULL;
		stream->buffer_size = 0;
		pstream->octets_shown = TRUE;
	}
	stream->skip = stream->istream.v_offset - start;
	stream->pos = octets->size;
	return stream->pos - stream->skip - old_size;
}

/* Gives the stream a buffer of its own again, with what is left to be read.
   Returns FALSE if that would be too much. */
static bool pgbox_istream_hide_octets(struct pgbox_istream *pstream)
{
	struct istream_private *stream = &pstream->istream;
	const unsigned char *data = stream->buffer + stream->skip;
	size_t size = stream->pos - stream->skip;
	struct memarea *memarea = stream->memarea;

	if (!pstream->octets_shown)
		return TRUE;
	if (size >= i_stream_get_max_buffer_size(&stream->istream))
		return FALSE;
	pstream->octets_shown = FALSE;
	stream->memarea = NULL;
	stream->buffer = NULL;
	stream->skip = stream->pos = 0;
	if (size > 0) {
		memcpy(i_stream_alloc(stream, size), data, size);
		stream->pos = size;
	}
	if (memarea != NULL)
		memarea_unref(&memarea);
	return TRUE;
}

/* Appends octets to what is left to be read. */
static ssize_t
pgbox_istream_append(struct pgbox_istream *pstream, const unsigned char *data,
		     size_t size)
{
	struct istream_private *stream = &pstream->istream;
	size_t space;

	if (!pgbox_istream_hide_octets(pstream) ||
	    !i_stream_try_alloc(stream, 1, &space))
		return -2;
	size = I_MIN(size, space);
	memcpy(stream->w_buffer + stream->pos, data, size);
	stream->pos += size;
	return size;
}

static ssize_t pgbox_istream_read(struct istream_private *stream)
{
	struct pgbox_istream *pstream =
		container_of(stream, struct pgbox_istream, istream);
	uoff_t offset = stream->istream.v_offset + (stream->pos - stream->skip);
	struct pgbox_octets *octets;
	uoff_t start;
	int ret;

	if (offset >= pstream->size) {
		stream->istream.eof = TRUE;
		return -1;
	}
	if ((ret = pgbox_istream_get_octets(pstream, offset)) > 0) {
		return pgbox_istream_show_octets(pstream, pstream->octets, 0);
	}
	if (ret == 0) {
		ret = pgbox_istream_get_range(pstream, offset, &octets,
					      &start);
	}
	if (ret <= 0)
		return pgbox_istream_set_failed(pstream, ret == 0);
	if (stream->istream.v_offset >= start)
		return pgbox_istream_show_octets(pstream, octets, start);
	return pgbox_istream_append(pstream, octets->data + (offset - start),
				    octets->size - (offset - start));
}

static int
pgbox_istream_stat(struct istream_private *stream, bool exact ATTR_UNUSED)
{
	struct pgbox_istream *pstream =
		container_of(stream, struct pgbox_istream, istream);

	stream->statbuf.st_size = pstream->size;
	return 0;
}

struct istream *pgbox_istream_create(struct mail *mail,
				     const struct pgbox_message_info *info)
{
	struct pgbox_istream *pstream;
	struct istream *input;

	pstream = i_new(struct pgbox_istream, 1);
	pstream->mail = mail;
	pstream->message_id = info->message_id;
	pstream->size = info->size;
	pstream->header_size = info->header_size;

	pstream->istream.max_buffer_size = IO_BLOCK_SIZE;
	pstream->istream.iostream.destroy = pgbox_istream_destroy;
	pstream->istream.read = pgbox_istream_read;
	pstream->istream.stat = pgbox_istream_stat;
	pstream->istream.istream.readable_fd = FALSE;
	pstream->istream.istream.blocking = TRUE;
	pstream->istream.istream.seekable = TRUE;
	input = i_stream_create(&pstream->istream, NULL, -1, 0);
	i_stream_set_name(input, t_strdup_printf("message %"PRId64,
						 info->message_id));
	return input;
}
