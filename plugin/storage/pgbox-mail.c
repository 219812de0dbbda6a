/* Reading of mails: answers from Dovecot's cache, from the mailbox's window
   and only then from the bytes. Knows nothing of how they are stored. */

#include "pgbox-config.h"
#include "lib.h"
#include "istream.h"
#include "message-part.h"
#include "message-part-serialize.h"
#include "pgbox-storage.h"
#include "pgbox-mail-window.h"
#include "pgbox-octets.h"
#include "pgbox-istream.h"
#include "pgbox-text.h"
#include "pgbox-mail.h"

struct mail *
pgbox_mail_alloc(struct mailbox_transaction_context *t,
		 enum mail_fetch_field wanted_fields,
		 struct mailbox_header_lookup_ctx *wanted_headers)
{
	struct pgbox_mail *mail;
	pool_t pool;

	pool = pool_alloconly_create("mail", 2048);
	mail = p_new(pool, struct pgbox_mail, 1);
	index_mail_init(&mail->imail, t, wanted_fields, wanted_headers,
			pool, NULL);
	return &mail->imail.mail.mail;
}

static void pgbox_mail_close(struct mail *_mail)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);

	index_mail_close(_mail);
	mail->distrusted_fields = 0;
	mail->body_wanted = FALSE;
	mail->body_loaded = FALSE;
}

struct mail *pgbox_mail_get_row_mail(struct mail *mail)
{
	return !mail->saving ? mail : pgbox_save_get_copy_source(mail);
}

static bool pgbox_mail_is_new(struct mail *mail)
{
	return pgbox_mail_get_row_mail(mail) == NULL;
}

int pgbox_mail_get_info(struct pgbox_mail *mail,
			const struct pgbox_message_info **info_r)
{
	struct mail *_mail = pgbox_mail_get_row_mail(&mail->imail.mail.mail);
	bool octets_wanted = mail->body_wanted ||
		(mail->imail.data.access_part & READ_BODY) != 0;
	int ret;

	*info_r = pgbox_mail_window_find_info(_mail);
	if (*info_r != NULL)
		return 0;
	if (!mail_metadata_access_start(_mail))
		return -1;
	ret = pgbox_mail_window_get_info(_mail, octets_wanted, info_r);
	if (ret == 0) {
		mail_set_expunged(_mail);
		ret = -1;
	}
	return ret < 0 ? -1 : 0;
}

/* ---- dates and sizes ---- */

static int pgbox_mail_get_received_date(struct mail *_mail, time_t *date_r)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);
	const struct pgbox_message_info *info;

	if (index_mail_get_received_date(_mail, date_r) == 0)
		return 0;
	if (pgbox_mail_is_new(_mail) || pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	*date_r = mail->imail.data.received_date = info->received;
	return 0;
}

static int pgbox_mail_get_save_date(struct mail *_mail, time_t *date_r)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);
	const struct pgbox_message_info *info;

	if (index_mail_get_save_date(_mail, date_r) > 0)
		return 1;
	if (pgbox_mail_is_new(_mail) || pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	if (info->saved == (time_t)-1) {
		/* expunged, nothing remembers when it was saved */
		return mail_get_received_date(_mail, date_r) < 0 ? -1 : 0;
	}
	*date_r = mail->imail.data.save_date = info->saved;
	return 1;
}

static void
pgbox_mail_set_sent_date(struct pgbox_mail *mail,
			 const struct pgbox_message_info *info)
{
	struct index_mail *imail = &mail->imail;
	struct mail_sent_date *sent_date = &imail->data.sent_date;

	if (info->has_sent && (info->sent < 0 || info->sent >= UINT32_MAX)) {
		/* Versions of Dovecot disagree what to cache then: have it
		   done from the header. */
		return;
	}
	/* zeros if there is no valid one, as Dovecot does */
	i_zero(sent_date);
	if (info->has_sent) {
		sent_date->time = info->sent;
		sent_date->timezone = info->sent_zone;
	}
	if (index_mail_want_cache(imail, MAIL_CACHE_SENT_DATE)) {
		index_mail_cache_add(imail, MAIL_CACHE_SENT_DATE,
				     sent_date, sizeof(*sent_date));
	}
}

