/* Compiles search arguments to SQL: first decides what can be sent, then writes
   it from constant fragments. What the user typed is only ever a parameter.
   Knows neither the database nor a mailbox. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "mail-search.h"
#include "pgbox-message-text.h"
#include "pgbox-search-sql.h"

#include <ctype.h>

/* Of a longer key only the beginning is sent, as there may be a limit of the
   server; Dovecot compares the rest. */
#define MAX_KEY_BYTES 512
/* Limits of one statement; what is beyond stays with Dovecot. */
#define MAX_PATTERNS 200
#define MAX_ARGS 500
#define MAX_DEPTH 30
/* $1 to $5 */
#define FIRST_PATTERN_PARAM 6
/* What pg_trgm makes keys of */
#define TRIGRAM_CHARS 3

/* What the planner expects must not decide how a search is done: it takes account,
   mailbox and UID for independent of each other and finds large mailboxes small, and it
   has never heard of an account that was filled since the last ANALYZE. So
   "offset 0" keeps what is in parentheses apart, and "(select $1)" keeps the
   planner from looking this very account up: it expects an average one. */

/* The index finds a few messages of the account, whose mails are looked up. */
#define SQL_BY_MESSAGE(table) \
	"select m.uid from (" \
	"select t.account_id, t.message_id from pgbox." table " t " \
	"where t.account_id = (select $1)"
#define SQL_BY_MESSAGE_END \
	" offset 0) t cross join lateral (" \
	"select m.mailbox_id, m.uid from pgbox.mail m " \
	"where m.account_id = t.account_id and m.message_id = t.message_id " \
	"offset 0) m where m.mailbox_id = $2 and m.uid between $3 and $4"
/* Each mail is looked at. */
#define SQL_BY_MAIL(table) \
	"select m.uid from (" \
	"select m.account_id, m.message_id, m.uid from pgbox.mail m " \
	"where m.account_id = $1 and m.mailbox_id = $2 " \
	"and m.uid between $3 and $4 offset 0) m " \
	"cross join lateral (select from pgbox." table " t " \
	"where t.account_id = m.account_id and t.message_id = m.message_id"
#define SQL_BY_MAIL_END " offset 0) t"

#define SQL_FOLDING " and (t.folding = $5 or pgbox.text_cost(t.message_id)) and "
#define SQL_HEADER_UNKNOWN " and not t.has_header"
/* Text of other foldings is rare: the rest is read only if there is any. */
#define SQL_FOREIGN(aggregate) \
	"(select " aggregate "(t.folding) from pgbox.message_text t " \
	"where t.account_id = (select $1)) <> $5"
#define SQL_FOREIGN_EXISTS \
	"case when " SQL_FOREIGN("min") " or " SQL_FOREIGN("max") \
	" then array("

static const struct sql_way {
	const char *found, *unknown, *foreign, *end;
} sql_by_message = {
	.found = SQL_BY_MESSAGE("message_text") SQL_FOLDING,
	.unknown = SQL_BY_MESSAGE("message_text_queue"),
	.foreign = SQL_BY_MESSAGE("message_text") " and t.folding <> $5",
	.end = SQL_BY_MESSAGE_END,
}, sql_by_mail = {
	.found = SQL_BY_MAIL("message_text") SQL_FOLDING,
	.unknown = SQL_BY_MAIL("message_text_queue"),
	.foreign = SQL_BY_MAIL("message_text") " and t.folding <> $5",
	.end = SQL_BY_MAIL_END,
};

enum cover {
	/* the text says nothing about it */
	COVER_NONE,
	/* what matches is among what is found */
	COVER_SUPERSET,
	COVER_EXACT,
};

/* How what matches is found, from cheap to expensive */
enum cost {
	COST_INDEX,
	COST_SCAN,
	/* all but what is found: only beside another condition */
	COST_NEGATED,
};

struct judgement {
	enum cover cover;
	enum cost cost;
	bool needs_body;
	unsigned int patterns;
};

