/* The compiler of searches: what it sends of them, in a table; and that what
   it sends is true, with random trees and mails. Environment: PGBOX_FUZZ_TREES. */

#include "search-trees.h"
#include "mail-search-build.h"
#include "mail-search-parser.h"
#include "mail-search-register.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FUZZ_TREES 5000
/* Patterns are $6 and so on. */
#define FIRST_PATTERN 6
#define FUZZ_MAILS 8

static void
compile(pool_t pool, struct mail_search_arg *args, bool bodies,
	ARRAY_TYPE(pgbox_search_group) *groups)
{
	const struct pgbox_search_sql_settings set = {
		.normalizer = uni_utf8_to_decomposed_titlecase,
		.bodies = bodies,
	};

	p_array_init(groups, pool, 4);
	pgbox_search_sql_compile(pool, args, &set, groups);
}

/* The condition in the statement */
static const char *group_get_condition(const struct pgbox_search_group *group)
{
	static const char begin[] =
		" and (t.folding = $5 or pgbox.text_cost(t.message_id)) and ";
	const char *start = strstr(group->query.sql, begin), *end;

	assert_non_null(start);
	start += strlen(begin);
	end = strstr(start, " offset 0)");
	assert_non_null(end);
	return t_strdup_until(start, end);
}

static void group_append(string_t *str, const struct pgbox_search_group *group)
{
	const char *pattern;

	str_append(str, group->arg == NULL ? "list" : "part");
	if (group->exact)
		str_append(str, " exact");
	if (group->scan)
		str_append(str, " scan");
	if (strstr(group->query.sql, "not t.has_header") != NULL)
		str_append(str, " header");
	if (array_count(&group->exact_args) > 0)
		str_printfa(str, " knows %u", array_count(&group->exact_args));
	str_printfa(str, ": %s", group_get_condition(group));
	array_foreach_elem(&group->patterns, pattern)
		str_printfa(str, " [%s]", pattern);
	str_append_c(str, '\n');
}

