/* SEARCH BEFORE, ON and SINCE. Dovecot's matcher asks the C library for the time zone
   of each mail's date, which looks at /etc/localtime each time: most of what such a
   search costs. But for a day or so around the day that is searched the zone
   doesn't matter. Knows neither the database nor other keys. */

#include "pgbox-config.h"
#include "lib.h"
#include "mail-search.h"
#include "index-storage.h"
#include "pgbox-search.h"

#define DAY_SECS (24*3600)
/* No zone is further from UTC: POSIX TZ allows 24 hours and a summer time. */
#define ZONE_MAX_SECS (2*DAY_SECS)

/* Returns 0, or -1 if it is left to Dovecot: dates of headers have their zone with
   them. */
static int
arg_get_date(const struct mail_search_arg *arg, struct mail *mail,
	     time_t *date_r)
{
	switch (arg->value.date_type) {
	case MAIL_SEARCH_DATE_TYPE_SENT:
		break;
	case MAIL_SEARCH_DATE_TYPE_RECEIVED:
		return mail_get_received_date(mail, date_r);
	case MAIL_SEARCH_DATE_TYPE_SAVED:
		return mail_get_save_date(mail, date_r) < 0 ? -1 : 0;
	}
	return -1;
}

/* Returns 1 if the mail's date matches, 0 if not, -1 if that is up to the zone. */
static int arg_match_date(const struct mail_search_arg *arg, struct mail *mail)
{
	time_t date, end = arg->value.time;
	bool before, after;

	if (arg_get_date(arg, mail, &date) < 0)
		return -1;
	if (arg->type == SEARCH_ON)
		end += DAY_SECS;
	before = date < arg->value.time - ZONE_MAX_SECS;
	after = date >= end + ZONE_MAX_SECS;
	if (!before && !after)
		return -1;
	if (arg->type == SEARCH_ON)
		return 0;
	return before == (arg->type == SEARCH_BEFORE) ? 1 : 0;
}

static void args_match_dates(struct mail_search_arg *arg, struct mail *mail)
{
	int match;

	for (; arg != NULL; arg = arg->next) {
		if (arg->result != -1)
			continue;
		if (arg->type == SEARCH_OR || arg->type == SEARCH_SUB) {
			args_match_dates(arg->value.subargs, mail);
		} else if (arg->type == SEARCH_BEFORE ||
			   arg->type == SEARCH_ON ||
			   arg->type == SEARCH_SINCE) {
			match = arg_match_date(arg, mail);
			if (match >= 0)
				arg->result = (match > 0) != arg->match_not;
		}
	}
}

static bool args_are_nonmatch(const struct mail_search_arg *arg)
{
	for (; arg != NULL; arg = arg->next) {
		if (arg->result == 0)
			return TRUE;
	}
	return FALSE;
}

int pgbox_search_next_match_mail(struct mail_search_context *ctx,
				 struct mail *mail)
{
	struct mail_search_arg *args = ctx->args->args;

	if (!args_are_nonmatch(args))
		args_match_dates(args, mail);
	/* forgets the results behind the mail */
	return index_storage_search_next_match_mail(ctx, mail);
}