struct compiler {
	pool_t pool;
	struct mail_search_arg *args;
	const struct pgbox_search_sql_settings *set;
	ARRAY_TYPE(pgbox_search_group) *groups;
};

static const char *const field_columns[PGBOX_TEXT_FIELD_COUNT] = {
	[PGBOX_TEXT_FIELD_FROM] = "t.from_field like ",
	[PGBOX_TEXT_FIELD_TO] = "t.to_field like ",
	[PGBOX_TEXT_FIELD_CC] = "t.cc_field like ",
	[PGBOX_TEXT_FIELD_BCC] = "t.bcc_field like ",
	[PGBOX_TEXT_FIELD_SUBJECT] = "t.subject_field like ",
	[PGBOX_TEXT_FIELD_MESSAGE_ID] = "t.message_id_field like ",
};

/*
 * Keys
 */

/* Returns the key as it is in the text, or NULL if that is not possible. */
static const char *
key_normalize(const struct compiler *compiler, const char *key)
{
	string_t *str = t_str_new(128);

	if (compiler->set->normalizer(key, strlen(key), str) < 0 ||
	    str_len(str) == 0)
		return NULL;
	return str_c(str);
}

static bool key_has_line_end(const char *key)
{
	return strpbrk(key, "\r\n") != NULL;
}

/* Which characters are letters depends on the database's locale; combining marks
   are not. */
static bool chr_is_word(unichar_t chr)
{
	return chr >= 0x80 ? (chr < 0x300 || chr > 0x36f) :
		i_isalnum(chr);
}

/* Returns TRUE if pg_trgm will probably find a trigram in it: it puts two spaces
   before a word and one after it, where the key shows that the word begins or ends
   there. */
static bool key_has_trigram(const char *key)
{
	unsigned int spaces = 0, letters = 0;
	unichar_t chr;
	int len;

	for (; *key != '\0'; key += len) {
		len = uni_utf8_get_char(key, &chr);
		i_assert(len > 0);
		if (chr_is_word(chr)) {
			letters++;
			if (spaces + letters >= TRIGRAM_CHARS)
				return TRUE;
		} else {
			if (letters > 0 && spaces + letters + 1 >= TRIGRAM_CHARS)
				return TRUE;
			spaces = 2;
			letters = 0;
		}
	}
	return FALSE;
}

static const char *key_to_pattern(pool_t pool, const char *key)
{
	size_t len = strlen(key);
	string_t *str = str_new(pool, len + 16);

	len = uni_utf8_data_truncate((const unsigned char *)key, len,
				     MAX_KEY_BYTES);
	str_append_c(str, '%');
	for (; len > 0; key++, len--) {
		if (*key == '%' || *key == '_' || *key == '\\')
			str_append_c(str, '\\');
		str_append_c(str, *key);
	}
	str_append_c(str, '%');
	return str_c(str);
}

/*
 * Deciding
 */

static bool arg_is_header(const struct mail_search_arg *arg)
{
	return arg->type == SEARCH_HEADER ||
		arg->type == SEARCH_HEADER_ADDRESS ||
		arg->type == SEARCH_HEADER_COMPRESS_LWSP;
}

/* Dovecot prepares a header's value once for all arguments with its name, in the
   way of the first one. Then the columns don't have what it compares. */
static bool
args_use_field_otherwise(const struct mail_search_arg *list,
			 const struct mail_search_arg *arg)
{
	for (; list != NULL; list = list->next) {
		if (list->type == SEARCH_OR || list->type == SEARCH_SUB) {
			if (args_use_field_otherwise(list->value.subargs, arg))
				return TRUE;
		} else if (arg_is_header(list) && list->type != arg->type &&
			   *list->value.str != '\0' &&
			   strcasecmp(list->hdr_field_name,
				      arg->hdr_field_name) == 0)
			return TRUE;
	}
	return FALSE;
}

