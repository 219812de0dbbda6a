/* Computes sort keys of messages, see get_first_mailbox(), get_display_name() and
   index_sort_header_get() of Dovecot's index-sort.c. Knows nothing of mailboxes or
   SQL. */

#include "lib.h"
#include "str.h"
#include "unichar.h"
#include "message-address.h"
#include "message-header-decode.h"
#include "imap-base-subject.h"
#include "pgbox-sort-key.h"

/* All keys of a message are read when it is sorted. */
#define KEY_MAX_BYTES 1000

const char *const pgbox_sort_key_fields[PGBOX_SORT_KEY_COUNT] = {
	[PGBOX_SORT_KEY_SUBJECT] = "Subject",
	[PGBOX_SORT_KEY_FROM] = "From",
	[PGBOX_SORT_KEY_TO] = "To",
	[PGBOX_SORT_KEY_CC] = "Cc",
	[PGBOX_SORT_KEY_DISPLAYFROM] = "From",
	[PGBOX_SORT_KEY_DISPLAYTO] = "To",
};

static const char *subject_get_base(const char *value)
{
	bool is_reply_or_forward;

	return imap_get_base_subject_cased(pool_datastack_create(), value,
					   &is_reply_or_forward);
}

static struct message_address *value_get_first_address(const char *value)
{
	return message_address_parse(pool_datastack_create(),
				     (const unsigned char *)value,
				     strlen(value), 1,
				     MESSAGE_ADDRESS_PARSE_FLAG_FILL_MISSING);
}

static const char *address_get_mailbox(const struct message_address *addr)
{
	return addr == NULL || addr->mailbox == NULL ? "" : addr->mailbox;
}

static const char *address_get_display_name(const struct message_address *addr)
{
	string_t *name;

	if (addr == NULL)
		return "";
	if (addr->name != NULL) {
		name = t_str_new(128);
		message_header_decode_utf8((const unsigned char *)addr->name,
					   strlen(addr->name), name, NULL);
		if (str_len(name) > 0)
			return str_c(name);
	}
	if (addr->mailbox != NULL && addr->domain != NULL)
		return t_strconcat(addr->mailbox, "@", addr->domain, NULL);
	return address_get_mailbox(addr);
}

static const char *key_fold(const char *str)
{
	string_t *dest = t_str_new(128);

	(void)uni_utf8_to_decomposed_titlecase(str, strlen(str), dest);
	return str_c(dest);
}

static const char *key_compute(enum pgbox_sort_key key, const char *value)
{
	switch (key) {
	case PGBOX_SORT_KEY_SUBJECT:
		return subject_get_base(value);
	case PGBOX_SORT_KEY_FROM:
	case PGBOX_SORT_KEY_TO:
	case PGBOX_SORT_KEY_CC:
		return key_fold(address_get_mailbox(
					value_get_first_address(value)));
	case PGBOX_SORT_KEY_DISPLAYFROM:
	case PGBOX_SORT_KEY_DISPLAYTO:
		return key_fold(address_get_display_name(
					value_get_first_address(value)));
	case PGBOX_SORT_KEY_COUNT:
		break;
	}
	i_unreached();
}

const char *pgbox_sort_key_make(pool_t pool, enum pgbox_sort_key key,
				const char *value)
{
	const char *ret = "";

	if (value == NULL)
		return ret;
	T_BEGIN {
		ret = key_compute(key, value);
		ret = strlen(ret) > KEY_MAX_BYTES ? NULL : p_strdup(pool, ret);
	} T_END;
	return ret;
}
