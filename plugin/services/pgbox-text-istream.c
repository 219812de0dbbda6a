/* The bytes of a message as a stream, for who has no mailbox. Knows nothing of
   what they are read for. */

#include "pgbox-config.h"
#include "lib.h"
#include "istream-private.h"
#include "pgbox-db.h"
#include "pgbox-mail-range.h"
#include "pgbox-octets.h"
#include "pgbox-text-istream.h"

struct text_istream {
	struct istream_private istream;

	/* own */
	struct pgbox_range_cache *ranges;
	int64_t message_id;
	uoff_t size;
};

static void text_istream_destroy(struct iostream_private *stream)
{
	struct text_istream *tstream =
		container_of(stream, struct text_istream, istream.iostream);

	pgbox_range_cache_deinit(&tstream->ranges);
	i_stream_free_buffer(&tstream->istream);
}

static int failure_get_errno(const struct pgbox_db_failure *failure)
{
	return failure->error == PGBOX_DB_ERROR_INTERNAL ? EINVAL : EIO;
}

static ssize_t text_istream_read(struct istream_private *stream)
{
	struct text_istream *tstream =
		container_of(stream, struct text_istream, istream);
	uoff_t offset = stream->istream.v_offset + (stream->pos - stream->skip);
	struct pgbox_db_failure failure;
	struct pgbox_octets *octets;
	size_t size, space;
	uoff_t start;
	int ret;

	if (offset >= tstream->size) {
		stream->istream.eof = TRUE;
		return -1;
	}
	if (!i_stream_try_alloc(stream, 1, &space))
		return -2;
	ret = pgbox_range_cache_read(tstream->ranges, tstream->message_id,
				     tstream->size, offset, &octets, &start,
				     &failure);
	if (ret <= 0) {
		stream->istream.stream_errno = ret == 0 ? ENOENT :
			failure_get_errno(&failure);
		io_stream_set_error(&stream->iostream, "%s", ret == 0 ?
				    "bytes of the message are missing" :
				    failure.message);
		return -1;
	}
	size = I_MIN(octets->size - (offset - start), space);
	memcpy(stream->w_buffer + stream->pos, octets->data + (offset - start),
	       size);
	stream->pos += size;
	return size;
}

struct istream *
pgbox_text_istream_create(struct pgbox_db *db, int64_t account_id,
			  int64_t message_id, uoff_t size)
{
	struct text_istream *tstream = i_new(struct text_istream, 1);

	tstream->ranges = pgbox_range_cache_init(db, account_id);
	tstream->message_id = message_id;
	tstream->size = size;
	tstream->istream.max_buffer_size = IO_BLOCK_SIZE;
	tstream->istream.iostream.destroy = text_istream_destroy;
	tstream->istream.read = text_istream_read;
	tstream->istream.istream.blocking = TRUE;
	tstream->istream.istream.seekable = TRUE;
	return i_stream_create(&tstream->istream, NULL, -1, 0);
}
