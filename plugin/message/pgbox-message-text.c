/* Extracts the text of a message that SEARCH looks keys up in. It lets Dovecot's
   own matcher decode and writes down what that compares; see message-search.c and
   index-search.c of Dovecot. Knows nothing of mailboxes or SQL. */

#include "pgbox-config.h"
#include "lib.h"
#include "istream.h"
#include "str.h"
#include "unichar.h"
#include "message-address.h"
#include "message-parser.h"
#include "message-search.h"
#include "pgbox-db.h"
#include "pgbox-message-text.h"

/* A line of the matcher's view of a header ends so. */
#define CRLF "\r\n"

const char *const pgbox_text_field_names[PGBOX_TEXT_FIELD_COUNT] = {
	[PGBOX_TEXT_FIELD_FROM] = "From",
	[PGBOX_TEXT_FIELD_TO] = "To",
	[PGBOX_TEXT_FIELD_CC] = "Cc",
	[PGBOX_TEXT_FIELD_BCC] = "Bcc",
	[PGBOX_TEXT_FIELD_SUBJECT] = "Subject",
	[PGBOX_TEXT_FIELD_MESSAGE_ID] = "Message-ID",
};

struct text_reader {
	struct pgbox_message_text *text;
	const struct pgbox_text_settings *set;
	/* decode, and look for what can't be found */
	struct message_search_context *blocks, *fields;
	struct message_part *prev_part;
	bool header_too_large, body_too_large;
};

/* NULs, which no key has and PostgreSQL does not take, become separators. */
static void text_append(string_t *dest, const void *_data, size_t size)
{
	const unsigned char *data = _data, *nul;
	size_t len;

	while (size > 0) {
		nul = memchr(data, '\0', size);
		len = nul == NULL ? size : (size_t)(nul - data);
		str_append_data(dest, data, len);
		if (nul == NULL)
			break;
		str_append(dest, PGBOX_TEXT_SEPARATOR);
		data += len + 1;
		size -= len + 1;
	}
}

static void
header_append(struct text_reader *reader, const struct message_header_line *hdr)
{
	string_t *dest = reader->text->header;

	if (str_len(dest) > reader->set->max_bytes) {
		reader->header_too_large = TRUE;
		return;
	}
	text_append(dest, hdr->name, hdr->name_len);
	text_append(dest, hdr->middle, hdr->middle_len);
	text_append(dest, hdr->full_value, hdr->full_value_len);
	if (!hdr->no_newline)
		str_append(dest, CRLF);
}

static void
body_append(struct text_reader *reader, const struct message_block *block)
{
	string_t *dest = reader->text->body;

	if (dest == NULL || reader->body_too_large)
		return;
	if (str_len(dest) + block->size > reader->set->max_bytes)
		reader->body_too_large = TRUE;
	else
		text_append(dest, block->data, block->size);
}

/* The matcher forgets the beginning of a key when the part changes. */
static void
part_begin(struct text_reader *reader, struct message_part *part)
{
	struct pgbox_message_text *text = reader->text;

	if (part == reader->prev_part)
		return;
	reader->prev_part = part;
	if (str_len(text->header) > 0)
		str_append(text->header, PGBOX_TEXT_SEPARATOR);
	if (text->body != NULL && str_len(text->body) > 0)
		str_append(text->body, PGBOX_TEXT_SEPARATOR);
}

static int
read_blocks(struct text_reader *reader, struct istream *input,
	    struct message_part *parts, pool_t pool)
{
	const struct message_parser_settings parser_set = {
		.hdr_flags = MESSAGE_HEADER_PARSER_FLAG_CLEAN_ONELINE,
	};
	struct message_parser_ctx *parser;
	struct message_block raw, decoded;
	struct message_part *parsed;
	const char *error;
	int ret;

	parser = parts != NULL ?
		message_parser_init_from_parts(parts, input, &parser_set) :
		message_parser_init(pool, input, &parser_set);
	while ((ret = message_parser_parse_next_block(parser, &raw)) > 0) {
		T_BEGIN {
			part_begin(reader, raw.part);
			(void)message_search_more_get_decoded(reader->blocks,
							      &raw, &decoded);
			if (decoded.hdr != NULL)
				header_append(reader, decoded.hdr);
			else if (decoded.size > 0)
				body_append(reader, &decoded);
		} T_END;
	}
	i_assert(ret < 0);
	ret = input->stream_errno != 0 ? -1 : 0;
	if (message_parser_deinit_from_parts(&parser, &parsed, &error) < 0)
		ret = -1;
	return ret;
}

/* ---- header fields: search_header_arg() of index-search.c ---- */

static void field_to_address(string_t *dest,
			     const struct message_header_line *hdr)
{
	struct message_address *addr;

	addr = message_address_parse(pool_datastack_create(), hdr->full_value,
		hdr->full_value_len, UINT_MAX,
		MESSAGE_ADDRESS_PARSE_FLAG_FILL_MISSING);
	message_address_write(dest, addr);
}

