/* Parameters of statements in PostgreSQL's binary format (big-endian; arrays
   as array_send() writes them). Knows types and bytes, no connection. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "buffer.h"
#include "byteorder.h"
#include "unichar.h"
#include "pgbox-db-wire.h"

/* dimensions, flags, element type; then per dimension length, lower bound */
#define ARRAY_HEADER_SIZE 12
#define ARRAY_OFFSET_FLAGS 4
#define ARRAY_OFFSET_LENGTH 12

#define UUID_SIZE 16

struct pgbox_db_array {
	enum pgbox_db_array_type type;
	/* the value as it is sent */
	buffer_t *data;
	unsigned int count;
};

struct pgbox_db_param {
	Oid type;
	/* the value is one of: bytes (size of them; foreign), array, or
	   neither = null */
	const void *bytes;
	size_t size;
	struct pgbox_db_array *array;
};

struct pgbox_db_params {
	pool_t pool;
	ARRAY(struct pgbox_db_param) params;
};

static const struct {
	Oid array, element;
} array_types[] = {
	[PGBOX_DB_ARRAY_BOOL] = { PGBOX_OID_BOOL_ARRAY, PGBOX_OID_BOOL },
	[PGBOX_DB_ARRAY_INT2] = { PGBOX_OID_INT2_ARRAY, PGBOX_OID_INT2 },
	[PGBOX_DB_ARRAY_INT4] = { PGBOX_OID_INT4_ARRAY, PGBOX_OID_INT4 },
	[PGBOX_DB_ARRAY_INT8] = { PGBOX_OID_INT8_ARRAY, PGBOX_OID_INT8 },
	[PGBOX_DB_ARRAY_TEXT] = { PGBOX_OID_TEXT_ARRAY, PGBOX_OID_TEXT },
	[PGBOX_DB_ARRAY_BYTEA] = { PGBOX_OID_BYTEA_ARRAY, PGBOX_OID_BYTEA },
	[PGBOX_DB_ARRAY_UUID] = { PGBOX_OID_UUID_ARRAY, PGBOX_OID_UUID },
};

struct pgbox_db_params *pgbox_db_params_create(pool_t pool)
{
	struct pgbox_db_params *params;

	params = p_new(pool, struct pgbox_db_params, 1);
	params->pool = pool;
	p_array_init(&params->params, pool, 8);
	return params;
}

static struct pgbox_db_param *
param_add(struct pgbox_db_params *params, Oid type,
	  const void *bytes, size_t size)
{
	struct pgbox_db_param *param;

	i_assert(size <= INT_MAX);

	param = array_append_space(&params->params);
	param->type = type;
	param->bytes = bytes;
	param->size = size;
	return param;
}

static void
param_add_copy(struct pgbox_db_params *params, Oid type,
	       const void *bytes, size_t size)
{
	param_add(params, type, p_memdup(params->pool, bytes, size), size);
}

void pgbox_db_param_null(struct pgbox_db_params *params)
{
	/* 0 = the server finds the type itself */
	param_add(params, 0, NULL, 0);
}

void pgbox_db_param_bool(struct pgbox_db_params *params, bool value)
{
	param_add(params, PGBOX_OID_BOOL, value ? "\001" : "\000", 1);
}

void pgbox_db_param_int2(struct pgbox_db_params *params, int16_t value)
{
	unsigned char bytes[sizeof(value)];

	cpu16_to_be_unaligned((uint16_t)value, bytes);
	param_add_copy(params, PGBOX_OID_INT2, bytes, sizeof(bytes));
}

void pgbox_db_param_int4(struct pgbox_db_params *params, int32_t value)
{
	unsigned char bytes[sizeof(value)];

	cpu32_to_be_unaligned((uint32_t)value, bytes);
	param_add_copy(params, PGBOX_OID_INT4, bytes, sizeof(bytes));
}

static void
param_add_int64(struct pgbox_db_params *params, Oid type, int64_t value)
{
	unsigned char bytes[sizeof(value)];

	cpu64_to_be_unaligned((uint64_t)value, bytes);
	param_add_copy(params, type, bytes, sizeof(bytes));
}

void pgbox_db_param_int8(struct pgbox_db_params *params, int64_t value)
{
	param_add_int64(params, PGBOX_OID_INT8, value);
}

void pgbox_db_param_lsn(struct pgbox_db_params *params, int64_t value)
{
	param_add_int64(params, PGBOX_OID_LSN, value);
}

void pgbox_db_param_text(struct pgbox_db_params *params, const char *value)
{
	param_add(params, PGBOX_OID_TEXT, value,
		  value == NULL ? 0 : strlen(value));
}

void pgbox_db_param_bytea(struct pgbox_db_params *params,
			  const void *data, size_t size)
{
	param_add(params, PGBOX_OID_BYTEA, data, data == NULL ? 0 : size);
}

void pgbox_db_param_uuid(struct pgbox_db_params *params,
			 const unsigned char *uuid)
{
	param_add_copy(params, PGBOX_OID_UUID, uuid, UUID_SIZE);
}

/*
 * Arrays
 */

