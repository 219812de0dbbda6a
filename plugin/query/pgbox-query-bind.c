/* Structs to the parameters of the generated statements, and rows of their results
   to structs. Knows types, not what they mean. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-db.h"
#include "pgbox-query.h"

#define UUID_SIZE 16

#define VALUE(type, base, offset) \
	(*(type const *)CONST_PTR_OFFSET(base, offset))

static const enum pgbox_db_array_type array_types[] = {
	[PGBOX_QUERY_BOOL] = PGBOX_DB_ARRAY_BOOL,
	[PGBOX_QUERY_INT2] = PGBOX_DB_ARRAY_INT2,
	[PGBOX_QUERY_INT4] = PGBOX_DB_ARRAY_INT4,
	[PGBOX_QUERY_INT8] = PGBOX_DB_ARRAY_INT8,
	[PGBOX_QUERY_TEXT] = PGBOX_DB_ARRAY_TEXT,
	[PGBOX_QUERY_BYTEA] = PGBOX_DB_ARRAY_BYTEA,
	[PGBOX_QUERY_UUID] = PGBOX_DB_ARRAY_UUID,
};

static bool field_is_null(const struct pgbox_query_field *field, const void *base)
{
	if (field->has_offset != 0)
		return !VALUE(bool, base, field->has_offset);
	return field->zero_is_null && VALUE(int64_t, base, field->offset) == 0;
}

static void
array_add(struct pgbox_db_array *array, const struct pgbox_query_field *field,
	  const void *row)
{
	const struct pgbox_query_bytes *bytes;
	const unsigned char *uuid;

	if (field_is_null(field, row)) {
		pgbox_db_array_add_null(array);
		return;
	}
	switch (field->type) {
	case PGBOX_QUERY_BOOL:
		pgbox_db_array_add_bool(array, VALUE(bool, row, field->offset));
		return;
	case PGBOX_QUERY_INT2:
	case PGBOX_QUERY_INT4:
	case PGBOX_QUERY_INT8:
		pgbox_db_array_add_int(array, VALUE(int64_t, row, field->offset));
		return;
	case PGBOX_QUERY_TEXT:
		pgbox_db_array_add_text(array, VALUE(const char *, row,
						     field->offset));
		return;
	case PGBOX_QUERY_BYTEA:
		bytes = CONST_PTR_OFFSET(row, field->offset);
		pgbox_db_array_add_bytes(array, bytes->data, bytes->size);
		return;
	case PGBOX_QUERY_UUID:
		uuid = VALUE(const unsigned char *, row, field->offset);
		pgbox_db_array_add_bytes(array, uuid, UUID_SIZE);
		return;
	case PGBOX_QUERY_LSN:
	case PGBOX_QUERY_INTS:
	case PGBOX_QUERY_TEXTS:
		break;
	}
	i_unreached();
}

static void
bind_rows(struct pgbox_db_params *params, const struct pgbox_query_field *field,
	  const void *values)
{
	const void *rows = VALUE(void *, values, field->rows_offset);
	unsigned int i, count =
		VALUE(unsigned int, values, field->row_count_offset);
	struct pgbox_db_array *array =
		pgbox_db_param_array(params, array_types[field->type]);

	for (i = 0; i < count; i++) {
		array_add(array, field, CONST_PTR_OFFSET(rows,
				(size_t)i * field->row_size));
	}
}

static void
bind_ints(struct pgbox_db_params *params, const struct pgbox_query_ints *ints)
{
	struct pgbox_db_array *array =
		pgbox_db_param_array(params, PGBOX_DB_ARRAY_INT8);
	unsigned int i;

	for (i = 0; i < ints->count; i++)
		pgbox_db_array_add_int(array, ints->values[i]);
}

static void
bind_texts(struct pgbox_db_params *params, const char *const *texts)
{
	struct pgbox_db_array *array;

	if (texts == NULL) {
		pgbox_db_param_null(params);
		return;
	}
	array = pgbox_db_param_array(params, PGBOX_DB_ARRAY_TEXT);
	for (; *texts != NULL; texts++)
		pgbox_db_array_add_text(array, *texts);
}

static void
bind_int(struct pgbox_db_params *params, enum pgbox_query_type type,
	 int64_t value)
{
	switch (type) {
	case PGBOX_QUERY_INT2:
		i_assert(value >= INT16_MIN && value <= INT16_MAX);
		pgbox_db_param_int2(params, value);
		break;
	case PGBOX_QUERY_INT4:
		i_assert(value >= INT32_MIN && value <= INT32_MAX);
		pgbox_db_param_int4(params, value);
		break;
	case PGBOX_QUERY_LSN:
		pgbox_db_param_lsn(params, value);
		break;
	default:
		pgbox_db_param_int8(params, value);
		break;
	}
}

static void
bind_value(struct pgbox_db_params *params, const struct pgbox_query_field *field,
	   const void *values)
{
	const void *value = CONST_PTR_OFFSET(values, field->offset);
	const struct pgbox_query_bytes *bytes = value;
	const unsigned char *uuid;

	switch (field->type) {
	case PGBOX_QUERY_BOOL:
		pgbox_db_param_bool(params, *(const bool *)value);
		break;
	case PGBOX_QUERY_INT2:
	case PGBOX_QUERY_INT4:
	case PGBOX_QUERY_INT8:
	case PGBOX_QUERY_LSN:
		bind_int(params, field->type, *(const int64_t *)value);
		break;
	case PGBOX_QUERY_TEXT:
		pgbox_db_param_text(params, *(const char *const *)value);
		break;
	case PGBOX_QUERY_BYTEA:
		pgbox_db_param_bytea(params, bytes->data, bytes->size);
		break;
	case PGBOX_QUERY_UUID:
		uuid = *(const unsigned char *const *)value;
		if (uuid == NULL)
			pgbox_db_param_null(params);
		else
			pgbox_db_param_uuid(params, uuid);
		break;
	case PGBOX_QUERY_INTS:
		bind_ints(params, value);
		break;
	case PGBOX_QUERY_TEXTS:
		bind_texts(params, *(const char *const *const *)value);
		break;
	}
}

void pgbox_query_bind(struct pgbox_db_params *params,
		      const struct pgbox_query *query, const void *values)
{
	const struct pgbox_query_field *field = query->params;
	unsigned int i;

	for (i = 0; i < query->param_count; i++, field++) {
		if (field->row_size > 0)
			bind_rows(params, field, values);
		else if (field_is_null(field, values))
			pgbox_db_param_null(params);
		else
			bind_value(params, field, values);
	}
}

int pgbox_query_exec(struct pgbox_db *db, const struct pgbox_query *query,
		     const void *values, struct pgbox_db_result **result_r,
		     struct pgbox_db_failure *failure_r)
{
	/* the octets of several messages are too much for the data stack, which
	   never shrinks again */
	pool_t pool = pool_alloconly_create("pgbox query", 2048);
	struct pgbox_db_params *params = pgbox_db_params_create(pool);
	struct pgbox_db_result *result;
	int ret;

	pgbox_query_bind(params, query, values);
	ret = query->repeatable ?
		pgbox_db_exec_repeatable(db, query, params, &result, failure_r) :
		pgbox_db_exec(db, query, params, &result, failure_r);
	pool_unref(&pool);
	if (ret < 0)
		return -1;
	if (result_r == NULL)
		pgbox_db_result_free(&result);
	else
		*result_r = result;
	return 0;
}