static void field_compress_lwsp(string_t *dest,
				const struct message_header_line *hdr)
{
	bool prev_lwsp = TRUE;
	size_t i;

	for (i = 0; i < hdr->full_value_len; i++) {
		if (!IS_LWSP(hdr->full_value[i]))
			str_append_c(dest, hdr->full_value[i]);
		else if (!prev_lwsp)
			str_append_c(dest, ' ');
		prev_lwsp = IS_LWSP(hdr->full_value[i]);
	}
}

static void
field_append(struct text_reader *reader, enum pgbox_text_field field,
	     const struct message_header_line *orig_hdr)
{
	string_t *dest = reader->text->fields[field];
	string_t *value = t_str_new(orig_hdr->full_value_len);
	struct message_header_line hdr = *orig_hdr;
	struct message_block block, decoded;

	if (field == PGBOX_TEXT_FIELD_SUBJECT)
		field_compress_lwsp(value, orig_hdr);
	else if (field != PGBOX_TEXT_FIELD_MESSAGE_ID)
		field_to_address(value, orig_hdr);
	hdr.name = "";
	hdr.name_len = 0;
	hdr.middle_len = 0;
	if (field != PGBOX_TEXT_FIELD_MESSAGE_ID) {
		hdr.value = hdr.full_value = str_data(value);
		hdr.value_len = hdr.full_value_len = str_len(value);
	}

	i_zero(&block);
	block.hdr = &hdr;
	(void)message_search_more_get_decoded(reader->fields, &block, &decoded);
	i_assert(decoded.hdr != NULL);
	text_append(dest, decoded.hdr->full_value, decoded.hdr->full_value_len);
	str_append(dest, PGBOX_TEXT_SEPARATOR);
}

static void
field_line(struct message_header_line *hdr, struct text_reader *reader)
{
	unsigned int i;

	if (hdr == NULL || hdr->eoh)
		return;
	for (i = 0; i < PGBOX_TEXT_FIELD_COUNT; i++) {
		if (strcasecmp(hdr->name, pgbox_text_field_names[i]) == 0)
			break;
	}
	if (i == PGBOX_TEXT_FIELD_COUNT)
		return;
	if (hdr->continues)
		hdr->use_full_value = TRUE;
	else T_BEGIN {
		field_append(reader, i, hdr);
	} T_END;
}

static int read_fields(struct text_reader *reader, struct istream *input)
{
	message_parse_header(input, NULL,
			     MESSAGE_HEADER_PARSER_FLAG_CLEAN_ONELINE,
			     field_line, reader);
	return input->stream_errno != 0 ? -1 : 0;
}

/* ---- the whole ---- */

static bool text_is_valid(const string_t *str)
{
	return pgbox_db_text_is_valid((const char *)str_data(str),
				      str_len(str));
}

static void text_check(struct text_reader *reader)
{
	struct pgbox_message_text *text = reader->text;
	bool valid = text_is_valid(text->header);
	unsigned int i;

	for (i = 0; i < PGBOX_TEXT_FIELD_COUNT; i++)
		valid = valid && text_is_valid(text->fields[i]);
	if (reader->header_too_large || !valid) {
		text->error = valid ? "The header is too large" :
			"The header's text is not UTF-8";
		str_free(&text->header);
		if (text->body != NULL)
			str_free(&text->body);
	} else if (text->body != NULL && reader->body_too_large) {
		text->error = "The body is too large";
		str_free(&text->body);
	} else if (text->body != NULL && !text_is_valid(text->body)) {
		text->error = "The body's text is not UTF-8";
		str_free(&text->body);
	}
}

int pgbox_message_text_read(struct istream *input, struct message_part *parts,
			    const struct pgbox_text_settings *set,
			    struct pgbox_message_text *text_r)
{
	struct text_reader reader = { .text = text_r, .set = set };
	pool_t pool = NULL;
	unsigned int i;
	int ret;

	i_zero(text_r);
	text_r->header = str_new(default_pool, 4096);
	for (i = 0; i < PGBOX_TEXT_FIELD_COUNT; i++)
		text_r->fields[i] = str_new(default_pool, 64);
	if (set->want_body)
		text_r->body = str_new(default_pool, 8192);
	if (parts == NULL)
		pool = pool_alloconly_create("pgbox text parts", 1024);

	reader.blocks = message_search_init(PGBOX_TEXT_SEPARATOR,
					    set->normalizer, 0);
	reader.fields = message_search_init(PGBOX_TEXT_SEPARATOR,
					    set->normalizer, 0);
	i_stream_seek(input, 0);
	ret = read_fields(&reader, input);
	if (ret == 0) {
		i_stream_seek(input, 0);
		message_search_reset(reader.blocks);
		ret = read_blocks(&reader, input, parts, pool);
	}
	message_search_deinit(&reader.fields);
	message_search_deinit(&reader.blocks);
	pool_unref(&pool);
	if (ret < 0)
		pgbox_message_text_free(text_r);
	else
		text_check(&reader);
	return ret;
}

void pgbox_message_text_free(struct pgbox_message_text *text)
{
	unsigned int i;

	str_free(&text->header);
	for (i = 0; i < PGBOX_TEXT_FIELD_COUNT; i++)
		str_free(&text->fields[i]);
	str_free(&text->body);
}
