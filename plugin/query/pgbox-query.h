#ifndef PGBOX_QUERY_H
#define PGBOX_QUERY_H

/* The SQL statements of sql/queries/, compiled into the plugin. What a file NAME.sql
   says of its parameters and columns becomes, with _ for -,

   - struct pgbox_NAME_params and struct pgbox_NAME_columns,
   - pgbox_exec_NAME(), which runs it as pgbox_db_exec() does, or as
     pgbox_db_exec_repeatable() if the file says so; result_r may be NULL,
   - pgbox_start_NAME(), which runs it as pgbox_db_exec_start() does,
   - pgbox_bind_NAME(), which adds its parameters to those for another function,
   - pgbox_read_NAME(), which reads one row of its result.

   sql/queries.awk has the details. */

#include "pgbox-db.h"

/* data is NULL if it is null */
struct pgbox_query_bytes {
	const void *data;
	size_t size;
};

struct pgbox_query_ints {
	const int64_t *values;
	unsigned int count;
};

/* The types of sql/queries, and what they are in a struct: */
enum pgbox_query_type {
	PGBOX_QUERY_BOOL,	/* bool */
	PGBOX_QUERY_INT2,	/* int64_t */
	PGBOX_QUERY_INT4,	/* int64_t */
	PGBOX_QUERY_INT8,	/* int64_t */
	PGBOX_QUERY_LSN,	/* int64_t */
	PGBOX_QUERY_TEXT,	/* const char * */
	PGBOX_QUERY_BYTEA,	/* struct pgbox_query_bytes */
	PGBOX_QUERY_UUID,	/* const unsigned char *, 16 octets */
	PGBOX_QUERY_INTS,	/* struct pgbox_query_ints: bigint[]; of a
				   result smallint[], too */
	PGBOX_QUERY_TEXTS,	/* const char *const *, NULL-terminated */
};

/* A parameter or column, and where its value is in the struct. Offsets and sizes are
   in octets. */
struct pgbox_query_field {
	const char *name;
	enum pgbox_query_type type;
	unsigned int offset;
	/* of the bool that says whether it has a value; 0 = there is none */
	unsigned int has_offset;
	/* a number of 0 is sent as null */
	bool zero_is_null;

	/* 0, or it is a parameter with an array, and offset one in a row: */
	unsigned int row_size;
	/* in the struct: of the pointer to the rows, and of their number, which is
	   an unsigned int */
	unsigned int rows_offset, row_count_offset;
};

/* What the generated functions are made of. values and columns_r are the structs of
   the query, or what it shares with another one. */

/* Values and rows are referred to as by pgbox_db_param_text(). */
void pgbox_query_bind(struct pgbox_db_params *params,
		      const struct pgbox_query *query, const void *values);
int pgbox_query_exec(struct pgbox_db *db, const struct pgbox_query *query,
		     const void *values, struct pgbox_db_result **result_r,
		     struct pgbox_db_failure *failure_r);
struct pgbox_db_started *
pgbox_query_start(struct pgbox_db *db, const struct pgbox_query *query,
		  const void *values, struct pgbox_db_failure *failure_r);
/* Text, octets and UUIDs belong to the result, arrays are on the data stack. A null is
   0, FALSE, NULL or an empty array. Asserts that the names of the columns are those
   that the query has. */
void pgbox_query_read(const struct pgbox_db_result *result,
		      const struct pgbox_query *query, unsigned int row,
		      void *columns_r);

#include "pgbox-query-list.h"

#endif