static void buffer_append_be32(buffer_t *buf, uint32_t value)
{
	cpu32_to_be_unaligned(value, buffer_append_space_unsafe(buf, 4));
}

static void buffer_set_be32(buffer_t *buf, size_t pos, uint32_t value)
{
	cpu32_to_be_unaligned(value, buffer_get_space_unsafe(buf, pos, 4));
}

struct pgbox_db_array *
pgbox_db_param_array(struct pgbox_db_params *params,
		     enum pgbox_db_array_type type)
{
	struct pgbox_db_array *array;

	array = p_new(params->pool, struct pgbox_db_array, 1);
	array->type = type;
	array->data = buffer_create_dynamic(params->pool, 128);
	/* an empty array has no dimension */
	buffer_append_be32(array->data, 0);
	buffer_append_be32(array->data, 0);
	buffer_append_be32(array->data, array_types[type].element);
	i_assert(array->data->used == ARRAY_HEADER_SIZE);
	param_add(params, array_types[type].array, NULL, 0)->array = array;
	return array;
}

static void
array_add(struct pgbox_db_array *array, const void *bytes, size_t size)
{
	buffer_t *buf = array->data;

	i_assert(size <= INT_MAX);

	if (array->count++ == 0) {
		/* one dimension, counted from 1 */
		buffer_set_be32(buf, 0, 1);
		buffer_append_be32(buf, 0);
		buffer_append_be32(buf, 1);
	}
	buffer_set_be32(buf, ARRAY_OFFSET_LENGTH, array->count);
	if (bytes == NULL) {
		/* it has nulls */
		buffer_set_be32(buf, ARRAY_OFFSET_FLAGS, 1);
		buffer_append_be32(buf, UINT32_MAX);
	} else {
		buffer_append_be32(buf, size);
		buffer_append(buf, bytes, size);
	}
}

void pgbox_db_array_add_null(struct pgbox_db_array *array)
{
	array_add(array, NULL, 0);
}

void pgbox_db_array_add_bool(struct pgbox_db_array *array, bool value)
{
	i_assert(array->type == PGBOX_DB_ARRAY_BOOL);
	array_add(array, value ? "\001" : "\000", 1);
}

void pgbox_db_array_add_int(struct pgbox_db_array *array, int64_t value)
{
	unsigned char bytes[sizeof(value)];

	switch (array->type) {
	case PGBOX_DB_ARRAY_INT2:
		i_assert(value >= INT16_MIN && value <= INT16_MAX);
		cpu16_to_be_unaligned((uint16_t)value, bytes);
		array_add(array, bytes, 2);
		return;
	case PGBOX_DB_ARRAY_INT4:
		i_assert(value >= INT32_MIN && value <= INT32_MAX);
		cpu32_to_be_unaligned((uint32_t)value, bytes);
		array_add(array, bytes, 4);
		return;
	case PGBOX_DB_ARRAY_INT8:
		cpu64_to_be_unaligned((uint64_t)value, bytes);
		array_add(array, bytes, 8);
		return;
	case PGBOX_DB_ARRAY_BOOL:
	case PGBOX_DB_ARRAY_TEXT:
	case PGBOX_DB_ARRAY_BYTEA:
	case PGBOX_DB_ARRAY_UUID:
		break;
	}
	i_unreached();
}

void pgbox_db_array_add_text(struct pgbox_db_array *array, const char *value)
{
	i_assert(array->type == PGBOX_DB_ARRAY_TEXT);
	array_add(array, value, value == NULL ? 0 : strlen(value));
}

void pgbox_db_array_add_bytes(struct pgbox_db_array *array,
			      const void *data, size_t size)
{
	i_assert(array->type == PGBOX_DB_ARRAY_BYTEA ||
		 (array->type == PGBOX_DB_ARRAY_UUID &&
		  (data == NULL || size == UUID_SIZE)));
	array_add(array, data, size);
}

bool pgbox_db_text_is_valid(const char *str, size_t size)
{
	return memchr(str, '\0', size) == NULL &&
		uni_utf8_data_is_valid((const unsigned char *)str, size);
}

/*
 * The form for libpq
 */

void pgbox_db_params_get_wire(const struct pgbox_db_params *params,
			      struct pgbox_db_wire_params *wire_r)
{
	const struct pgbox_db_param *param;
	unsigned int i, count;

	i_zero(wire_r);
	if (params == NULL)
		return;

	param = array_get(&params->params, &count);
	wire_r->count = count;
	wire_r->types = t_new(Oid, count + 1);
	wire_r->values = t_new(const char *, count + 1);
	wire_r->lengths = t_new(int, count + 1);
	wire_r->formats = t_new(int, count + 1);
	for (i = 0; i < count; i++, param++) {
		const void *value = param->bytes;
		size_t size = param->size;

		if (param->array != NULL) {
			value = param->array->data->data;
			size = param->array->data->used;
			i_assert(size <= INT_MAX);
		}
		wire_r->types[i] = param->type;
		wire_r->values[i] = value;
		wire_r->lengths[i] = size;
		wire_r->formats[i] = 1;
	}
}