static int
pgbox_mail_get_date(struct mail *_mail, time_t *date_r, int *timezone_r)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);
	struct index_mail *imail = &mail->imail;
	const struct pgbox_message_info *info;
	unsigned int field_idx =
		imail->ibox->cache_fields[MAIL_CACHE_SENT_DATE].idx;

	if (!pgbox_mail_is_new(_mail) &&
	    imail->data.sent_date.time == (uint32_t)-1 &&
	    mail_cache_field_exists(_mail->transaction->cache_view,
				    _mail->seq, field_idx) <= 0) {
		imail->data.cache_fetch_fields |= MAIL_FETCH_DATE;
		if (pgbox_mail_get_info(mail, &info) < 0)
			return -1;
		pgbox_mail_set_sent_date(mail, info);
	}
	return index_mail_get_date(_mail, date_r, timezone_r);
}

/* The mail has no row yet, only its bytes. */
static int pgbox_mail_get_size_saving(struct mail *_mail, uoff_t *size_r)
{
	struct index_mail_data *data = &PGBOX_MAIL(_mail)->imail.data;
	struct istream *input;
	uoff_t old_offset;
	int ret;

	old_offset = data->stream == NULL ? 0 : data->stream->v_offset;
	if (mail_get_stream_because(_mail, NULL, NULL, "size", &input) < 0)
		return -1;
	ret = i_stream_get_size(input, TRUE, size_r);
	i_stream_seek(data->stream, old_offset);
	if (ret <= 0) {
		mail_set_critical(_mail, "Size of %s is not known",
				  i_stream_get_name(input));
		return -1;
	}
	return 0;
}

static int pgbox_mail_get_size(struct mail *_mail, uoff_t *size_r)
{
	const struct pgbox_message_info *info;

	if (pgbox_mail_is_new(_mail))
		return pgbox_mail_get_size_saving(_mail, size_r);
	if (pgbox_mail_get_info(PGBOX_MAIL(_mail), &info) < 0)
		return -1;
	*size_r = info->size;
	return 0;
}

static int pgbox_mail_get_physical_size(struct mail *_mail, uoff_t *size_r)
{
	if (index_mail_get_physical_size(_mail, size_r) == 0)
		return 0;
	if (pgbox_mail_get_size(_mail, size_r) < 0)
		return -1;
	PGBOX_MAIL(_mail)->imail.data.physical_size = *size_r;
	return 0;
}

/* All line ends are stored as CRLF: the sizes are the same. */
static int pgbox_mail_get_virtual_size(struct mail *_mail, uoff_t *size_r)
{
	struct index_mail *imail = &PGBOX_MAIL(_mail)->imail;

	if (index_mail_get_cached_virtual_size(imail, size_r))
		return 0;
	if (pgbox_mail_get_size(_mail, size_r) < 0)
		return -1;
	imail->data.virtual_size = *size_r;
	return 0;
}

/* ---- MIME parts ---- */

static bool parts_have_nuls(const struct message_part *part)
{
	for (; part != NULL; part = part->next) {
		if ((part->flags & MESSAGE_PART_FLAG_HAS_NULS) != 0 ||
		    parts_have_nuls(part->children))
			return TRUE;
	}
	return FALSE;
}

bool pgbox_mail_set_parts(struct pgbox_mail *mail,
			  const struct pgbox_message_info *info)
{
	struct index_mail *imail = &mail->imail;
	struct mail *_mail = &imail->mail.mail;
	const char *error;
	bool nuls;

	if (imail->data.parts != NULL)
		return TRUE;
	/* A parser that is under way has parts of its own. */
	if (imail->data.parser_ctx != NULL || info->mime_parts == NULL ||
	    (mail->distrusted_fields & MAIL_FETCH_MESSAGE_PARTS) != 0)
		return FALSE;

	imail->data.parts =
		message_part_deserialize(imail->mail.data_pool,
					 info->mime_parts,
					 info->mime_parts_size, &error);
	if (imail->data.parts == NULL) {
		mail_set_critical(_mail, "Stored mime.parts are invalid: %s",
				  error);
		mail->distrusted_fields |= MAIL_FETCH_MESSAGE_PARTS;
		return FALSE;
	}
	nuls = parts_have_nuls(imail->data.parts);
	_mail->has_nuls = nuls;
	_mail->has_no_nuls = !nuls;
	return TRUE;
}

