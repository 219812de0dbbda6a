/* Random trees of search arguments. Simplified trees have no match_not at OR and
   SUB; the compiler must bear them. */

#include "search-trees.h"

#include <stdlib.h>

#define MAX_DEPTH 6

static const char *const keys[] = {
	"", "A", "AB", "ABC", "BCA", "CAB", "AAA", "%", "A%B", "_", "\\", "\\%",
	"'; DROP TABLE MAIL; --", "$1", "\xc3\x84", "\r\n", "A\nB", "ABCABCABC",
	"\xc2\xa0", "A B", "ABC%", "\xe7\x94\xb5\xe5\xad\x90\xe9\x82\xae",
};
static const char *const field_names[] = {
	"FROM", "TO", "CC", "BCC", "SUBJECT", "MESSAGE-ID", "X'\"%", "",
};

static unsigned int pick(unsigned int count)
{
	return (unsigned int)random() % count;
}

static const char *key_random(pool_t pool)
{
	string_t *str;
	unsigned int i;

	if (pick(50) != 0)
		return keys[pick(N_ELEMENTS(keys))];
	str = str_new(pool, 1024);
	for (i = 0; i < 600; i++)
		str_append(str, "AB\xc3\x96");
	return str_c(str);
}

static enum mail_search_arg_type leaf_type_random(void)
{
	static const enum mail_search_arg_type types[] = {
		SEARCH_BODY, SEARCH_BODY, SEARCH_TEXT, SEARCH_HEADER,
		SEARCH_HEADER_ADDRESS, SEARCH_HEADER_ADDRESS,
		SEARCH_HEADER_COMPRESS_LWSP,
	};

	if (pick(4) != 0)
		return types[pick(N_ELEMENTS(types))];
	/* any other, up to the last one */
	return SEARCH_ALL + pick(SEARCH_MIMEPART - SEARCH_ALL + 1);
}

static struct mail_search_arg *
arg_random(pool_t pool, unsigned int depth)
{
	struct mail_search_arg *arg = p_new(pool, struct mail_search_arg, 1);
	struct mail_search_arg *sub;
	unsigned int i, count;

	arg->match_not = pick(4) == 0;
	arg->result = -1;
	if (depth >= MAX_DEPTH || pick(2) == 0) {
		arg->type = leaf_type_random();
		arg->value.str = key_random(pool);
		arg->hdr_field_name =
			field_names[pick(N_ELEMENTS(field_names))];
		return arg;
	}
	arg->type = pick(2) == 0 ? SEARCH_OR : SEARCH_SUB;
	arg->match_not = pick(20) == 0;
	count = 1 + pick(4);
	for (i = 0; i < count; i++) {
		sub = arg_random(pool, depth + 1);
		sub->next = arg->value.subargs;
		arg->value.subargs = sub;
	}
	return arg;
}

struct mail_search_arg *test_tree_random(pool_t pool)
{
	struct mail_search_arg *args = NULL, *arg;
	unsigned int i, count = 1 + pick(4);

	for (i = 0; i < count; i++) {
		arg = arg_random(pool, 0);
		arg->next = args;
		args = arg;
	}
	return args;
}

static const char *text_random(void)
{
	static const char *const pieces[] = {
		"A", "B", "C", "AB", "ABC", "%", "_", "\\", " ", "\r\n",
		PGBOX_TEXT_SEPARATOR, "A\xcc\x88", "FROM", "SUBJECT", "'",
	};
	string_t *str = t_str_new(64);
	unsigned int i, count = pick(12);

	for (i = 0; i < count; i++)
		str_append(str, pieces[pick(N_ELEMENTS(pieces))]);
	return str_c(str);
}

void test_mail_random(struct test_mail *mail_r)
{
	unsigned int i;

	mail_r->random = (unsigned int)random();
	mail_r->header = text_random();
	mail_r->body = text_random();
	for (i = 0; i < N_ELEMENTS(mail_r->fields); i++)
		mail_r->fields[i] = text_random();
}

static const char *normalize(const char *key)
{
	string_t *str = t_str_new(64);

	if (uni_utf8_to_decomposed_titlecase(key, strlen(key), str) < 0)
		i_unreached();
	return str_c(str);
}

/* What only Dovecot's matcher knows */
static bool
arg_is_lucky(const struct mail_search_arg *arg, const struct test_mail *mail)
{
	return ((mail->random ^ (POINTER_CAST_TO(arg, uintptr_t) >> 4)) & 1) != 0;
}

static bool
header_match(const struct mail_search_arg *arg, const struct test_mail *mail)
{
	const char *key = normalize(arg->value.str);
	unsigned int i;

	if (*key == '\0') {
		return strstr(mail->header, normalize(arg->hdr_field_name)) != NULL &&
			*arg->hdr_field_name != '\0' && arg_is_lucky(arg, mail);
	}
	for (i = 0; i < PGBOX_TEXT_FIELD_COUNT; i++) {
		if (strcasecmp(arg->hdr_field_name,
			       pgbox_text_field_names[i]) == 0 &&
		    arg->type == (i == PGBOX_TEXT_FIELD_MESSAGE_ID ?
				  SEARCH_HEADER :
				  i == PGBOX_TEXT_FIELD_SUBJECT ?
				  SEARCH_HEADER_COMPRESS_LWSP :
				  SEARCH_HEADER_ADDRESS))
			return strstr(mail->fields[i], key) != NULL;
	}
	if (arg->type != SEARCH_HEADER)
		return arg_is_lucky(arg, mail);
	return strstr(mail->header, key) != NULL && arg_is_lucky(arg, mail);
}

static bool
leaf_match(const struct mail_search_arg *arg, const struct test_mail *mail)
{
	const char *key;

	switch (arg->type) {
	case SEARCH_BODY:
	case SEARCH_TEXT:
		key = normalize(arg->value.str);
		/* the matcher finds nothing then */
		if (*key == '\0')
			return FALSE;
		if (strstr(mail->body, key) != NULL)
			return TRUE;
		if (arg->type == SEARCH_BODY)
			return FALSE;
		return strstr(mail->header, key) != NULL ||
			(strpbrk(key, "\r\n") != NULL &&
			 arg_is_lucky(arg, mail));
	case SEARCH_HEADER:
	case SEARCH_HEADER_ADDRESS:
	case SEARCH_HEADER_COMPRESS_LWSP:
		return header_match(arg, mail);
	default:
		return arg_is_lucky(arg, mail);
	}
}

bool test_arg_match(const struct mail_search_arg *arg,
		    const struct test_mail *mail)
{
	const struct mail_search_arg *sub;
	bool match;

	if (arg->type == SEARCH_OR) {
		match = FALSE;
		for (sub = arg->value.subargs; sub != NULL; sub = sub->next)
			match = match || test_arg_match(sub, mail);
	} else if (arg->type == SEARCH_SUB) {
		match = test_args_match(arg->value.subargs, mail);
	} else {
		match = leaf_match(arg, mail);
	}
	return match != arg->match_not;
}

bool test_args_match(const struct mail_search_arg *args,
		     const struct test_mail *mail)
{
	for (; args != NULL; args = args->next) {
		if (!test_arg_match(args, mail))
			return FALSE;
	}
	return TRUE;
}
