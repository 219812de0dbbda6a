#ifndef PGBOX_DB_WIRE_H
#define PGBOX_DB_WIRE_H

/* Parameters and results as libpq has them. libpq ends at the pgbox-db files: no
   other may include this or what includes it. */

#include "pgbox-db.h"

#include <libpq-fe.h>

struct pgbox_db_result {
	/* own */
	PGresult *pg;
	/* for panics */
	const struct pgbox_query *query;
};

/* The parameters as PQsendQueryParams() wants them, on the data stack */
struct pgbox_db_wire_params {
	int count;
	Oid *types;
	const char **values;
	int *lengths;
	int *formats;
};

/* params may be NULL. The values stay owned by params. */
void pgbox_db_params_get_wire(const struct pgbox_db_params *params,
			      struct pgbox_db_wire_params *wire_r);

/* Builtin types (PostgreSQL: src/include/catalog/pg_type.dat). They never
   change. */
#define PGBOX_OID_BOOL 16
#define PGBOX_OID_BYTEA 17
#define PGBOX_OID_NAME 19
#define PGBOX_OID_INT8 20
#define PGBOX_OID_INT2 21
#define PGBOX_OID_INT4 23
#define PGBOX_OID_TEXT 25
#define PGBOX_OID_VARCHAR 1043
#define PGBOX_OID_UUID 2950
#define PGBOX_OID_LSN 3220
#define PGBOX_OID_BOOL_ARRAY 1000
#define PGBOX_OID_BYTEA_ARRAY 1001
#define PGBOX_OID_INT2_ARRAY 1005
#define PGBOX_OID_INT4_ARRAY 1007
#define PGBOX_OID_TEXT_ARRAY 1009
#define PGBOX_OID_INT8_ARRAY 1016
#define PGBOX_OID_UUID_ARRAY 2951

/* Takes pg, which must be a good one. */
struct pgbox_db_result *
pgbox_db_result_create(const struct pgbox_query *query, PGresult *pg);

#endif
