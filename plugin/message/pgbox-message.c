/* Parses a message that is being saved. Uses the same parsers with the same
   flags as lib-storage does (index-mail-headers.c), so that what is stored is
   what Dovecot would compute again. Knows nothing of mailboxes or SQL. */

#include "lib.h"
#include "array.h"
#include "buffer.h"
#include "str.h"
#include "istream.h"
#include "unichar.h"
#include "message-date.h"
#include "message-header-decode.h"
#include "message-header-parser.h"
#include "message-parser.h"
#include "message-part-data.h"
#include "message-part-serialize.h"
#include "imap-bodystructure.h"
#include "imap-envelope.h"
#include "pgbox-compat.h"
#include "pgbox-message.h"

/* Analysts' columns are for looking at, not for keeping: a header of 1 MB is
   cut here and whole only in the bytes. */
#define PGBOX_MESSAGE_HEADER_MAX_BYTES 2000

struct pgbox_message_parser {
	pool_t pool;
	struct pgbox_message *message;
	struct message_part_envelope *envelope;
	struct pgbox_part_data_limits part_limits, envelope_limits;
	/* the header of the message itself is being parsed */
	bool in_root_header;
	/* the first Date counts, valid or not */
	bool date_seen;
};

static const struct message_parser_settings parser_set = {
	.hdr_flags = MESSAGE_HEADER_PARSER_FLAG_SKIP_INITIAL_LWSP |
		MESSAGE_HEADER_PARSER_FLAG_DROP_CR,
	.flags = MESSAGE_PARSER_FLAG_SKIP_BODY_BLOCK,
};

/* Returns the string as PostgreSQL takes it, at most max_size bytes. */
static const char *
text_make_valid(pool_t pool, const unsigned char *data, size_t size,
		size_t max_size)
{
	string_t *str = t_str_new(I_MIN(size, max_size) + 1);
	char *p;

	if (!uni_utf8_get_valid_data(data, size, str))
		data = str_data(str), size = str_len(str);
	if (size > max_size)
		size = uni_utf8_data_truncate(data, size, max_size);
	p = p_strndup(pool, data, size);
	return p;
}

static const char *text_lcase(pool_t pool, const char *str)
{
	if (str == NULL)
		return NULL;
	return str_lcase(p_strdup(pool,
		text_make_valid(pool, (const unsigned char *)str, strlen(str),
				PGBOX_MESSAGE_HEADER_MAX_BYTES)));
}

static const char *
header_decode(pool_t pool, const unsigned char *data, size_t size)
{
	const char *ret;

	T_BEGIN {
		string_t *str = t_str_new(128);

		message_header_decode_utf8(data,
			I_MIN(size, PGBOX_MESSAGE_HEADER_MAX_BYTES * 4),
			str, NULL);
		ret = text_make_valid(pool, str_data(str),
				      strlen(str_c(str)),
				      PGBOX_MESSAGE_HEADER_MAX_BYTES);
	} T_END;
	return ret;
}

static void
root_header_sort_keys(struct pgbox_message_parser *parser,
		      const struct message_header_line *hdr)
{
	unsigned int i;

	for (i = 0; i < PGBOX_SORT_KEY_COUNT; i++) {
		if (strcasecmp(hdr->name, pgbox_sort_key_fields[i]) != 0)
			continue;
		T_BEGIN {
			parser->message->sort_keys[i] = pgbox_sort_key_make(
				parser->pool, i,
				message_header_strdup(pool_datastack_create(),
						      hdr->full_value,
						      hdr->full_value_len));
		} T_END;
	}
}

static void
root_header_field(struct pgbox_message_parser *parser,
		  struct message_header_line *hdr)
{
	struct pgbox_message *message = parser->message;
	struct {
		const char *name;
		const char **value;
	} fields[] = {
		{ "Subject", &message->subject },
		{ "From", &message->from },
		{ "To", &message->to },
		{ "Cc", &message->cc },
		{ "Message-ID", &message->message_id },
	};
	unsigned int i;

	if (strcasecmp(hdr->name, "Date") == 0) {
		if (hdr->continues)
			hdr->use_full_value = TRUE;
		else if (!parser->date_seen) {
			parser->date_seen = TRUE;
			message->has_sent =
				message_date_parse(hdr->full_value,
						   hdr->full_value_len,
						   &message->sent,
						   &message->sent_zone);
		}
		return;
	}
	for (i = 0; i < N_ELEMENTS(fields); i++) {
		if (strcasecmp(hdr->name, fields[i].name) != 0)
			continue;
		if (hdr->continues)
			hdr->use_full_value = TRUE;
		else if (*fields[i].value == NULL) {
			*fields[i].value =
				header_decode(parser->pool, hdr->full_value,
					      hdr->full_value_len);
			root_header_sort_keys(parser, hdr);
		}
		return;
	}
}

static void
header_line(struct message_part *part, struct message_header_line *hdr,
	    struct pgbox_message_parser *parser)
{
	pgbox_part_data_parse_from_header(parser->pool, part,
					  &parser->part_limits, hdr);
	if (part->parent != NULL)
		return;
	pgbox_envelope_parse_from_header(parser->pool, &parser->envelope,
					 &parser->envelope_limits, hdr);
	if (hdr != NULL && !hdr->eoh)
		root_header_field(parser, hdr);
}

