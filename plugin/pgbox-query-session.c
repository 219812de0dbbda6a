/* What is asked when a connection is made. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-db.h"
#include "pgbox-query.h"
#include "pgbox-query-session.h"

static int
schema_version_check(const struct pgbox_db_result *result,
		     void *context, const char **error_r)
{
	struct pgbox_db *db = context;
	int64_t version = pgbox_db_result_int(result, 0, 0);

	pgbox_db_set_backend_pid(db, pgbox_db_result_int(result, 0, 1));
	if (version == PGBOX_SCHEMA_VERSION)
		return 0;
	*error_r = t_strdup_printf(
		"The database has pgbox's schema version %lld, but this "
		"plugin ("PGBOX_VERSION") needs version %d: %s",
		(long long)version, PGBOX_SCHEMA_VERSION,
		version < PGBOX_SCHEMA_VERSION ? "run pgbox-schema upgrade" :
		"install the newer plugin");
	return -1;
}

void pgbox_query_session_init(struct pgbox_db *db)
{
	pgbox_db_set_connected_callback(db, &pgbox_query_session_begin,
					schema_version_check, db);
}
