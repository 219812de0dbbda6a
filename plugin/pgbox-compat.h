#ifndef PGBOX_COMPAT_H
#define PGBOX_COMPAT_H

/* Differences between Dovecot versions, and nothing else: every conditional
   on a version or on a configure probe is in this file. */

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

#endif
