/* mail_get_special(): values that come as strings. Knows nothing of how they
   are stored. */

#include "pgbox-config.h"
#include "lib.h"
#include "str.h"
#include "imap-bodystructure.h"
#include "pgbox-storage.h"
#include "pgbox-mail-window.h"
#include "pgbox-mail.h"

static bool
special_can_add(struct index_mail *imail, enum index_cache_field field)
{
	struct mail *mail = &imail->mail.mail;

	return mail_cache_field_can_add(mail->transaction->cache_trans,
					mail->seq,
					imail->ibox->cache_fields[field].idx);
}

static bool
special_want_add(struct index_mail *imail, enum index_cache_field field)
{
	struct mail *mail = &imail->mail.mail;

	return mail_cache_field_want_add(mail->transaction->cache_trans,
					 mail->seq,
					 imail->ibox->cache_fields[field].idx);
}

/* Returns the cached value, or NULL. */
static const char *
field_get_cached(struct index_mail *imail, unsigned int field_idx)
{
	string_t *str = str_new(imail->mail.data_pool, 128);

	if (index_mail_cache_lookup_field(imail, str, field_idx) <= 0)
		return NULL;
	return str_c(str);
}

static const char *
special_get_cached(struct index_mail *imail, enum index_cache_field field)
{
	return field_get_cached(imail, imail->ibox->cache_fields[field].idx);
}

static void
special_cache_str(struct index_mail *imail, enum index_cache_field field,
		  const char *value)
{
	index_mail_cache_add(imail, field, value, strlen(value));
}

static int
pgbox_mail_get_guid(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	struct index_mail_data *data = &imail->data;
	const struct pgbox_message_info *info;

	bool is_new = pgbox_mail_get_row_mail(&imail->mail.mail) == NULL;

	if (data->guid == NULL && !is_new)
		data->guid = special_get_cached(imail, MAIL_CACHE_GUID);
	if (data->guid == NULL && !is_new) {
		if (pgbox_mail_get_info(mail, &info) < 0)
			return -1;
		data->guid = p_strdup(imail->mail.data_pool, info->guid);
		if (special_can_add(imail, MAIL_CACHE_GUID))
			special_cache_str(imail, MAIL_CACHE_GUID, data->guid);
	}
	*value_r = data->guid == NULL ? "" : data->guid;
	return 0;
}

/* ---- POP3 ---- */

/* Most mailboxes never had a mail from another POP3 server: spares two look-ups
   for each mail of a session. */
static bool pgbox_mail_has_no_pop3_values(struct mail *mail)
{
	const struct pgbox_index_header *hdr;
	const void *data;
	size_t size;

	mail_index_get_header_ext(mail->transaction->view,
				  PGBOX_MAILBOX(mail->box)->hdr_ext_id,
				  &data, &size);
	hdr = data;
	return size >= sizeof(*hdr) &&
		(hdr->flags & PGBOX_INDEX_FLAG_NO_POP3_VALUES) != 0;
}

