#ifndef PGBOX_COMPAT_H
#define PGBOX_COMPAT_H

/* Differences between Dovecot versions, and nothing else: every conditional
   on a configure probe is in this file. */

#include "pgbox-config.h"
#include "message-part-data.h"

/* Security releases of the distributions limit what is kept of headers. */
struct pgbox_part_data_limits {
#ifdef HAVE_MESSAGE_PART_DATA_LIMITS
	struct message_part_data_limits limits;
#else
	int unused;
#endif
};

static inline void
pgbox_part_data_limits_init(struct pgbox_part_data_limits *limits_r)
{
#ifdef HAVE_MESSAGE_PART_DATA_LIMITS
	limits_r->limits = (struct message_part_data_limits)
		MESSAGE_PART_DATA_LIMITS_INIT;
#else
	limits_r->unused = 0;
#endif
}

static inline void
pgbox_part_data_parse_from_header(pool_t pool, struct message_part *part,
				  struct pgbox_part_data_limits *limits,
				  struct message_header_line *hdr)
{
#ifdef HAVE_MESSAGE_PART_DATA_LIMITS
	message_part_data_parse_from_header(pool, part, &limits->limits, hdr);
#else
	(void)limits;
	message_part_data_parse_from_header(pool, part, hdr);
#endif
}

static inline void
pgbox_envelope_parse_from_header(pool_t pool,
				 struct message_part_envelope **envelope,
				 struct pgbox_part_data_limits *limits,
				 struct message_header_line *hdr)
{
#ifdef HAVE_MESSAGE_PART_DATA_LIMITS
	message_part_envelope_parse_from_header(pool, envelope,
						&limits->limits, hdr);
#else
	(void)limits;
	message_part_envelope_parse_from_header(pool, envelope, hdr);
#endif
}

/* As Dovecot writes them into its cache file: without UTF-8 in quoted strings */
#ifdef HAVE_ENUM_IMAP_QUOTE_FLAGS
#  define PGBOX_COMPAT_ENVELOPE_WRITE(envelope, str) \
	imap_envelope_write(envelope, str, 0)
#  define PGBOX_COMPAT_BODYSTRUCTURE_WRITE(part, str, error_r) \
	imap_bodystructure_write(part, str, TRUE, 0, error_r)
#else
#  define PGBOX_COMPAT_ENVELOPE_WRITE(envelope, str) \
	imap_envelope_write(envelope, str)
#  define PGBOX_COMPAT_BODYSTRUCTURE_WRITE(part, str, error_r) \
	imap_bodystructure_write(part, str, TRUE, error_r)
#endif

/*
 * Settings
 */

#ifdef HAVE_SETTINGS_GET
/* A storage class registers its settings. */
#  define PGBOX_COMPAT_SET_INFO
/* What messages say of where pgbox's settings are, and call Dovecot's own before
   their values */
#  define PGBOX_COMPAT_IN_SETTINGS ""
#  define PGBOX_COMPAT_PATH_SETTING "mail_path"
#  define PGBOX_COMPAT_LAYOUT_SETTING "mailbox_list_layout = "
#  define PGBOX_COMPAT_DRIVER_SETTING "mail_driver = "
/* names of the user's plugins, NULL-terminated */
#  define PGBOX_COMPAT_USER_PLUGINS(user) \
	settings_boollist_get(&(user)->set->mail_plugins)
/* No driver counts by itself any more. */
#  define PGBOX_COMPAT_USER_QUOTA_DRIVER(user) ((const char *)NULL)
#else
#  define PGBOX_COMPAT_IN_SETTINGS " in plugin { }"
#  define PGBOX_COMPAT_PATH_SETTING "mail_location"
#  define PGBOX_COMPAT_LAYOUT_SETTING "mail_location: LAYOUT="
#  define PGBOX_COMPAT_DRIVER_SETTING "mail_location = "
#  define PGBOX_COMPAT_USER_PLUGINS(user) \
	t_strsplit_spaces((user)->set->mail_plugins, " ,")
/* what begins with the driver, or NULL */
#  define PGBOX_COMPAT_USER_QUOTA_DRIVER(user) \
	mail_user_plugin_getenv(user, "quota")
#endif

/*
 * Storage and list classes
 */

#ifdef HAVE_STRUCT_MAIL_STORAGE_VFUNCS_GET_LIST_SETTINGS
/* A storage class sets the defaults of mail_location's keys. */
#  define PGBOX_COMPAT_GET_LIST_SETTINGS
#endif

#ifdef HAVE_STRUCT_MAIL_STORAGE_SETTINGS_MAILBOX_LIST_LAYOUT
#  define PGBOX_COMPAT_LIST_ROOT_PATH(list, type, path_r) \
	mailbox_list_default_get_root_path(list, type, path_r)
#  define PGBOX_COMPAT_LIST_MAILBOX_DIR(list) \
	((list)->mail_set->mailbox_root_directory_name)
#  define PGBOX_COMPAT_LIST_NO_NOSELECT(list) \
	((list)->mail_set->mailbox_list_drop_noselect)
#else
#  define PGBOX_COMPAT_LIST_ROOT_PATH(list, type, path_r) \
	mailbox_list_set_get_root_path(&(list)->set, type, path_r)
#  define PGBOX_COMPAT_LIST_MAILBOX_DIR(list) ((list)->set.mailbox_dir_name)
#  define PGBOX_COMPAT_LIST_NO_NOSELECT(list) ((list)->set.no_noselect)
#endif

#if HAVE_DECL_MAILBOX_LIST_DEFAULT_GET_STORAGE
/* A list class must have the vfunc get_storage. */
#  define PGBOX_COMPAT_LIST_GET_STORAGE mailbox_list_default_get_storage
#else
#  define PGBOX_COMPAT_LIST_GET_STORAGE NULL
#endif

#if HAVE_DECL_MAILBOX_LIST_SUBSCRIPTIONS_ITER_INIT
/* A list class lists subscriptions itself. */
#  define PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
#endif

/*
 * Mailboxes
 */

#ifdef HAVE_CACHE_REGISTER_POOL
#  define PGBOX_COMPAT_CACHE_REGISTER_FIELD(cache, field) \
	mail_cache_register_fields(cache, field, 1, \
				   MAIL_CACHE_TRUNCATE_NAME_FAIL)
#else
#  define PGBOX_COMPAT_CACHE_REGISTER_FIELD(cache, field) \
	mail_cache_register_fields(cache, field, 1)
#endif

/* How "doveadm index" asks up to which mail there is nothing to do */
#if HAVE_DECL_STATUS_LAST_CACHED_SEQ
#  define PGBOX_COMPAT_STATUS_INDEXED STATUS_LAST_CACHED_SEQ
#  define PGBOX_COMPAT_STATUS_SET_NOT_INDEXED(status) \
	((status)->last_cached_seq = 0)
#else
#  define PGBOX_COMPAT_STATUS_INDEXED STATUS_FTS_LAST_INDEXED_UID
#  define PGBOX_COMPAT_STATUS_SET_NOT_INDEXED(status) \
	((status)->fts_last_indexed_uid = 0)
#endif

/*
 * Dates
 */

#if !HAVE_DECL_TIME_TO_UINT32_TRUNC
/* Of the seconds of a Date header the lower 32 bits are cached, instead of the
   nearest number that has 32 bits. */
#  define PGBOX_COMPAT_SENT_DATE_WRAPS
#endif

#endif
