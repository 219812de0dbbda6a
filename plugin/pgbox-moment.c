/* How old is what was read? Knows nothing of what it was. */

#include "lib.h"
#include "ioloop.h"
#include "time-util.h"
#include "pgbox-moment.h"

/* Enough for most commands on a busy host; doveadm may run for hours in one call
   of the ioloop. */
#define COMMAND_MAX_AGE_MSECS 500

static unsigned int change_count = 0;

static uint64_t ioloop_get_waited_usecs(void)
{
	return current_ioloop == NULL ? 0 :
		io_loop_get_wait_usecs(current_ioloop);
}

void pgbox_moment_set(struct pgbox_moment *moment_r)
{
	i_gettimeofday(&moment_r->time);
	moment_r->waited_usecs = ioloop_get_waited_usecs();
	moment_r->change_count = change_count;
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
		moment->waited_usecs == ioloop_get_waited_usecs() &&
		pgbox_moment_age_msecs(moment) < COMMAND_MAX_AGE_MSECS;
}

void pgbox_moment_changed(void)
{
	change_count++;
}