/* What compares the values as they are in a field's column */
static const enum mail_search_arg_type field_types[PGBOX_TEXT_FIELD_COUNT] = {
	[PGBOX_TEXT_FIELD_FROM] = SEARCH_HEADER_ADDRESS,
	[PGBOX_TEXT_FIELD_TO] = SEARCH_HEADER_ADDRESS,
	[PGBOX_TEXT_FIELD_CC] = SEARCH_HEADER_ADDRESS,
	[PGBOX_TEXT_FIELD_BCC] = SEARCH_HEADER_ADDRESS,
	[PGBOX_TEXT_FIELD_SUBJECT] = SEARCH_HEADER_COMPRESS_LWSP,
	[PGBOX_TEXT_FIELD_MESSAGE_ID] = SEARCH_HEADER,
};

/* Returns TRUE and the field if the argument compares what is in its column. */
static bool
arg_get_field(const struct mail_search_arg *arg,
	      enum pgbox_text_field *field_r)
{
	unsigned int i;

	for (i = 0; i < PGBOX_TEXT_FIELD_COUNT; i++) {
		if (strcasecmp(arg->hdr_field_name,
			       pgbox_text_field_names[i]) == 0) {
			*field_r = i;
			return arg->type == field_types[i];
		}
	}
	return FALSE;
}

/* The key that is looked for in the header column, or the field's column. An
   empty one asks whether the field exists: its name is in the header then. */
static const char *
arg_get_key(const struct compiler *compiler, const struct mail_search_arg *arg)
{
	if (arg_is_header(arg) && *arg->value.str == '\0')
		return key_normalize(compiler, arg->hdr_field_name);
	return key_normalize(compiler, arg->value.str);
}

static enum cover
header_get_cover(const struct compiler *compiler,
		 const struct mail_search_arg *arg)
{
	enum pgbox_text_field field;

	if (*arg->value.str == '\0')
		return COVER_SUPERSET;
	if (args_use_field_otherwise(compiler->args, arg))
		return COVER_NONE;
	if (arg_get_field(arg, &field))
		return COVER_EXACT;
	return arg->type == SEARCH_HEADER ? COVER_SUPERSET : COVER_NONE;
}

static void
leaf_judge(const struct compiler *compiler, const struct mail_search_arg *arg,
	   struct judgement *judgement_r)
{
	const char *key;

	i_zero(judgement_r);
	if (arg_is_header(arg)) {
		judgement_r->cover = header_get_cover(compiler, arg);
	} else if ((arg->type == SEARCH_BODY || arg->type == SEARCH_TEXT) &&
		   compiler->set->bodies) {
		judgement_r->cover = COVER_EXACT;
		judgement_r->needs_body = TRUE;
	}
	if (judgement_r->cover == COVER_NONE)
		return;

	key = arg_get_key(compiler, arg);
	if (key == NULL ||
	    (arg->type != SEARCH_BODY && key_has_line_end(key))) {
		/* a header's end and the body after it are in two columns */
		judgement_r->cover = COVER_NONE;
		return;
	}
	if (strlen(key) > MAX_KEY_BYTES)
		judgement_r->cover = COVER_SUPERSET;
	judgement_r->cost = key_has_trigram(key) ? COST_INDEX : COST_SCAN;
	judgement_r->patterns = 1;
}

static void
arg_judge(const struct compiler *compiler, const struct mail_search_arg *arg,
	  unsigned int depth, struct judgement *judgement_r);

static void
or_judge(const struct compiler *compiler, const struct mail_search_arg *args,
	 unsigned int depth, struct judgement *judgement_r)
{
	const struct mail_search_arg *arg;
	struct judgement sub;

	i_zero(judgement_r);
	judgement_r->cover = COVER_EXACT;
	for (arg = args; arg != NULL; arg = arg->next) {
		arg_judge(compiler, arg, depth, &sub);
		judgement_r->cover = I_MIN(judgement_r->cover, sub.cover);
		judgement_r->cost = I_MAX(judgement_r->cost, sub.cost);
		judgement_r->patterns += sub.patterns;
		if (sub.needs_body)
			judgement_r->needs_body = TRUE;
		if (sub.cover == COVER_NONE)
			break;
	}
}