static int
pgbox_mail_get_parts(struct mail *_mail, struct message_part **parts_r)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);
	struct index_mail *imail = &mail->imail;
	const struct pgbox_message_info *info;
	unsigned int field_idx =
		imail->ibox->cache_fields[MAIL_CACHE_MESSAGE_PARTS].idx;

	if (pgbox_mail_is_new(_mail) || imail->data.parts != NULL ||
	    imail->data.parser_ctx != NULL ||
	    mail_cache_field_exists(_mail->transaction->cache_view,
				    _mail->seq, field_idx) > 0)
		return index_mail_get_parts(_mail, parts_r);

	if (pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	if (pgbox_mail_set_parts(mail, info) &&
	    mail_cache_field_can_add(_mail->transaction->cache_trans,
				     _mail->seq, field_idx)) {
		index_mail_cache_add_idx(imail, field_idx, info->mime_parts,
					 info->mime_parts_size);
		imail->data.messageparts_saved_to_cache = TRUE;
	}
	return index_mail_get_parts(_mail, parts_r);
}

/* ---- bytes ---- */

static int pgbox_mail_open_stream(struct pgbox_mail *mail)
{
	struct mail_private *pmail = &mail->imail.mail;
	struct mail *_mail = &pmail->mail;
	struct index_mail_data *data = &mail->imail.data;
	const struct pgbox_message_info *info;
	struct istream *input;

	if (!mail_stream_access_start(_mail))
		return -1;
	if (pgbox_mail_is_new(_mail)) {
		/* The save has references of its own, but the mail must be able
		   to close its stream. */
		struct istream *spool = pgbox_save_open_stream(_mail);

		input = i_stream_create_limit(spool, UOFF_T_MAX);
		i_stream_unref(&spool);
	} else {
		if (pgbox_mail_get_info(mail, &info) < 0)
			return -1;
		/* Whatever the cache says, the stream has this size. */
		data->physical_size = info->size;
		/* With the parts known nobody needs to parse the body. */
		(void)pgbox_mail_set_parts(mail, info);
		input = pgbox_istream_create(pgbox_mail_get_row_mail(_mail),
					     info);
	}
	_mail->transaction->stats.open_lookup_count++;
	index_mail_set_read_buffer_size(_mail, input);

	if (pmail->v.istream_opened != NULL &&
	    pmail->v.istream_opened(_mail, &input) < 0) {
		i_stream_unref(&input);
		return -1;
	}
	data->stream = input;
	return 0;
}

/* Reads the message if it is one that is read at once: IMAP and POP3 announce its
   size to the client before they read, and can't say then that it failed. */
static int pgbox_mail_load_body(struct pgbox_mail *mail)
{
	struct mail *_mail = pgbox_mail_get_row_mail(&mail->imail.mail.mail);
	struct pgbox_octets *octets;
	int ret;

	if (_mail == NULL || mail->body_loaded)
		return 0;
	if (!mail_stream_access_start(_mail))
		return -1;
	ret = pgbox_mail_window_get_octets(_mail, PGBOX_MESSAGE_EXTENT_WHOLE,
					   &octets);
	if (ret < 0)
		return -1;
	mail->body_loaded = TRUE;
	if (ret > 0)
		pgbox_octets_unref(&octets);
	return 0;
}

static int
pgbox_mail_get_stream(struct mail *_mail, bool get_body,
		      struct message_size *hdr_size,
		      struct message_size *body_size,
		      struct istream **stream_r)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);
	struct index_mail_data *data = &mail->imail.data;

	if (get_body ||
	    (data->access_part & (READ_BODY | PARSE_BODY)) != 0)
		mail->body_wanted = TRUE;
	/* a stream that is open and not given out must not be left behind */
	if (get_body && pgbox_mail_load_body(mail) < 0)
		return -1;
	if (data->stream == NULL && pgbox_mail_open_stream(mail) < 0)
		return -1;
	return index_mail_init_stream(&mail->imail, hdr_size, body_size,
				      stream_r);
}

