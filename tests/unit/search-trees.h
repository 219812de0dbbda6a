#ifndef SEARCH_TREES_H
#define SEARCH_TREES_H

/* Random trees of search arguments, and whether a mail matches them. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "unichar.h"
#include "mail-search.h"
#include "pgbox-message-text.h"
#include "pgbox-search-sql.h"

/* What is stored of a mail, and a random number in place of all else */
struct test_mail {
	unsigned int random;
	const char *header, *body;
	const char *fields[PGBOX_TEXT_FIELD_COUNT];
};

/* From the current data stack frame. The numbers of random() choose. */
struct mail_search_arg *test_tree_random(pool_t pool);
void test_mail_random(struct test_mail *mail_r);

/* Whether the matcher says so. A HEADER matches only mails that have its key in
   the header; not each of them. */
bool test_args_match(const struct mail_search_arg *args,
		     const struct test_mail *mail);
/* Of one argument without its siblings */
bool test_arg_match(const struct mail_search_arg *arg,
		    const struct test_mail *mail);

#endif
