/* Takes the octets of a mail that comes in, and has them stored. Knows nothing of
   what is in them but where the header ends. */

#include "lib.h"
#include "buffer.h"
#include "str.h"
#include "istream.h"
#include "iostream-temp.h"
#include "ostream-private.h"
#include "mail-user.h"
#include "message-size.h"
#include "message-header-parser.h"
#include "pgbox-chunk.h"
#include "pgbox-message.h"
#include "pgbox-query-mail.h"
#include "pgbox-storage.h"
#include "pgbox-save.h"
#include "pgbox-save-octets.h"

/* Messages of one transaction that wait in memory for its commit: more is
   uploaded. */
#define PGBOX_SAVE_MEMORY_MAX_BYTES (4 * 1024 * 1024)

struct pgbox_save_octets {
	/* foreign */
	struct pgbox_save_context *ctx;
	/* own: the chunk that is being filled */
	buffer_t *chunk;
	/* Own: NULL until the first chunk is full */
	struct ostream *spool;
	struct pgbox_chunk_encoder *encoder;
	struct pgbox_upload *upload;
	bool failed;
};

struct save_ostream {
	struct ostream_private ostream;
	/* foreign */
	struct pgbox_save_octets *octets;
};

static void upload_init(struct pgbox_save_octets *octets, uoff_t header_size)
{
	struct pgbox_mailbox *mbox = octets->ctx->mbox;

	octets->encoder =
		pgbox_chunk_encoder_init(mbox->storage->set->compression,
					 header_size);
	octets->upload = pgbox_upload_init(mbox->storage->db,
					   mbox->known.id.account_id);
}

static void
upload_set_failure(struct pgbox_save_octets *octets,
		   const struct pgbox_db_failure *failure)
{
	/* what was stored after all, the purge finds: the upload is given up
	   in any case */
	pgbox_mailbox_set_failure(octets->ctx->mbox, failure);
	octets->failed = TRUE;
}

static void upload_chunk(struct pgbox_save_octets *octets)
{
	struct pgbox_stored_chunk stored;
	struct pgbox_db_failure failure;

	pgbox_chunk_encode(octets->encoder, octets->chunk->data,
			   octets->chunk->used, &stored);
	if (pgbox_upload_add(octets->upload, &stored, &failure) < 0)
		upload_set_failure(octets, &failure);
}

/*
 * While it comes in
 */

/* Nobody has parsed the message yet. If the header is longer than a chunk, or
   its end is another one than the parser will find, reading it alone costs more,
   nothing else. */
static uoff_t chunk_get_header_size(const buffer_t *chunk)
{
	struct istream *input =
		i_stream_create_from_data(chunk->data, chunk->used);
	struct message_size size;
	bool has_nuls;

	(void)message_get_header_size(input, &size, &has_nuls);
	i_stream_unref(&input);
	return size.physical_size;
}

static void chunk_is_full(struct pgbox_save_octets *octets)
{
	struct mail_user *user = octets->ctx->mbox->storage->storage.user;
	string_t *prefix;

	if (octets->spool == NULL) {
		prefix = t_str_new(128);
		mail_user_set_get_temp_prefix(prefix, user->set);
		octets->spool = iostream_temp_create_named(str_c(prefix), 0,
							   "(pgbox save)");
		upload_init(octets, chunk_get_header_size(octets->chunk));
	}
	o_stream_nsend(octets->spool, octets->chunk->data,
		       octets->chunk->used);
	if (!octets->failed)
		upload_chunk(octets);
	buffer_set_used_size(octets->chunk, 0);
}

static ssize_t
save_ostream_sendv(struct ostream_private *stream,
		   const struct const_iovec *iov, unsigned int iov_count)
{
	struct save_ostream *sstream =
		container_of(stream, struct save_ostream, ostream);
	struct pgbox_save_octets *octets = sstream->octets;
	const unsigned char *data;
	size_t left, size;
	ssize_t sent = 0;
	unsigned int i;

	for (i = 0; i < iov_count; i++) {
		data = iov[i].iov_base;
		for (left = iov[i].iov_len; left > 0; left -= size) {
			if (octets->chunk->used == PGBOX_CHUNK_BYTES) T_BEGIN {
				chunk_is_full(octets);
			} T_END;
			size = I_MIN(left, PGBOX_CHUNK_BYTES -
				     octets->chunk->used);
			buffer_append(octets->chunk, data, size);
			data += size;
		}
		sent += iov[i].iov_len;
	}
	stream->ostream.offset += sent;
	return sent;
}