/* Of a list in which all must match, what can't be sent is left out. */
static void
and_judge(const struct compiler *compiler, const struct mail_search_arg *args,
	  unsigned int depth, struct judgement *judgement_r)
{
	const struct mail_search_arg *arg;
	struct judgement sub;
	bool all_exact = TRUE;

	i_zero(judgement_r);
	judgement_r->cost = COST_NEGATED;
	for (arg = args; arg != NULL; arg = arg->next) {
		arg_judge(compiler, arg, depth, &sub);
		if (sub.cover != COVER_EXACT)
			all_exact = FALSE;
		if (sub.cover == COVER_NONE)
			continue;
		judgement_r->cover = COVER_SUPERSET;
		judgement_r->cost = I_MIN(judgement_r->cost, sub.cost);
		judgement_r->patterns += sub.patterns;
		if (sub.needs_body)
			judgement_r->needs_body = TRUE;
	}
	if (all_exact && judgement_r->cover != COVER_NONE)
		judgement_r->cover = COVER_EXACT;
}

static void
arg_judge(const struct compiler *compiler, const struct mail_search_arg *arg,
	  unsigned int depth, struct judgement *judgement_r)
{
	if (arg->type != SEARCH_OR && arg->type != SEARCH_SUB) T_BEGIN {
		leaf_judge(compiler, arg, judgement_r);
	} T_END; else if (depth >= MAX_DEPTH)
		i_zero(judgement_r);
	else if (arg->type == SEARCH_OR)
		or_judge(compiler, arg->value.subargs, depth + 1, judgement_r);
	else
		and_judge(compiler, arg->value.subargs, depth + 1, judgement_r);

	if (arg->match_not && judgement_r->cover != COVER_NONE) {
		if (judgement_r->cover != COVER_EXACT)
			judgement_r->cover = COVER_NONE;
		judgement_r->cost = COST_NEGATED;
	}
	if (judgement_r->patterns > MAX_PATTERNS)
		judgement_r->cover = COVER_NONE;
}

/*
 * Writing: only what was judged to be possible
 */

struct writer {
	const struct compiler *compiler;
	struct pgbox_search_group *group;
	const struct sql_way *way;
	string_t *sql;
};

static void write_param(struct writer *writer)
{
	str_printfa(writer->sql, "$%u", FIRST_PATTERN_PARAM - 1 +
		    array_count(&writer->group->patterns));
}

static void
write_leaf(struct writer *writer, const struct mail_search_arg *arg)
{
	enum pgbox_text_field field;
	const char *pattern;

	pattern = key_to_pattern(writer->compiler->pool,
				 arg_get_key(writer->compiler, arg));
	array_push_back(&writer->group->patterns, &pattern);
	if (arg->type == SEARCH_TEXT) {
		str_append(writer->sql, "(t.header like ");
		write_param(writer);
		str_append(writer->sql, " or t.body like ");
		write_param(writer);
		str_append(writer->sql, ")");
		return;
	}
	if (arg->type == SEARCH_BODY)
		str_append(writer->sql, "t.body like ");
	else if (*arg->value.str != '\0' && arg_get_field(arg, &field))
		str_append(writer->sql, field_columns[field]);
	else
		str_append(writer->sql, "t.header like ");
	write_param(writer);
}

static void
write_arg(struct writer *writer, const struct mail_search_arg *arg,
	  unsigned int depth);

