#ifndef PGBOX_SORT_SQL_H
#define PGBOX_SORT_SQL_H

/* SORT as SQL over the keys of messages. Pure: a program in, a statement out; no
   database, no mailbox. */

#include "pgbox-query.h"

enum pgbox_sort_field {
	PGBOX_SORT_ARRIVAL,
	PGBOX_SORT_DATE,
	PGBOX_SORT_SIZE,
	PGBOX_SORT_SUBJECT,
	PGBOX_SORT_FROM,
	PGBOX_SORT_TO,
	PGBOX_SORT_CC,
	PGBOX_SORT_DISPLAYFROM,
	PGBOX_SORT_DISPLAYTO,

	PGBOX_SORT_FIELD_COUNT
};

struct pgbox_sort_term {
	enum pgbox_sort_field field;
	bool reverse;
};
ARRAY_DEFINE_TYPE(pgbox_sort_term, struct pgbox_sort_term);

/* What is in the column of values: */
enum pgbox_sort_value {
	/* ARRIVAL: seconds since 1970; SIZE: bytes */
	PGBOX_SORT_VALUE_NUMBER,
	/* DATE: pgbox_sort_date_unpack() */
	PGBOX_SORT_VALUE_DATE,
	/* other keys: mails with equal ones have the same rank, and those that
	   come later a higher one */
	PGBOX_SORT_VALUE_RANK,
};

/* Returns a statement, allocated from the pool, for at least one term. Parameters:
   account, mailbox, first and last UID, folding (pgbox_folding_get()); with by_uids
   the UIDs that are wanted. One row: array of UIDs in the order of the terms, and
   of UIDs where these are equal; array of values of the first term, in the same
   order; whether all keys can be used. */
const struct pgbox_query *
pgbox_sort_sql_compile(pool_t pool,
		       const ARRAY_TYPE(pgbox_sort_term) *terms, bool by_uids);
enum pgbox_sort_value pgbox_sort_get_value(enum pgbox_sort_field field);

/* The Date header as Dovecot caches it: seconds since 1970, 0 if there is no valid
   one; minutes east of UTC */
void pgbox_sort_date_unpack(int64_t value, uint32_t *time_r,
			    int32_t *timezone_r);

#endif
