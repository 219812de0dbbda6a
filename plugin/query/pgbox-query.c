/* The SQL statements of sql/queries as constants. Knows nothing but text. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-query.h"

#include "pgbox-query-data.inc"
