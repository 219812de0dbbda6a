/* Rows in PostgreSQL's binary format, read by type. Knows types and bytes, no
   connection. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "byteorder.h"
#include "pgbox-db-wire.h"

#define UUID_SIZE 16

/* A one-dimensional array value that is being read */
struct array_reader {
	const unsigned char *pos, *end;
	Oid type;
	unsigned int count;
};

struct pgbox_db_result *
pgbox_db_result_create(const struct pgbox_query *query, PGresult *pg)
{
	struct pgbox_db_result *result;

	result = i_new(struct pgbox_db_result, 1);
	result->query = query;
	result->pg = pg;
	return result;
}

void pgbox_db_result_free(struct pgbox_db_result **_result)
{
	struct pgbox_db_result *result = *_result;

	if (result == NULL)
		return;
	*_result = NULL;
	PQclear(result->pg);
	i_free(result);
}

unsigned int pgbox_db_result_rows(const struct pgbox_db_result *result)
{
	return PQntuples(result->pg);
}

static void ATTR_NORETURN
result_panic(const struct pgbox_db_result *result, unsigned int column,
	     const char *problem)
{
	i_panic("pgbox: query %s: column %u (type %u): %s",
		result->query->name, column, PQftype(result->pg, column),
		problem);
}

void pgbox_db_result_check_name(const struct pgbox_db_result *result,
				unsigned int column, const char *name)
{
	const char *column_name = PQfname(result->pg, column);

	if (column_name == NULL || strcmp(column_name, name) != 0)
		result_panic(result, column, t_strconcat("Not ", name, NULL));
}

bool pgbox_db_result_is_null(const struct pgbox_db_result *result,
			     unsigned int row, unsigned int column)
{
	i_assert(row < (unsigned int)PQntuples(result->pg));
	i_assert(column < (unsigned int)PQnfields(result->pg));

	return PQgetisnull(result->pg, row, column) != 0;
}

/* Returns FALSE if it is null. */
static bool
result_get(const struct pgbox_db_result *result, unsigned int row,
	   unsigned int column, const unsigned char **data_r, size_t *size_r)
{
	if (pgbox_db_result_is_null(result, row, column))
		return FALSE;
	if (PQfformat(result->pg, column) != 1)
		result_panic(result, column, "Not in binary format");
	*data_r = (const unsigned char *)PQgetvalue(result->pg, row, column);
	*size_r = PQgetlength(result->pg, row, column);
	return TRUE;
}

static void
result_check_type(const struct pgbox_db_result *result, unsigned int column,
		  Oid type, Oid type2, const char *name)
{
	Oid column_type = PQftype(result->pg, column);

	if (column_type != type && column_type != type2)
		result_panic(result, column, t_strdup_printf("Not %s", name));
}

bool pgbox_db_result_bool(const struct pgbox_db_result *result,
			  unsigned int row, unsigned int column)
{
	const unsigned char *data;
	size_t size;

	if (!result_get(result, row, column, &data, &size))
		return FALSE;
	result_check_type(result, column, PGBOX_OID_BOOL, PGBOX_OID_BOOL,
			  "boolean");
	return data[0] != 0;
}

/* Returns FALSE if type is no integer type or has another size. */
static bool
int_decode(Oid type, const unsigned char *data, size_t size, int64_t *value_r)
{
	if (type == PGBOX_OID_INT2 && size == 2)
		*value_r = (int16_t)be16_to_cpu_unaligned(data);
	else if (type == PGBOX_OID_INT4 && size == 4)
		*value_r = (int32_t)be32_to_cpu_unaligned(data);
	else if ((type == PGBOX_OID_INT8 || type == PGBOX_OID_LSN) && size == 8)
		*value_r = (int64_t)be64_to_cpu_unaligned(data);
	else
		return FALSE;
	return TRUE;
}

int64_t pgbox_db_result_int(const struct pgbox_db_result *result,
			    unsigned int row, unsigned int column)
{
	const unsigned char *data;
	size_t size;
	int64_t value;

	if (!result_get(result, row, column, &data, &size))
		return 0;
	if (!int_decode(PQftype(result->pg, column), data, size, &value))
		result_panic(result, column, "Not an integer");
	return value;
}