static const struct {
	const char *search, *groups;
} rows[] = {
	/* single keys */
	{ "BODY word", "list knows 1: t.body like $6 [%WORD%]\n" },
	{ "TEXT word", "list knows 1: (t.header like $6 or t.body like $6) [%WORD%]\n" },
	{ "FROM word", "list header knows 1: t.from_field like $6 [%WORD%]\n" },
	{ "TO word", "list header knows 1: t.to_field like $6 [%WORD%]\n" },
	{ "CC word", "list header knows 1: t.cc_field like $6 [%WORD%]\n" },
	{ "BCC word", "list header knows 1: t.bcc_field like $6 [%WORD%]\n" },
	{ "SUBJECT word", "list header knows 1: t.subject_field like $6 [%WORD%]\n" },
	{ "HEADER Message-ID <a@b.cd>", "list header knows 1: t.message_id_field like $6 [%<A@B.CD>%]\n" },
	{ "HEADER x-Some-Thing \"\"", "list header: t.header like $6 [%X-SOME-THING%]\n" },
	{ "HEADER from word", "list header: t.header like $6 [%WORD%]\n" },
	{ "FROM \"\"", "list header: t.header like $6 [%FROM%]\n" },
	/* keys */
	{ "BODY 50%_\\\\x", "list knows 1: t.body like $6 [%50\\%\\_\\\\X%]\n" },
	{ "BODY ab", "list scan knows 1: t.body like $6 [%AB%]\n" },
	{ "BODY a-", "list scan knows 1: t.body like $6 [%A-%]\n" },
	{ "BODY ab-", "list knows 1: t.body like $6 [%AB-%]\n" },
	{ "BODY -a", "list knows 1: t.body like $6 [%-A%]\n" },
	{ "BODY -%_", "list scan knows 1: t.body like $6 [%-\\%\\_%]\n" },
	{ "BODY M\xc3\xbcller", "list knows 1: t.body like $6 [%MU\xcc\x88LLER%]\n" },
	{ "BODY \xe7\x94\xb5\xe5\xad\x90", "list scan knows 1: t.body like $6 [%\xe7\x94\xb5\xe5\xad\x90%]\n" },
	{ "BODY x\xc2\xa0y", "list knows 1: t.body like $6 [%X Y%]\n" },
	{ "BODY \"'; drop table mail; --\"", "list knows 1: t.body like $6 [%'; DROP TABLE MAIL; --%]\n" },
	/* what has nothing to do with text */
	{ "ALL", "" },
	{ "UNSEEN SINCE 1-Jan-2020 LARGER 5", "" },
	{ "OR FLAGGED KEYWORD work", "" },
	{ "UID 1:5", "" },
	/* lists */
	{ "UNSEEN BODY word", "list knows 1: t.body like $6 [%WORD%]\n" },
	{ "FROM ann BODY word", "list knows 2: t.from_field like $6 and t.body like $7 [%ANN%] [%WORD%]\n" },
	{ "FROM ann HEADER x word", "list header knows 1: t.from_field like $6 and t.header like $7 [%ANN%] [%WORD%]\n" },
	/* NOT: beside an indexed key, otherwise of what is not negated */
	{ "NOT BODY word", "part exact: t.body like $6 [%WORD%]\n" },
	{ "NOT HEADER x word", "part header: t.header like $6 [%WORD%]\n" },
	{ "FROM ann NOT BODY word", "list knows 2: t.from_field like $6 and not t.body like $7 [%ANN%] [%WORD%]\n" },
	{ "FROM an NOT BODY word", "list scan header knows 1: t.from_field like $6 [%AN%]\npart exact: t.body like $6 [%WORD%]\n" },
	{ "FROM ann NOT HEADER x word", "list header knows 1: t.from_field like $6 [%ANN%]\npart header: t.header like $6 [%WORD%]\n" },
	{ "NOT TEXT word FROM ann", "list knows 2: not (t.header like $6 or t.body like $6) and t.from_field like $7 [%WORD%] [%ANN%]\n" },
	/* OR */
	{ "OR FROM ann BODY word", "list knows 1: (t.from_field like $6 or t.body like $7) [%ANN%] [%WORD%]\n" },
	{ "OR FROM ann HEADER x word", "list header: (t.from_field like $6 or t.header like $7) [%ANN%] [%WORD%]\n" },
	{ "OR FLAGGED BODY word", "part exact: t.body like $6 [%WORD%]\n" },
	{ "OR NOT BODY one BODY two", "part exact: t.body like $6 [%ONE%]\npart exact: t.body like $6 [%TWO%]\n" },
	{ "OR (FLAGGED FROM ann) (SEEN BODY word)", "list: ((t.from_field like $6) or (t.body like $7)) [%ANN%] [%WORD%]\n" },
	{ "OR FLAGGED (SEEN BODY word)", "part knows 1: t.body like $6 [%WORD%]\n" },
	{ "OR FLAGGED (SEEN NOT BODY word)", "part exact: t.body like $6 [%WORD%]\n" },
	/* Dovecot prepares the value only once */
	{ "SUBJECT word HEADER subject other", "" },
	{ "FROM ann OR SEEN HEADER from other", "" },
	{ "SUBJECT word HEADER subject \"\"", "list header knows 1: t.subject_field like $6 and t.header like $7 [%WORD%] [%SUBJECT%]\n" },
};

static struct mail_search_args *build(const char *search)
{
	struct mail_search_parser *parser;
	struct mail_search_args *args;
	const char *charset = "UTF-8", *error = NULL;
	ARRAY_TYPE(const_string) words;
	string_t *word = NULL;
	bool quoted = FALSE;
	const char *str;

	t_array_init(&words, 16);
	for (;; search++) {
		if (*search == '\0' || (!quoted && strchr(" ()", *search) != NULL)) {
			if (word != NULL) {
				str = str_c(word);
				array_push_back(&words, &str);
				word = NULL;
			}
			if (*search == '\0')
				break;
			if (*search != ' ') {
				str = *search == '(' ? "(" : ")";
				array_push_back(&words, &str);
			}
			continue;
		}
		if (word == NULL)
			word = t_str_new(32);
		if (*search == '"')
			quoted = !quoted;
		else {
			if (*search == '\\')
				search++;
			str_append_c(word, *search);
		}
	}
	array_append_zero(&words);
	parser = mail_search_parser_init_cmdline(array_front(&words));
	if (mail_search_build(mail_search_register_get_imap(), parser,
			      &charset, &args, &error) < 0)
		fail_msg("%s", error);
	mail_search_parser_deinit(&parser);
	mail_search_args_simplify(args);
	return args;
}