/* Writes what can be sent of the list, which is not empty. */
static void
write_list(struct writer *writer, const struct mail_search_arg *args,
	   const char *operator, unsigned int depth)
{
	const struct mail_search_arg *arg;
	struct judgement judgement;
	bool first = TRUE;

	str_append_c(writer->sql, '(');
	for (arg = args; arg != NULL; arg = arg->next) {
		arg_judge(writer->compiler, arg, depth, &judgement);
		if (judgement.cover == COVER_NONE)
			continue;
		if (!first)
			str_append(writer->sql, operator);
		first = FALSE;
		write_arg(writer, arg, depth);
	}
	i_assert(!first);
	str_append_c(writer->sql, ')');
}

/* Leaves match_not aside. */
static void
write_arg_positive(struct writer *writer, const struct mail_search_arg *arg,
		   unsigned int depth)
{
	if (arg->type == SEARCH_OR)
		write_list(writer, arg->value.subargs, " or ", depth + 1);
	else if (arg->type == SEARCH_SUB)
		write_list(writer, arg->value.subargs, " and ", depth + 1);
	else T_BEGIN {
		write_leaf(writer, arg);
	} T_END;
}

static void
write_arg(struct writer *writer, const struct mail_search_arg *arg,
	  unsigned int depth)
{
	if (arg->match_not)
		str_append(writer->sql, "not ");
	write_arg_positive(writer, arg, depth);
}

/*
 * Groups
 */

static void
writer_begin(struct writer *writer, const struct compiler *compiler,
	     struct mail_search_arg *arg, const struct judgement *judgement)
{
	struct pgbox_search_group *group;

	group = array_append_space(compiler->groups);
	group->arg = arg;
	group->exact = judgement->cover == COVER_EXACT;
	group->scan = judgement->cost != COST_INDEX;
	p_array_init(&group->exact_args, compiler->pool, 4);
	p_array_init(&group->patterns, compiler->pool, 4);
	writer->compiler = compiler;
	writer->group = group;
	writer->way = group->scan ? &sql_by_mail : &sql_by_message;
	writer->sql = str_new(compiler->pool, 1024);
	str_append(writer->sql, "select array(");
	str_append(writer->sql, writer->way->found);
}

static void
writer_end(struct writer *writer, const struct judgement *judgement)
{
	struct pgbox_search_group *group = writer->group;

	str_append(writer->sql, writer->way->end);
	str_append(writer->sql, "), array(");
	str_append(writer->sql, writer->way->unknown);
	if (!judgement->needs_body)
		str_append(writer->sql, SQL_HEADER_UNKNOWN);
	str_append(writer->sql, writer->way->end);
	str_append(writer->sql, ") || " SQL_FOREIGN_EXISTS);
	str_append(writer->sql, writer->way->foreign);
	str_append(writer->sql, writer->way->end);
	str_append(writer->sql, ") else '{}' end");

	group->query.name = "search";
	group->query.sql = str_c(writer->sql);
	group->query.param_count = FIRST_PATTERN_PARAM - 1 +
		array_count(&group->patterns);
}

/* What is to be found among others: the positive form of one argument. */
static bool
group_add_arg(const struct compiler *compiler, struct mail_search_arg *arg)
{
	struct mail_search_arg positive = *arg;
	struct judgement judgement;
	struct writer writer;

	positive.match_not = FALSE;
	positive.next = NULL;
	arg_judge(compiler, &positive, 0, &judgement);
	if (judgement.cover == COVER_NONE || judgement.cost == COST_NEGATED)
		return FALSE;
	/* more is known if it is taken for a list */
	if (judgement.cover == COVER_SUPERSET && arg->type == SEARCH_SUB)
		return FALSE;
	writer_begin(&writer, compiler, arg, &judgement);
	write_arg_positive(&writer, arg, 0);
	writer_end(&writer, &judgement);
	return TRUE;
}

/* Returns TRUE if the argument goes into the statement of its list. Without
   index_used what is negated is better asked for apart. */
static bool
list_takes(const struct compiler *compiler, const struct mail_search_arg *arg,
	   bool index_used, struct judgement *judgement_r)
{
	arg_judge(compiler, arg, 0, judgement_r);
	return judgement_r->cover != COVER_NONE &&
		(index_used || judgement_r->cost != COST_NEGATED);
}

