#ifndef PGBOX_QUERY_H
#define PGBOX_QUERY_H

/* The SQL statements of sql/queries/, compiled into the plugin. One constant
   pgbox_query_<file name with _> exists per file; the list is generated. */

struct pgbox_query {
	/* file name without .sql, for logs and events */
	const char *name;
	/* one statement, schema-qualified, without comments */
	const char *sql;
	/* number of $n parameters */
	unsigned int param_count;
	/* its place among the constants, from 1; 0 = made at runtime */
	unsigned int number;
};

#include "pgbox-query-list.h"

#endif