static void test_table(void **state ATTR_UNUSED)
{
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(rows); i++) T_BEGIN {
		struct mail_search_args *args = build(rows[i].search);
		const struct pgbox_search_group *group;
		ARRAY_TYPE(pgbox_search_group) groups;
		string_t *str = t_str_new(256);

		compile(args->pool, args->args, TRUE, &groups);
		array_foreach(&groups, group)
			group_append(str, group);
		if (strcmp(str_c(str), rows[i].groups) != 0) {
			fail_msg("%s\nexpected: %s\ngot:      %s",
				 rows[i].search, rows[i].groups, str_c(str));
		}
		mail_search_args_unref(&args);
	} T_END;
}

static void test_headers_only(void **state ATTR_UNUSED)
{
	struct mail_search_args *args = build("FROM ann BODY word");
	ARRAY_TYPE(pgbox_search_group) groups;
	string_t *str = t_str_new(64);

	compile(args->pool, args->args, FALSE, &groups);
	assert_int_equal(array_count(&groups), 1);
	group_append(str, array_front(&groups));
	assert_string_equal(str_c(str), "list header knows 1: "
			    "t.from_field like $6 [%ANN%]\n");
	mail_search_args_unref(&args);
}

static void test_large(void **state ATTR_UNUSED)
{
	pool_t pool = pool_alloconly_create("test", 1024);
	struct mail_search_arg *list = NULL, *arg, *nested;
	const struct pgbox_search_group *group;
	ARRAY_TYPE(pgbox_search_group) groups;
	unsigned int i;
	char *key;

	/* a key of a megabyte: only its beginning is sent */
	key = p_malloc(pool, 1024 * 1024);
	memset(key, 'A', 1024 * 1024 - 1);
	arg = p_new(pool, struct mail_search_arg, 1);
	arg->type = SEARCH_BODY;
	arg->value.str = key;
	compile(pool, arg, TRUE, &groups);
	assert_int_equal(array_count(&groups), 1);
	group = array_front(&groups);
	assert_int_equal(array_count(&group->exact_args), 0);
	assert_true(strlen(array_idx_elem(&group->patterns, 0)) < 600);

	/* deep and long ones stay with Dovecot */
	arg->value.str = "word";
	for (nested = arg, i = 0; i < 400; i++) {
		arg = p_new(pool, struct mail_search_arg, 1);
		arg->type = i % 2 == 0 ? SEARCH_OR : SEARCH_SUB;
		arg->value.subargs = nested;
		nested = arg;
	}
	compile(pool, nested, TRUE, &groups);
	for (i = 0; i < 20000; i++) {
		arg = p_new(pool, struct mail_search_arg, 1);
		arg->type = SEARCH_BODY;
		arg->value.str = "word";
		arg->next = list;
		list = arg;
	}
	compile(pool, list, TRUE, &groups);
	assert_int_equal(array_count(&groups), 0);
	pool_unref(&pool);
}

/*
 * Random trees: a statement is evaluated as the server would
 */

struct evaluation {
	const char *pos;
	const struct pgbox_search_group *group;
	const struct test_mail *mail;
};

static bool skip_word(struct evaluation *eval, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(eval->pos, word, len) != 0)
		return FALSE;
	eval->pos += len;
	return TRUE;
}

static bool like(const char *text, const char *pattern)
{
	string_t *key = t_str_new(64);
	size_t i, len = strlen(pattern);

	assert_true(len >= 2 && pattern[0] == '%' && pattern[len - 1] == '%');
	for (i = 1; i < len - 1; i++) {
		if (pattern[i] == '\\')
			i++;
		else
			assert_true(pattern[i] != '%' && pattern[i] != '_');
		assert_true(i < len - 1);
		str_append_c(key, pattern[i]);
	}
	assert_true(uni_utf8_str_is_valid(str_c(key)));
	return strstr(text, str_c(key)) != NULL;
}