/* Judges what of the list can be asked for with one statement. Returns FALSE if
   nothing. */
static bool
list_judge(const struct compiler *compiler, const struct mail_search_arg *args,
	   struct judgement *judgement_r)
{
	const struct mail_search_arg *arg;
	struct judgement sub;
	bool index_used = FALSE;

	for (arg = args; arg != NULL; arg = arg->next) {
		arg_judge(compiler, arg, 0, &sub);
		if (sub.cover != COVER_NONE && sub.cost == COST_INDEX)
			index_used = TRUE;
	}
	i_zero(judgement_r);
	judgement_r->cost = index_used ? COST_INDEX : COST_SCAN;
	for (arg = args; arg != NULL; arg = arg->next) {
		if (!list_takes(compiler, arg, index_used, &sub))
			continue;
		judgement_r->patterns += sub.patterns;
		if (sub.needs_body)
			judgement_r->needs_body = TRUE;
	}
	judgement_r->cover = judgement_r->patterns == 0 ||
		judgement_r->patterns > MAX_PATTERNS ?
		COVER_NONE : COVER_SUPERSET;
	return judgement_r->cover != COVER_NONE;
}

static void
subgroups_add(const struct compiler *compiler, struct mail_search_arg *arg,
	      unsigned int depth);

/* A list in which all must match: one statement for what can be sent of it, and
   others for parts of the rest. */
static void
list_groups_add(const struct compiler *compiler, struct mail_search_arg *parent,
		struct mail_search_arg *args, unsigned int depth)
{
	struct judgement judgement, sub;
	struct mail_search_arg *arg;
	struct writer writer;
	bool together, index_used, first = TRUE;

	together = list_judge(compiler, args, &judgement);
	index_used = judgement.cost == COST_INDEX;
	if (together)
		writer_begin(&writer, compiler, parent, &judgement);
	for (arg = args; together && arg != NULL; arg = arg->next) {
		if (!list_takes(compiler, arg, index_used, &sub))
			continue;
		if (!first)
			str_append(writer.sql, " and ");
		first = FALSE;
		write_arg(&writer, arg, 0);
		if (sub.cover == COVER_EXACT)
			array_push_back(&writer.group->exact_args, &arg);
	}
	if (together)
		writer_end(&writer, &judgement);
	for (arg = args; arg != NULL; arg = arg->next) {
		if (!together || !list_takes(compiler, arg, index_used, &sub))
			subgroups_add(compiler, arg, depth);
	}
}

static void
subgroups_add(const struct compiler *compiler, struct mail_search_arg *arg,
	      unsigned int depth)
{
	struct mail_search_arg *sub;

	if (group_add_arg(compiler, arg) || depth >= MAX_DEPTH)
		return;
	if (arg->type == SEARCH_SUB) {
		list_groups_add(compiler, arg, arg->value.subargs, depth + 1);
	} else if (arg->type == SEARCH_OR) {
		for (sub = arg->value.subargs; sub != NULL; sub = sub->next)
			subgroups_add(compiler, sub, depth + 1);
	}
}

static unsigned int args_count(const struct mail_search_arg *args)
{
	unsigned int count = 0;

	for (; args != NULL && count <= MAX_ARGS; args = args->next) {
		count++;
		if (args->type == SEARCH_OR || args->type == SEARCH_SUB)
			count += args_count(args->value.subargs);
	}
	return count;
}

void pgbox_search_sql_compile(pool_t pool, struct mail_search_arg *args,
			      const struct pgbox_search_sql_settings *set,
			      ARRAY_TYPE(pgbox_search_group) *groups)
{
	const struct compiler compiler = {
		.pool = pool,
		.args = args,
		.set = set,
		.groups = groups,
	};

	/* each is compared with each other one */
	if (args_count(args) <= MAX_ARGS)
		list_groups_add(&compiler, NULL, args, 0);
}
