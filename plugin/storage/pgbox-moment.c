/* How old is what was read? Knows nothing of what it was. */

#include "lib.h"
#include "ioloop.h"
#include "lib-event-private.h"
#include "time-util.h"
#include "pgbox-moment.h"
#include "pgbox-notify.h"

/* Enough for most commands on a busy host; doveadm may run for hours in one call
   of the ioloop. */
#define COMMAND_MAX_AGE_MSECS 500

/* What imap tells the events of its commands, and only those
   (imap-client.c: client_command_init_finished()) */
#define COMMAND_EVENT_FIELD "cmd_tag"

static unsigned int change_count = 0;
static unsigned int finished_count = 0;

static bool
event_callback(struct event *event, enum event_callback_type type,
	       struct failure_context *ctx ATTR_UNUSED,
	       const char *fmt ATTR_UNUSED, va_list args ATTR_UNUSED)
{
	if (type == EVENT_CALLBACK_TYPE_FREE &&
	    event_find_field_nonrecursive(event, COMMAND_EVENT_FIELD) != NULL)
		finished_count++;
	return TRUE;
}

void pgbox_moment_init(void)
{
	event_register_callback(event_callback);
}

void pgbox_moment_deinit(void)
{
	event_unregister_callback(event_callback);
}

static uint64_t ioloop_get_waited_usecs(void)
{
	return current_ioloop == NULL ? 0 :
		io_loop_get_wait_usecs(current_ioloop);
}

void pgbox_moment_set(struct pgbox_moment *moment_r,
		      struct pgbox_notify *notify)
{
	i_gettimeofday(&moment_r->time);
	moment_r->waited_usecs = ioloop_get_waited_usecs();
	moment_r->change_count = change_count;
	moment_r->finished_count = finished_count;
	i_zero(&moment_r->mark);
	if (notify != NULL)
		pgbox_notify_get_mark(notify, &moment_r->mark);
}

void pgbox_moment_add_own_changes(struct pgbox_moment *moment)
{
	moment->change_count = change_count;
}

bool pgbox_moment_is_unchanged(const struct pgbox_moment *moment,
			       struct pgbox_notify *notify,
			       const guid_128_t guid)
{
	return pgbox_notify_is_unchanged(notify, &moment->mark, guid,
					 moment->change_count == change_count);
}

unsigned int pgbox_moment_age_msecs(const struct pgbox_moment *moment)
{
	struct timeval now;
	int msecs;

	i_gettimeofday(&now);
	msecs = timeval_diff_msecs(&now, &moment->time);
	return msecs < 0 ? UINT_MAX : (unsigned int)msecs;
}

bool pgbox_moment_is_same_command(const struct pgbox_moment *moment)
{
	return moment->change_count == change_count &&
		moment->finished_count == finished_count &&
		moment->waited_usecs == ioloop_get_waited_usecs() &&
		pgbox_moment_age_msecs(moment) < COMMAND_MAX_AGE_MSECS;
}

void pgbox_moment_changed(void)
{
	change_count++;
}
