#ifndef PGBOX_SORT_KEY_H
#define PGBOX_SORT_KEY_H

/* What SORT (RFC 5256, 5957) compares of a message's header, as strings of octets
   in the order of index_sort_header_get() of Dovecot's index-sort.c. */

enum pgbox_sort_key {
	PGBOX_SORT_KEY_SUBJECT,
	PGBOX_SORT_KEY_FROM,
	PGBOX_SORT_KEY_TO,
	PGBOX_SORT_KEY_CC,
	PGBOX_SORT_KEY_DISPLAYFROM,
	PGBOX_SORT_KEY_DISPLAYTO,

	PGBOX_SORT_KEY_COUNT
};

/* The header field that a key is made of */
extern const char *const pgbox_sort_key_fields[PGBOX_SORT_KEY_COUNT];

/* value: of the message's first field of that name, not decoded, or NULL if it has
   none. Returns the key, allocated from the pool, which can't be the data stack, or NULL
   if it is too long to be stored: then Dovecot must sort. */
const char *pgbox_sort_key_make(pool_t pool, enum pgbox_sort_key key,
				const char *value);

#endif