static const char *part_param(const struct message_part_data *data,
			      const char *name)
{
	unsigned int i;

	for (i = 0; i < data->content_type_params_count; i++) {
		if (strcasecmp(data->content_type_params[i].name, name) == 0)
			return data->content_type_params[i].value;
	}
	return NULL;
}

static const char *part_media_type(pool_t pool, const struct message_part *part)
{
	const struct message_part_data *data = part->data;

	if (data->content_type == NULL) {
		/* RFC 2046 5.1.5, RFC 2045 5.2 */
		return part->parent != NULL &&
			(part->parent->flags &
			 MESSAGE_PART_FLAG_MULTIPART_DIGEST) != 0 ?
			"message/rfc822" : "text/plain";
	}
	return text_lcase(pool, t_strconcat(data->content_type, "/",
					    data->content_subtype, NULL));
}

static void
part_add(struct pgbox_message_parser *parser, const struct message_part *part,
	 const char *section)
{
	const struct message_part_data *data = part->data;
	struct pgbox_message_part *row;
	const char *filename;

	row = array_append_space(&parser->message->parts);
	row->section = p_strdup(parser->pool, section);
	row->media_type = part_media_type(parser->pool, part);
	row->charset = text_lcase(parser->pool, part_param(data, "charset"));
	row->encoding = text_lcase(parser->pool,
				   data->content_transfer_encoding);
	row->disposition = text_lcase(parser->pool, data->content_disposition);
	if (message_part_data_get_filename(part, &filename) &&
	    filename != NULL) {
		row->filename = header_decode(parser->pool,
			(const unsigned char *)filename, strlen(filename));
	}
	row->header_offset = part->physical_pos;
	row->header_size = part->header_size.physical_size;
	row->body_size = part->body_size.physical_size;
	row->body_lines = part->body_size.lines;
}

/* The number of a child (RFC 3501 6.4.5). The message inside a message/rfc822
   part has no number of its own: if it is a multipart its children count below
   the outer part, otherwise its body is part 1. */
static void
parts_add(struct pgbox_message_parser *parser, const struct message_part *part,
	  const char *section)
{
	const struct message_part *child;
	unsigned int n = 0;

	if ((part->flags & MESSAGE_PART_FLAG_MULTIPART) != 0) {
		/* the container's number is its message/rfc822 part's */
		if (part->parent == NULL || (part->parent->flags &
				MESSAGE_PART_FLAG_MESSAGE_RFC822) == 0)
			part_add(parser, part, section);
		for (child = part->children; child != NULL; child = child->next)
			T_BEGIN {
				parts_add(parser, child, *section == '\0' ?
					  t_strdup_printf("%u", ++n) :
					  t_strdup_printf("%s.%u", section, ++n));
			} T_END;
		return;
	}
	if (part->parent == NULL)
		section = "1";
	else if ((part->parent->flags & MESSAGE_PART_FLAG_MESSAGE_RFC822) != 0)
		section = t_strconcat(section, ".1", NULL);
	part_add(parser, part, section);
	if ((part->flags & MESSAGE_PART_FLAG_MESSAGE_RFC822) != 0 &&
	    part->children != NULL)
		parts_add(parser, part->children, section);
}

static void
message_finish(struct pgbox_message_parser *parser, struct message_part *root)
{
	struct pgbox_message *message = parser->message;
	buffer_t *buf;
	string_t *str;
	const char *error;

	message->header_size = root->header_size.physical_size;
	message->size = message->header_size + root->body_size.physical_size;

	buf = buffer_create_dynamic(parser->pool, 128);
	message_part_serialize(root, buf);
	message->mime_parts = buf;

	str = str_new(parser->pool, 256);
	PGBOX_COMPAT_ENVELOPE_WRITE(parser->envelope, str);
	message->envelope = str_c(str);

	str = str_new(parser->pool, 256);
	if (PGBOX_COMPAT_BODYSTRUCTURE_WRITE(root, str, &error) < 0)
		i_panic("pgbox: bodystructure of a parsed message: %s", error);
	message->bodystructure = str_c(str);

	p_array_init(&message->parts, parser->pool, 4);
	parts_add(parser, root, "");
}

int pgbox_message_parse(pool_t pool, struct istream *input,
			struct pgbox_message *message_r)
{
	struct pgbox_message_parser parser;
	struct message_parser_ctx *parser_ctx;
	struct message_part *root;
	struct message_size header_size;
	unsigned int i;

	i_zero(message_r);
	i_zero(&parser);
	parser.pool = pool;
	parser.message = message_r;
	for (i = 0; i < PGBOX_SORT_KEY_COUNT; i++)
		message_r->sort_keys[i] = pgbox_sort_key_make(pool, i, NULL);
	pgbox_part_data_limits_init(&parser.part_limits);
	pgbox_part_data_limits_init(&parser.envelope_limits);

	i_stream_seek(input, 0);
	parser_ctx = message_parser_init(pool, input, &parser_set);
	message_parser_parse_header(parser_ctx, &header_size,
				    header_line, &parser);
	message_parser_parse_body(parser_ctx, header_line, &parser);
	message_parser_deinit(&parser_ctx, &root);
	if (input->stream_errno != 0)
		return -1;
	message_finish(&parser, root);
	return 0;
}
