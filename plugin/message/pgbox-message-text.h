#ifndef PGBOX_MESSAGE_TEXT_H
#define PGBOX_MESSAGE_TEXT_H

/* The text of a message as SEARCH compares it: what Dovecot's matcher would look
   a key up in, written down. A key without line ends is found in one of these
   strings if and only if the matcher finds it. */

#include "unichar.h"

struct istream;
struct message_part;

/* Stands between pieces that no key may span, and for NULs. The normaliser never
   gives it (U+00A0 becomes a space), so no normalised key has it. */
#define PGBOX_TEXT_SEPARATOR "\xc2\xa0"

/* Header fields that have a column of their own: the matcher changes their values
   before it compares, but for Message-ID, which is looked for often and has
   little that other headers don't have */
enum pgbox_text_field {
	PGBOX_TEXT_FIELD_FROM,
	PGBOX_TEXT_FIELD_TO,
	PGBOX_TEXT_FIELD_CC,
	PGBOX_TEXT_FIELD_BCC,
	PGBOX_TEXT_FIELD_SUBJECT,
	PGBOX_TEXT_FIELD_MESSAGE_ID,

	PGBOX_TEXT_FIELD_COUNT
};

extern const char *const pgbox_text_field_names[PGBOX_TEXT_FIELD_COUNT];

/* UTF-8 without NULs. Heap memory, freed by pgbox_message_text_free(). */
struct pgbox_message_text {
	/* headers of the message and its parts: for TEXT, and more than enough
	   for a HEADER of any name */
	string_t *header;
	string_t *fields[PGBOX_TEXT_FIELD_COUNT];
	/* bodies of text parts, for BODY and TEXT; NULL if not wanted or if
	   there is more than max_bytes */
	string_t *body;
	/* NULL, or why there is no text at all or no body, as it will never
	   be otherwise */
	const char *error;
};

struct pgbox_text_settings {
	normalizer_func_t *normalizer;
	bool want_body;
	/* of header and body each */
	size_t max_bytes;
};

/* Reads the message from its start. parts may be NULL: then it is parsed.
   Returns 0, or -1 if reading failed (see the stream's error) or the parts don't
   fit the message. */
int pgbox_message_text_read(struct istream *input, struct message_part *parts,
			    const struct pgbox_text_settings *set,
			    struct pgbox_message_text *text_r);
void pgbox_message_text_free(struct pgbox_message_text *text);

#endif
