/* Compiles a sort program to SQL, from constant fragments. The order is that of
   Dovecot's index-sort.c. Knows neither the database nor a mailbox. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "pgbox-compat.h"
#include "pgbox-sort-sql.h"

#define PARAM_COUNT 5

/* Dovecot keeps dates in 32 bits. */
#define SQL_RECEIVED "extract(epoch from t.received_at)::bigint"
#define SQL_SENT_64 "extract(epoch from t.sent_at)::bigint"
#ifdef PGBOX_COMPAT_SENT_DATE_WRAPS
#  define SQL_SENT "(" SQL_SENT_64 " & 4294967295)"
#else
#  define SQL_SENT "least(greatest(" SQL_SENT_64 ", 0), 4294967295)"
#endif

#define SQL_RECEIVED_USABLE SQL_RECEIVED " between 0 and 4294967295"
#define SQL_KEY_USABLE "t.sort_folding = $5 and "

#define ZONE_BITS 16
#define SQL_ZONE_BITS "16"
#define SQL_ZONE_OFFSET "32768"

static const struct sort_sql_field {
	/* what it is ordered by */
	const char *key;
	/* condition under which the key is what Dovecot compares; or NULL */
	const char *usable;
	/* NULL: rank */
	const char *value;
} sql_fields[PGBOX_SORT_FIELD_COUNT] = {
	[PGBOX_SORT_ARRIVAL] = {
		.key = "t.received_at",
		.usable = SQL_RECEIVED_USABLE,
		.value = SQL_RECEIVED,
	},
	/* RFC 5256: without a valid Date, when it was received */
	[PGBOX_SORT_DATE] = {
		.key = "coalesce(nullif(" SQL_SENT ", 0), " SQL_RECEIVED ")",
		.usable = SQL_RECEIVED_USABLE,
		.value = "(coalesce(" SQL_SENT ", 0) << " SQL_ZONE_BITS ") + "
			SQL_ZONE_OFFSET " + coalesce(t.sent_zone_minutes, 0)",
	},
	[PGBOX_SORT_SIZE] = {
		.key = "t.size",
		.value = "t.size",
	},
	[PGBOX_SORT_SUBJECT] = {
		.key = "t.sort_subject",
		.usable = SQL_KEY_USABLE "t.sort_subject is not null",
	},
	[PGBOX_SORT_FROM] = {
		.key = "t.sort_from",
		.usable = SQL_KEY_USABLE "t.sort_from is not null",
	},
	[PGBOX_SORT_TO] = {
		.key = "t.sort_to",
		.usable = SQL_KEY_USABLE "t.sort_to is not null",
	},
	[PGBOX_SORT_CC] = {
		.key = "t.sort_cc",
		.usable = SQL_KEY_USABLE "t.sort_cc is not null",
	},
	[PGBOX_SORT_DISPLAYFROM] = {
		.key = "t.sort_display_from",
		.usable = SQL_KEY_USABLE "t.sort_display_from is not null",
	},
	[PGBOX_SORT_DISPLAYTO] = {
		.key = "t.sort_display_to",
		.usable = SQL_KEY_USABLE "t.sort_display_to is not null",
	},
};

enum pgbox_sort_value pgbox_sort_get_value(enum pgbox_sort_field field)
{
	if (field == PGBOX_SORT_DATE)
		return PGBOX_SORT_VALUE_DATE;
	return sql_fields[field].value == NULL ?
		PGBOX_SORT_VALUE_RANK : PGBOX_SORT_VALUE_NUMBER;
}

void pgbox_sort_date_unpack(int64_t value, uint32_t *time_r,
			    int32_t *timezone_r)
{
	*time_r = (uint64_t)value >> ZONE_BITS;
	*timezone_r = (int32_t)(value & ((1 << ZONE_BITS) - 1)) -
		(1 << (ZONE_BITS - 1));
}

static void write_key(string_t *sql, const struct pgbox_sort_term *term)
{
	str_append(sql, sql_fields[term->field].key);
	if (term->reverse)
		str_append(sql, " desc");
}

static void write_value(string_t *sql, const struct pgbox_sort_term *term)
{
	const char *value = sql_fields[term->field].value;

	if (value != NULL) {
		str_append(sql, value);
		return;
	}
	str_append(sql, "dense_rank() over (order by ");
	write_key(sql, term);
	str_append(sql, ")");
}

static void
write_usable(string_t *sql, const ARRAY_TYPE(pgbox_sort_term) *terms)
{
	const struct pgbox_sort_term *term;
	const char *usable;

	str_append(sql, "true");
	array_foreach(terms, term) {
		usable = sql_fields[term->field].usable;
		if (usable != NULL)
			str_printfa(sql, " and %s", usable);
	}
}

const struct pgbox_query *
pgbox_sort_sql_compile(pool_t pool,
		       const ARRAY_TYPE(pgbox_sort_term) *terms, bool by_uids)
{
	const struct pgbox_sort_term *term;
	struct pgbox_query *query;
	string_t *sql = str_new(pool, 1024);

	/* an aggregate takes its input in the order of the subquery */
	str_append(sql, "select coalesce(array_agg(s.uid), '{}'), "
		   "coalesce(array_agg(s.value), '{}'), "
		   "coalesce(bool_and(s.usable), true) "
		   "from (select m.uid, ");
	write_value(sql, array_front(terms));
	str_append(sql, " as value, ");
	write_usable(sql, terms);
	str_append(sql, " as usable from pgbox.mail m "
		   "join pgbox.message t on t.account_id = m.account_id "
		   "and t.message_id = m.message_id "
		   "where m.account_id = $1 and t.account_id = $1 "
		   "and m.mailbox_id = $2 and m.uid between $3 and $4 ");
	if (by_uids)
		str_append(sql, "and m.uid = any ($6) ");
	str_append(sql, "order by ");
	array_foreach(terms, term) {
		write_key(sql, term);
		str_append(sql, ", ");
	}
	str_append(sql, "m.uid) s");

	query = p_new(pool, struct pgbox_query, 1);
	query->name = "sort";
	query->sql = str_c(sql);
	query->param_count = by_uids ? PARAM_COUNT + 1 : PARAM_COUNT;
	return query;
}
