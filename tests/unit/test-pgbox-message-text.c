/* The text that SEARCH compares, and the checksum of how it was folded. */

#include "lib.h"
#include "str.h"
#include "istream.h"
#include "pgbox-folding.h"
#include "pgbox-message-text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define SEP PGBOX_TEXT_SEPARATOR
#define PART(type, more, text) \
	"--b\r\nContent-Type: " type "\r\n" more "\r\n" text "\r\n"
#define MULTIPART(parts) \
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n" parts "--b--\r\n"

static const struct {
	const char *message;
	/* NULL: not looked at */
	const char *body, *subject, *from;
	/* in the header */
	const char *has;
} rows[] = {
	/* folding */
	{ "Subject: Hello\r\n\r\nGr\xc3\xbc\xc3\x9f""e\r\n", NULL, "HELLO" SEP, "", "SUBJECT: HELLO\r\n" },
	{ "Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9f""e", "GRU\xcc\x88\xc3\x9f""E", NULL, NULL, NULL },
	{ "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdf""e", "GRU\xcc\x88\xc3\x9f""E", NULL, NULL, NULL },
	/* what the user can't type */
	{ "Content-Type: text/plain; charset=utf-8\r\n\r\na\xc2\xa0""b", "A B", NULL, NULL, NULL },
	/* encodings */
	{ "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n", "HELLO", NULL, NULL, NULL },
	{ "Content-Transfer-Encoding: quoted-printable\r\n\r\nhel=\r\nlo=21", "HELLO!", NULL, NULL, NULL },
	{ "Content-Transfer-Encoding: x-unknown\r\n\r\nhello", NULL, NULL, NULL, "X-UNKNOWN" },
	/* parts */
	{ MULTIPART(PART("text/plain", "", "one") PART("text/html", "", "<b>two</b>")), "ONE" SEP "<B>TWO</B>", NULL, NULL, "TEXT/HTML\r\n" },
	{ MULTIPART(PART("image/png", "", "png") PART("text/plain", "", "two")), "TWO", NULL, NULL, "IMAGE/PNG" },
	{ MULTIPART(PART("message/rfc822", "", "Subject: inner\r\n\r\nbody")), "BODY", "", NULL, "SUBJECT: INNER\r\n" },
	/* header fields */
	{ "Subject: one\r\nSubject:  two \t words\r\n\r\n", "", "ONE" SEP "TWO WORDS" SEP, NULL, NULL },
	{ "Subject: =?utf-8?q?=C3=A4?= =?utf-8?q?b?=\r\n\r\n", "", "A\xcc\x88""B" SEP, NULL, NULL },
	{ "From: \"Ann Example\" <ann@example.org>\r\n\r\n", "", "", "\"ANN EXAMPLE\" <ANN@EXAMPLE.ORG>" SEP, NULL },
	{ "From: Ann\r\n <ann@example.org>,\r\n bob@example.org\r\n\r\n", "", "", "ANN <ANN@EXAMPLE.ORG>, <BOB@EXAMPLE.ORG>" SEP, NULL },
	{ "no header", NULL, "", "", NULL },
	{ "", "", "", "", NULL },
};

static bool text_differs(string_t *text, const char *expected)
{
	return expected != NULL && strcmp(str_c(text), expected) != 0;
}

static void
read_text(const char *message, size_t size, size_t max_bytes, bool want_body,
	  struct pgbox_message_text *text_r)
{
	const struct pgbox_text_settings set = {
		.normalizer = uni_utf8_to_decomposed_titlecase,
		.want_body = want_body,
		.max_bytes = max_bytes,
	};
	struct istream *input = i_stream_create_from_data(message, size);

	assert_int_equal(pgbox_message_text_read(input, NULL, &set, text_r), 0);
	i_stream_unref(&input);
}

static void test_table(void **state ATTR_UNUSED)
{
	struct pgbox_message_text text;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(rows); i++) {
		read_text(rows[i].message, strlen(rows[i].message), 10000, TRUE,
			  &text);
		assert_null(text.error);
		if (text_differs(text.body, rows[i].body))
			fail_msg("row %u: body: %s", i, str_c(text.body));
		if (text_differs(text.fields[PGBOX_TEXT_FIELD_SUBJECT],
				 rows[i].subject))
			fail_msg("row %u: subject: %s", i, str_c(
				text.fields[PGBOX_TEXT_FIELD_SUBJECT]));
		if (text_differs(text.fields[PGBOX_TEXT_FIELD_FROM],
				 rows[i].from))
			fail_msg("row %u: from: %s", i, str_c(
				text.fields[PGBOX_TEXT_FIELD_FROM]));
		if (rows[i].has != NULL &&
		    strstr(str_c(text.header), rows[i].has) == NULL)
			fail_msg("row %u: header: %s", i, str_c(text.header));
		pgbox_message_text_free(&text);
	}
}

/* PostgreSQL takes none, and no key has one. */
static void test_nuls(void **state ATTR_UNUSED)
{
	static const char message[] = "Subject: a\0b\r\n\r\nc\0d";
	struct pgbox_message_text text;

	read_text(message, sizeof(message) - 1, 1000, TRUE, &text);
	assert_null(text.error);
	assert_int_equal(strlen(str_c(text.body)), str_len(text.body));
	assert_int_equal(strlen(str_c(text.header)), str_len(text.header));
	pgbox_message_text_free(&text);
}

static void test_limits(void **state ATTR_UNUSED)
{
	static const char message[] = "Subject: short\r\n\r\na long body of text";
	struct pgbox_message_text text;

	read_text(message, strlen(message), 10000, FALSE, &text);
	assert_null(text.error);
	assert_null(text.body);
	pgbox_message_text_free(&text);

	read_text(message, strlen(message), 18, TRUE, &text);
	assert_non_null(strstr(text.error, "body"));
	assert_null(text.body);
	assert_string_equal(str_c(text.header), "SUBJECT: SHORT\r\n\r\n");
	pgbox_message_text_free(&text);

	read_text(message, strlen(message), 5, TRUE, &text);
	assert_non_null(strstr(text.error, "header"));
	assert_null(text.header);
	pgbox_message_text_free(&text);
}

static void test_folding(void **state ATTR_UNUSED)
{
	assert_int_equal(pgbox_folding_get(), pgbox_folding_get());
	assert_int_not_equal(pgbox_folding_get(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nuls),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_folding),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