struct pgbox_db_started *
pgbox_query_start(struct pgbox_db *db, const struct pgbox_query *query,
		  const void *values, struct pgbox_db_failure *failure_r)
{
	struct pgbox_db_params *params =
		pgbox_db_params_create(pool_datastack_create());

	pgbox_query_bind(params, query, values);
	return pgbox_db_exec_start(db, query, params, failure_r);
}

/*
 * Results
 */

static void
read_ints(const struct pgbox_db_result *result, unsigned int row,
	  unsigned int column, struct pgbox_query_ints *ints_r)
{
	ARRAY_TYPE(pgbox_int64) values;

	i_zero(ints_r);
	if (pgbox_db_result_is_null(result, row, column))
		return;
	t_array_init(&values, 8);
	pgbox_db_result_int_array(result, row, column, &values);
	ints_r->values = array_get(&values, &ints_r->count);
}

static void
read_value(const struct pgbox_db_result *result, unsigned int row,
	   unsigned int column, const struct pgbox_query_field *field,
	   void *columns_r)
{
	void *value_r = PTR_OFFSET(columns_r, field->offset);
	struct pgbox_query_bytes *bytes_r = value_r;
	size_t size;

	switch (field->type) {
	case PGBOX_QUERY_BOOL:
		*(bool *)value_r = pgbox_db_result_bool(result, row, column);
		break;
	case PGBOX_QUERY_INT2:
	case PGBOX_QUERY_INT4:
	case PGBOX_QUERY_INT8:
	case PGBOX_QUERY_LSN:
		*(int64_t *)value_r = pgbox_db_result_int(result, row, column);
		break;
	case PGBOX_QUERY_TEXT:
		*(const char **)value_r =
			pgbox_db_result_text(result, row, column);
		break;
	case PGBOX_QUERY_BYTEA:
		bytes_r->data = pgbox_db_result_bytes(result, row, column,
						      &bytes_r->size);
		break;
	case PGBOX_QUERY_UUID:
		*(const unsigned char **)value_r =
			pgbox_db_result_bytes(result, row, column, &size);
		break;
	case PGBOX_QUERY_INTS:
		read_ints(result, row, column, value_r);
		break;
	case PGBOX_QUERY_TEXTS:
		*(const char *const **)value_r =
			pgbox_db_result_text_array(result, row, column);
		break;
	}
}

void pgbox_query_read(const struct pgbox_db_result *result,
		      const struct pgbox_query *query, unsigned int row,
		      void *columns_r)
{
	const struct pgbox_query_field *field = query->columns;
	unsigned int i;

	for (i = 0; i < query->column_count; i++, field++) {
		if (row == 0)
			pgbox_db_result_check_name(result, i, field->name);
		read_value(result, row, i, field, columns_r);
		if (field->has_offset != 0) {
			*(bool *)PTR_OFFSET(columns_r, field->has_offset) =
				!pgbox_db_result_is_null(result, row, i);
		}
	}
}