/* Has the text for SEARCH extracted when the mails are indexed: not only of this
   mail, since it goes by the queue. */
static int pgbox_mail_precache_text(struct mail *mail)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(mail->box);
	bool stored;

	if (mail->saving || mail->uid < mbox->text_uid)
		return 0;
	mbox->text_uid = mail_index_get_header(mail->box->view)->next_uid;
	return pgbox_text_fill(mbox, 0, &stored);
}

/* Fills the cache file with what is cached of other mails. What Dovecot would
   parse the body for, is stored. */
static int pgbox_mail_precache(struct mail *_mail)
{
	enum mail_fetch_field wanted =
		PGBOX_MAIL(_mail)->imail.data.wanted_fields;
	struct message_part *parts;
	const char *value;
	time_t date;
	int tz;

	if ((wanted & (MAIL_FETCH_STREAM_HEADER |
		       MAIL_FETCH_STREAM_BODY)) != 0) {
		/* parsing for one header caches all that are wanted */
		(void)mail_get_first_header(_mail, "Message-ID", &value);
		(void)mail_get_date(_mail, &date, &tz);
		(void)mail_get_special(_mail, MAIL_FETCH_IMAP_ENVELOPE, &value);
	}
	if ((wanted & MAIL_FETCH_STREAM_BODY) != 0) {
		(void)mail_get_parts(_mail, &parts);
		(void)mail_get_special(_mail, MAIL_FETCH_IMAP_BODYSTRUCTURE,
				       &value);
	}
	PGBOX_MAIL(_mail)->imail.data.wanted_fields &=
		ENUM_NEGATE(MAIL_FETCH_STREAM_HEADER | MAIL_FETCH_STREAM_BODY);
	return index_mail_precache(_mail) < 0 ? -1 :
		pgbox_mail_precache_text(_mail);
}

static void
pgbox_mail_set_cache_corrupted(struct mail *_mail, enum mail_fetch_field field,
			       const char *reason)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);

	mail->distrusted_fields |= field;
	index_mail_set_cache_corrupted(_mail, field, reason);
}

struct mail_vfuncs pgbox_mail_vfuncs = {
	.close = pgbox_mail_close,
	.free = index_mail_free,
	.set_seq = index_mail_set_seq,
	.set_uid = index_mail_set_uid,
	.set_uid_cache_updates = index_mail_set_uid_cache_updates,
	.prefetch = index_mail_prefetch,
	.precache = pgbox_mail_precache,
	.add_temp_wanted_fields = index_mail_add_temp_wanted_fields,

	.get_flags = index_mail_get_flags,
	.get_keywords = index_mail_get_keywords,
	.get_keyword_indexes = index_mail_get_keyword_indexes,
	.get_modseq = index_mail_get_modseq,
	.get_pvt_modseq = index_mail_get_pvt_modseq,
	.get_parts = pgbox_mail_get_parts,
	.get_date = pgbox_mail_get_date,
	.get_received_date = pgbox_mail_get_received_date,
	.get_save_date = pgbox_mail_get_save_date,
	.get_virtual_size = pgbox_mail_get_virtual_size,
	.get_physical_size = pgbox_mail_get_physical_size,
	.get_first_header = index_mail_get_first_header,
	.get_headers = index_mail_get_headers,
	.get_header_stream = index_mail_get_header_stream,
	.get_stream = pgbox_mail_get_stream,
	.get_binary_stream = index_mail_get_binary_stream,
	.get_special = pgbox_mail_get_special,
	.get_backend_mail = index_mail_get_backend_mail,
	.update_flags = pgbox_mail_update_flags,
	.update_keywords = pgbox_mail_update_keywords,
	.update_modseq = pgbox_mail_update_modseq,
	.update_pvt_modseq = index_mail_update_pvt_modseq,
	.expunge = pgbox_mail_expunge,
	.set_cache_corrupted = pgbox_mail_set_cache_corrupted,
	.istream_opened = index_mail_opened,
};