static int
pgbox_mail_get_pop3_uidl(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	const struct pgbox_message_info *info;

	*value_r = special_get_cached(imail, MAIL_CACHE_POP3_UIDL);
	if (*value_r != NULL)
		return 0;
	if (pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	*value_r = info->pop3_uidl == NULL ? "" :
		p_strdup(imail->mail.data_pool, info->pop3_uidl);
	if (special_can_add(imail, MAIL_CACHE_POP3_UIDL))
		special_cache_str(imail, MAIL_CACHE_POP3_UIDL, *value_r);
	return 0;
}

static int
pgbox_mail_get_pop3_order(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	const struct pgbox_message_info *info;
	unsigned int field_idx =
		imail->ibox->cache_fields[MAIL_CACHE_POP3_ORDER].idx;
	uint32_t order;
	buffer_t buf;

	buffer_create_from_data(&buf, &order, sizeof(order));
	if (index_mail_cache_lookup_field(imail, &buf, field_idx) <= 0) {
		if (pgbox_mail_get_info(mail, &info) < 0)
			return -1;
		order = info->pop3_order;
		if (special_can_add(imail, MAIL_CACHE_POP3_ORDER)) {
			index_mail_cache_add(imail, MAIL_CACHE_POP3_ORDER,
					     &order, sizeof(order));
		}
	}
	/* Mails without an order come last; "0" would be the first. */
	*value_r = order == 0 ? "" :
		p_strdup_printf(imail->mail.data_pool, "%u", order);
	return 0;
}

/* ---- shared messages ---- */

static int
pgbox_mail_get_refcount(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	struct mail *_mail = &imail->mail.mail;
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(_mail->box);
	const struct pgbox_message_info *info;
	struct pgbox_db_failure failure;
	unsigned int count;

	if (!mail_metadata_access_start(_mail) ||
	    pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	/* others change it: neither cached nor read ahead */
	if (pgbox_message_read_refcount(mbox->storage->db,
					mbox->known.id.account_id,
					info->message_id, &count,
					&failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	*value_r = p_strdup_printf(imail->mail.data_pool, "%u", count);
	return 0;
}

static int
pgbox_mail_get_refcount_id(struct pgbox_mail *mail, const char **value_r)
{
	const struct pgbox_message_info *info;

	if (pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	*value_r = p_strdup_printf(mail->imail.mail.data_pool, "%"PRId64,
				   info->message_id);
	return 0;
}

/* ---- IMAP ----

   These return 1 and the value, 0 if Dovecot must compute it, or -1. */

/* Dovecot caches the headers that the envelope is made of, if a client has asked
   for them. If all are there, no query is needed. Sets data->envelope if so. */
static void pgbox_mail_set_envelope_from_headers(struct index_mail *imail)
{
	struct mail *mail = &imail->mail.mail;
	enum mail_lookup_abort old_abort = mail->lookup_abort;
	unsigned int field_idx;
	const char *value;

	/* don't try all headers if none is there, as Dovecot does */
	field_idx = mail_cache_register_lookup(mail->box->cache,
					       "hdr.message-id");
	if (field_idx == UINT_MAX ||
	    mail_cache_field_exists(mail->transaction->cache_view,
				    mail->seq, field_idx) <= 0)
		return;

	/* not finding them is no error */
	mail_storage_last_error_push(mail->box->storage);
	mail->lookup_abort = MAIL_LOOKUP_ABORT_NOT_IN_CACHE;
	(void)index_mail_get_special(mail, MAIL_FETCH_IMAP_ENVELOPE, &value);
	mail->lookup_abort = old_abort;
	mail_storage_last_error_pop(mail->box->storage);
}

static int
pgbox_mail_get_envelope(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	struct index_mail_data *data = &imail->data;
	struct mail *_mail = &imail->mail.mail;
	unsigned int field_idx = PGBOX_MAILBOX(_mail->box)->envelope_field;
	const struct pgbox_message_info *info;

	if (data->envelope == NULL)
		data->envelope = field_get_cached(imail, field_idx);
	if (data->envelope == NULL)
		pgbox_mail_set_envelope_from_headers(imail);
	if (data->envelope == NULL) {
		if (pgbox_mail_get_info(mail, &info) < 0)
			return -1;
		if (info->envelope == NULL)
			return 0;
		data->envelope = p_strdup(imail->mail.data_pool,
					  info->envelope);
		/* no header parser needs to write it any more */
		data->save_envelope = FALSE;
		if (mail_cache_field_can_add(_mail->transaction->cache_trans,
					     _mail->seq, field_idx)) {
			index_mail_cache_add_idx(imail, field_idx,
						 data->envelope,
						 strlen(data->envelope));
		}
	}
	*value_r = data->envelope;
	return 1;
}

/* What message_part_data_is_plain_7bit() says of the parsed message */
static bool bodystructure_is_plain_7bit(const char *str)
{
	static const char *const prefix = IMAP_BODY_PLAIN_7BIT_ASCII" ";

	if (strncasecmp(str, prefix, strlen(prefix)) != 0)
		return FALSE;
	str += strlen(prefix);
	str += strspn(str, "0123456789 ");
	return strcmp(str, "NIL NIL NIL NIL") == 0;
}

/* Most mails are plain text. Dovecot doesn't cache BODYSTRUCTURE then, but a
   flag and the parts, and writes the charset in its own way from these. Returns
   FALSE if this mail is not like that. */
static bool
pgbox_mail_set_plain_7bit(struct pgbox_mail *mail,
			  const struct pgbox_message_info *info)
{
	struct index_mail *imail = &mail->imail;
	struct index_mail_data *data = &imail->data;

	if (!bodystructure_is_plain_7bit(info->bodystructure) ||
	    !pgbox_mail_set_parts(mail, info))
		return FALSE;

	/* all line ends are CRLF: header and body are as a client wants them */
	data->cache_flags |= MAIL_CACHE_FLAG_TEXT_PLAIN_7BIT_ASCII |
		MAIL_CACHE_FLAG_BINARY_HEADER | MAIL_CACHE_FLAG_BINARY_BODY |
		(imail->mail.mail.has_nuls ? MAIL_CACHE_FLAG_HAS_NULS :
		 MAIL_CACHE_FLAG_HAS_NO_NULS);
	if (special_can_add(imail, MAIL_CACHE_MESSAGE_PARTS)) {
		index_mail_cache_add(imail, MAIL_CACHE_MESSAGE_PARTS,
				     info->mime_parts, info->mime_parts_size);
	}
	if (special_can_add(imail, MAIL_CACHE_FLAGS)) {
		index_mail_cache_add(imail, MAIL_CACHE_FLAGS,
				     &data->cache_flags,
				     sizeof(data->cache_flags));
	}
	return TRUE;
}

static int
pgbox_mail_get_bodystructure(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	struct index_mail_data *data = &imail->data;
	const struct pgbox_message_info *info;

	if (index_mail_get_cached_bodystructure(imail, value_r))
		return 1;
	if (pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	if (info->bodystructure == NULL)
		return 0;
	if (pgbox_mail_set_plain_7bit(mail, info) &&
	    index_mail_get_cached_bodystructure(imail, value_r))
		return 1;
	*value_r = data->bodystructure =
		p_strdup(imail->mail.data_pool, info->bodystructure);
	if (special_can_add(imail, MAIL_CACHE_IMAP_BODYSTRUCTURE)) {
		special_cache_str(imail, MAIL_CACHE_IMAP_BODYSTRUCTURE,
				  data->bodystructure);
	}
	return 1;
}

/* BODY is BODYSTRUCTURE with less. Dovecot caches one of them, the longer one
   if that is asked for too. */
static int
pgbox_mail_get_body(struct pgbox_mail *mail, const char **value_r)
{
	struct index_mail *imail = &mail->imail;
	struct index_mail_data *data = &imail->data;
	const struct pgbox_message_info *info;
	const char *error;
	string_t *str;

	if (index_mail_get_cached_body(imail, value_r))
		return 1;
	if (pgbox_mail_get_info(mail, &info) < 0)
		return -1;
	if (info->bodystructure == NULL)
		return 0;
	if (pgbox_mail_set_plain_7bit(mail, info) &&
	    index_mail_get_cached_body(imail, value_r))
		return 1;

	str = str_new(imail->mail.data_pool, 128);
	if (imap_body_parse_from_bodystructure(info->bodystructure, str,
					       &error) < 0) {
		mail_set_critical(&imail->mail.mail,
				  "Stored imap.bodystructure is invalid: %s",
				  error);
		mail->distrusted_fields |= MAIL_FETCH_IMAP_BODYSTRUCTURE;
		return 0;
	}
	*value_r = data->body = str_c(str);
	if ((data->wanted_fields & MAIL_FETCH_IMAP_BODYSTRUCTURE) != 0 ||
	    special_want_add(imail, MAIL_CACHE_IMAP_BODYSTRUCTURE)) {
		if (special_can_add(imail, MAIL_CACHE_IMAP_BODYSTRUCTURE)) {
			special_cache_str(imail, MAIL_CACHE_IMAP_BODYSTRUCTURE,
					  info->bodystructure);
		}
	} else if (special_can_add(imail, MAIL_CACHE_IMAP_BODY))
		special_cache_str(imail, MAIL_CACHE_IMAP_BODY, data->body);
	return 1;
}

/* The value that was stored for the field */
static int
pgbox_mail_get_stored(struct pgbox_mail *mail, enum mail_fetch_field field,
		      const char **value_r)
{
	/* Without BODYSTRUCTURE there is no BODY either. */
	enum mail_fetch_field source = field == MAIL_FETCH_IMAP_BODY ?
		MAIL_FETCH_IMAP_BODYSTRUCTURE : field;

	if ((mail->distrusted_fields & source) != 0)
		return 0;
	if (field == MAIL_FETCH_IMAP_ENVELOPE)
		return pgbox_mail_get_envelope(mail, value_r);
	if (field == MAIL_FETCH_IMAP_BODYSTRUCTURE)
		return pgbox_mail_get_bodystructure(mail, value_r);
	return pgbox_mail_get_body(mail, value_r);
}

int pgbox_mail_get_special(struct mail *_mail, enum mail_fetch_field field,
			   const char **value_r)
{
	struct pgbox_mail *mail = PGBOX_MAIL(_mail);
	int ret = 0;

	if (field == MAIL_FETCH_GUID)
		return pgbox_mail_get_guid(mail, value_r);
	if (pgbox_mail_get_row_mail(_mail) == NULL)
		return index_mail_get_special(_mail, field, value_r);

	switch ((int)field) {
	case MAIL_FETCH_UIDL_BACKEND:
	case MAIL_FETCH_POP3_ORDER:
		if (pgbox_mail_has_no_pop3_values(_mail)) {
			*value_r = "";
			return 0;
		}
		return field == MAIL_FETCH_UIDL_BACKEND ?
			pgbox_mail_get_pop3_uidl(mail, value_r) :
			pgbox_mail_get_pop3_order(mail, value_r);
	case MAIL_FETCH_REFCOUNT:
		return pgbox_mail_get_refcount(mail, value_r);
	case MAIL_FETCH_REFCOUNT_ID:
		return pgbox_mail_get_refcount_id(mail, value_r);
	case MAIL_FETCH_IMAP_ENVELOPE:
	case MAIL_FETCH_IMAP_BODYSTRUCTURE:
	case MAIL_FETCH_IMAP_BODY:
		T_BEGIN {
			ret = pgbox_mail_get_stored(mail, field, value_r);
		} T_END;
		break;
	}
	if (ret != 0)
		return ret < 0 ? -1 : 0;
	return index_mail_get_special(_mail, field, value_r);
}
