#ifndef PGBOX_SEARCH_SQL_H
#define PGBOX_SEARCH_SQL_H

/* Search arguments as SQL over message_text. Pure: arguments in, statements
   and their parameters out; no database, no mailbox.

   The arguments are divided into groups, each with a statement of its own that
   gives UIDs. A group is the largest part of the tree that the text can say
   something about; what is in no group stays with Dovecot's matcher, and so does
   what a group only narrows down. */

#include "unichar.h"
#include "pgbox-query.h"

struct mail_search_arg;

ARRAY_DEFINE_TYPE(pgbox_search_arg, struct mail_search_arg *);

struct pgbox_search_group {
	/* Root of the part of the tree; NULL for the whole list of arguments,
	   which all have to match. */
	struct mail_search_arg *arg;
	/* A mail that is not found doesn't match the part (leaving arg's
	   match_not aside). With exact, one that is found matches. Without,
	   it may or may not: */
	bool exact;
	/* but these arguments below, or in the list, are true then. */
	ARRAY_TYPE(pgbox_search_arg) exact_args;

	/* Parameters: account, mailbox, first and last UID, folding
	   (pgbox_folding_get()), then the patterns. One row: array of UIDs found; array of UIDs about which
	   nothing is known, as their text is not there yet or was folded
	   otherwise. */
	struct pgbox_query query;
	ARRAY_TYPE(const_string) patterns;
	/* All texts have to be read: the keys are too short for the index. */
	bool scan;
};
ARRAY_DEFINE_TYPE(pgbox_search_group, struct pgbox_search_group);

struct pgbox_search_sql_settings {
	normalizer_func_t *normalizer;
	/* bodies are in the database, too */
	bool bodies;
};

/* Appends the groups of the arguments to groups, allocated from the pool, which
   can't be the data stack. The arguments must have been simplified; they are not changed. */
void pgbox_search_sql_compile(pool_t pool, struct mail_search_arg *args,
			      const struct pgbox_search_sql_settings *set,
			      ARRAY_TYPE(pgbox_search_group) *groups);

#endif