static bool evaluate(struct evaluation *eval);

static bool evaluate_one(struct evaluation *eval)
{
	static const char *const columns[PGBOX_TEXT_FIELD_COUNT + 2] = {
		"t.from_field", "t.to_field", "t.cc_field", "t.bcc_field",
		"t.subject_field", "t.message_id_field", "t.header", "t.body",
	};
	const struct test_mail *mail = eval->mail;
	unsigned int i, n;
	bool result;
	char *end;

	if (skip_word(eval, "not "))
		return !evaluate_one(eval);
	if (skip_word(eval, "(")) {
		result = evaluate(eval);
		assert_true(skip_word(eval, ")"));
		return result;
	}
	for (i = 0; !skip_word(eval, columns[i]); i++)
		assert_true(i + 1 < N_ELEMENTS(columns));
	assert_true(skip_word(eval, " like $"));
	n = strtoul(eval->pos, &end, 10);
	eval->pos = end;
	assert_true(n >= FIRST_PATTERN &&
		    n - FIRST_PATTERN < array_count(&eval->group->patterns));
	return like(i < PGBOX_TEXT_FIELD_COUNT ? mail->fields[i] :
		    i == PGBOX_TEXT_FIELD_COUNT ? mail->header : mail->body,
		    array_idx_elem(&eval->group->patterns,
				   n - FIRST_PATTERN));
}

/* No list mixes "and" and "or". */
static bool evaluate(struct evaluation *eval)
{
	bool result = evaluate_one(eval), next;

	for (;;) {
		if (skip_word(eval, " and ")) {
			next = evaluate_one(eval);
			result = result && next;
		} else if (skip_word(eval, " or ")) {
			next = evaluate_one(eval);
			result = result || next;
		} else {
			return result;
		}
	}
}

static void
check_mail(const struct mail_search_arg *args,
	   const struct pgbox_search_group *group,
	   const struct test_mail *mail)
{
	struct evaluation eval = {
		.pos = group_get_condition(group),
		.group = group,
		.mail = mail,
	};
	struct mail_search_arg *arg;
	bool found = evaluate(&eval);

	assert_int_equal(*eval.pos, '\0');
	if (!found && group->arg == NULL)
		assert_false(test_args_match(args, mail));
	if (group->arg != NULL && (!found || group->exact)) {
		assert_true(test_arg_match(group->arg, mail) ==
			    (found != group->arg->match_not));
	}
	if (found) {
		array_foreach_elem(&group->exact_args, arg)
			assert_true(test_arg_match(arg, mail));
	}
}

static void test_random(void **state ATTR_UNUSED)
{
	const char *trees = getenv("PGBOX_FUZZ_TREES");
	unsigned int i, j, count, group_count = 0;

	count = trees == NULL ? FUZZ_TREES : strtoul(trees, NULL, 10);
	srandom(1);
	for (i = 0; i < count; i++) T_BEGIN {
		/* each value is an allocation of its own, for ASAN */
		pool_t pool = pool_allocfree_create("test tree");
		struct mail_search_arg *args = test_tree_random(pool);
		const struct pgbox_search_group *group;
		ARRAY_TYPE(pgbox_search_group) groups;
		struct test_mail mail;

		compile(pool, args, TRUE, &groups);
		array_foreach(&groups, group) {
			assert_int_equal(group->query.param_count,
				FIRST_PATTERN - 1 +
				array_count(&group->patterns));
			for (j = 0; j < FUZZ_MAILS; j++) {
				test_mail_random(&mail);
				check_mail(args, group, &mail);
			}
		}
		group_count += array_count(&groups);
		pool_unref(&pool);
	} T_END;
	assert_true(group_count > count / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_headers_only),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_random),
	};
	int ret;

	lib_init();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	lib_deinit();
	return ret;
}