const char *pgbox_db_result_text(const struct pgbox_db_result *result,
				 unsigned int row, unsigned int column)
{
	const unsigned char *data;
	size_t size;

	if (!result_get(result, row, column, &data, &size))
		return NULL;
	if (PQftype(result->pg, column) != PGBOX_OID_NAME) {
		result_check_type(result, column, PGBOX_OID_TEXT,
				  PGBOX_OID_VARCHAR, "text");
	}
	/* libpq terminates each value with a NUL */
	return (const char *)data;
}

const unsigned char *
pgbox_db_result_bytes(const struct pgbox_db_result *result,
		      unsigned int row, unsigned int column, size_t *size_r)
{
	const unsigned char *data;

	*size_r = 0;
	if (!result_get(result, row, column, &data, size_r))
		return NULL;
	result_check_type(result, column, PGBOX_OID_BYTEA, PGBOX_OID_UUID,
			  "bytea or uuid");
	return data;
}

/*
 * Arrays
 */

static uint32_t
array_read_be32(const struct pgbox_db_result *result, unsigned int column,
		struct array_reader *reader)
{
	uint32_t value;

	if (reader->end - reader->pos < 4)
		result_panic(result, column, "Not an array");
	value = be32_to_cpu_unaligned(reader->pos);
	reader->pos += 4;
	return value;
}

/* Returns FALSE if it is null. An empty array, or one of several dimensions, which
   no table should have, has count 0. */
static bool
array_read_begin(const struct pgbox_db_result *result, unsigned int row,
		 unsigned int column, struct array_reader *reader_r)
{
	uint32_t dimensions;
	size_t size;

	i_zero(reader_r);
	if (!result_get(result, row, column, &reader_r->pos, &size))
		return FALSE;
	reader_r->end = reader_r->pos + size;

	dimensions = array_read_be32(result, column, reader_r);
	(void)array_read_be32(result, column, reader_r);
	reader_r->type = array_read_be32(result, column, reader_r);
	if (dimensions == 1) {
		reader_r->count = array_read_be32(result, column, reader_r);
		(void)array_read_be32(result, column, reader_r);
	}
	if (reader_r->count > (size_t)(reader_r->end - reader_r->pos) / 4)
		result_panic(result, column, "Array is damaged");
	return TRUE;
}

/* Returns NULL if it is null. */
static const unsigned char *
array_read_next(const struct pgbox_db_result *result, unsigned int column,
		struct array_reader *reader, size_t *size_r)
{
	const unsigned char *data;
	uint32_t size;

	size = array_read_be32(result, column, reader);
	if (size == UINT32_MAX) {
		*size_r = 0;
		return NULL;
	}
	if (size > (size_t)(reader->end - reader->pos))
		result_panic(result, column, "Array is damaged");
	data = reader->pos;
	reader->pos += size;
	*size_r = size;
	return data;
}

void pgbox_db_result_int_array(const struct pgbox_db_result *result,
			       unsigned int row, unsigned int column,
			       ARRAY_TYPE(pgbox_int64) *dest)
{
	struct array_reader reader;
	const unsigned char *data;
	unsigned int i;
	int64_t value;
	size_t size;

	if (!array_read_begin(result, row, column, &reader))
		return;
	if (reader.type != PGBOX_OID_INT2 && reader.type != PGBOX_OID_INT4 &&
	    reader.type != PGBOX_OID_INT8)
		result_panic(result, column, "Not an integer array");
	for (i = 0; i < reader.count; i++) {
		data = array_read_next(result, column, &reader, &size);
		value = 0;
		if (data != NULL && !int_decode(reader.type, data, size, &value))
			result_panic(result, column, "Not an integer array");
		array_push_back(dest, &value);
	}
}

const char *const *
pgbox_db_result_text_array(const struct pgbox_db_result *result,
			   unsigned int row, unsigned int column)
{
	struct array_reader reader;
	const unsigned char *data;
	const char **values;
	unsigned int i;
	size_t size;

	if (!array_read_begin(result, row, column, &reader))
		return NULL;
	if (reader.type != PGBOX_OID_TEXT && reader.type != PGBOX_OID_VARCHAR)
		result_panic(result, column, "Not a text array");

	values = t_new(const char *, reader.count + 1);
	for (i = 0; i < reader.count; i++) {
		data = array_read_next(result, column, &reader, &size);
		values[i] = data == NULL ? "" : t_strndup(data, size);
	}
	return values;
}