struct pgbox_save_octets *
pgbox_save_octets_init(struct pgbox_save_context *ctx,
		       struct ostream **output_r)
{
	struct pgbox_save_octets *octets;
	struct save_ostream *sstream;

	octets = i_new(struct pgbox_save_octets, 1);
	octets->ctx = ctx;
	octets->chunk = buffer_create_dynamic(default_pool, 4096);

	sstream = i_new(struct save_ostream, 1);
	sstream->octets = octets;
	sstream->ostream.sendv = save_ostream_sendv;
	sstream->ostream.ostream.blocking = TRUE;
	*output_r = o_stream_create(&sstream->ostream, NULL, -1);
	o_stream_set_name(*output_r, "(pgbox save)");
	return octets;
}

bool pgbox_save_octets_failed(const struct pgbox_save_octets *octets)
{
	return octets->failed;
}

/*
 * The end
 */

int pgbox_save_octets_end(struct pgbox_save_octets *octets,
			  struct pgbox_save_mail *save_mail)
{
	if (octets->spool == NULL) {
		save_mail->octets = octets->chunk;
		octets->chunk = NULL;
		save_mail->spool =
			i_stream_create_from_data(save_mail->octets->data,
						  save_mail->octets->used);
		return 0;
	}
	if (octets->chunk->used > 0)
		chunk_is_full(octets);
	if (o_stream_finish(octets->spool) < 0) {
		mail_set_critical(octets->ctx->ctx.dest_mail,
				  "write(%s) failed: %s",
				  o_stream_get_name(octets->spool),
				  o_stream_get_error(octets->spool));
		return -1;
	}
	save_mail->spool = iostream_temp_finish(&octets->spool, IO_BLOCK_SIZE);
	return octets->failed ? -1 : 0;
}

size_t pgbox_save_octets_get_memory(const struct pgbox_save_mail *save_mail)
{
	return save_mail->stored == NULL ? 0 :
		save_mail->octets->used + save_mail->stored->used;
}

/* One chunk that waits for the commit */
static void
octets_keep(struct pgbox_save_octets *octets, struct pgbox_save_mail *save_mail)
{
	const buffer_t *chunk = save_mail->octets;
	struct pgbox_stored_chunk stored;

	octets->encoder = pgbox_chunk_encoder_init(
		octets->ctx->mbox->storage->set->compression,
		save_mail->mail.message->header_size);
	pgbox_chunk_encode(octets->encoder, chunk->data, chunk->used, &stored);
	save_mail->stored = buffer_create_dynamic(default_pool,
						  I_MAX(stored.data_size, 1));
	buffer_append(save_mail->stored, stored.data, stored.data_size);
	save_mail->mail.data = stored.size == 0 ? "" : save_mail->stored->data;
	save_mail->mail.data_size = stored.data_size;
	octets->ctx->memory_bytes += pgbox_save_octets_get_memory(save_mail);
}

int pgbox_save_octets_store(struct pgbox_save_octets *octets,
			    struct pgbox_save_mail *save_mail)
{
	struct pgbox_db_failure failure;

	if (octets->upload == NULL) {
		if (octets->ctx->memory_bytes + save_mail->octets->used <=
		    PGBOX_SAVE_MEMORY_MAX_BYTES) {
			octets_keep(octets, save_mail);
			return 0;
		}
		upload_init(octets, save_mail->mail.message->header_size);
		octets->chunk = save_mail->octets;
		upload_chunk(octets);
		octets->chunk = NULL;
	}
	if (!octets->failed &&
	    pgbox_upload_finish(octets->upload, &failure) < 0)
		upload_set_failure(octets, &failure);
	return octets->failed ? -1 : 0;
}

void pgbox_save_octets_deinit(struct pgbox_save_octets **_octets,
			      struct pgbox_save_mail *save_mail)
{
	struct pgbox_save_octets *octets = *_octets;

	*_octets = NULL;
	if (octets->upload != NULL)
		save_mail->mail.message_id =
			pgbox_upload_deinit(&octets->upload);
	if (octets->encoder != NULL) {
		pgbox_chunk_encoder_deinit(&octets->encoder,
					   save_mail->mail.sha256);
	}
	if (octets->spool != NULL) {
		/* of a mail that isn't saved: its errors don't matter */
		o_stream_abort(octets->spool);
		o_stream_destroy(&octets->spool);
	}
	buffer_free(&octets->chunk);
	i_free(octets);
}
