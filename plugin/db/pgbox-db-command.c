/* How long one command of a mail client may wait for its database, however many
   statements it has. A command is what the process does between two visits to its
   ioloop: whoever gets there has done what was asked for. Of the IMAP commands that
   a client has sent at once each is one. Knows no statements.

   What was answered quickly is not counted, so that what goes well may be long.
   The time that passes without waiting is given back: doveadm, whose commands may
   be long and for many users, finds a database that is back. */

#include "pgbox-config.h"
#include "lib.h"
#include "ioloop.h"
#include "time-util.h"
#include "pgbox-db-session.h"

/* An answer is quick if it took at most this part of its timeout. */
#define QUICK_PART 10
/* With less time left nothing is tried. */
#define LEAST_MSECS 50

/* of the process, whatever its databases */
static struct {
	int64_t waited_msecs;
	/* when that was so */
	int64_t at_msecs;
	/* what the ioloop had waited then */
	uint64_t ioloop_usecs;
	/* Foreign, only to be compared: imap's event of the command, and when it
	   was made. NULL if there was none. */
	const struct event *event;
	struct timeval event_created;
} command;

/* Returns TRUE if imap is at another command than before. It syncs a mailbox
   between commands, as a part of them. */
static bool command_event_is_new(void)
{
	const struct event *event = event_get_global();
	struct timeval created;

	while (event != NULL &&
	       event_find_field_nonrecursive(event, "cmd_name") == NULL)
		event = event_get_parent(event);
	if (event == NULL)
		return FALSE;
	event_get_create_time(event, &created);
	if (event == command.event &&
	    timeval_cmp(&created, &command.event_created) == 0)
		return FALSE;
	command.event = event;
	command.event_created = created;
	return TRUE;
}

static int64_t command_get_waited(int64_t now)
{
	uint64_t ioloop_usecs;

	/* nobody tells where a command begins */
	if (current_ioloop == NULL)
		return 0;
	ioloop_usecs = io_loop_get_wait_usecs(io_loop_get_root());
	if (command_event_is_new() || command.ioloop_usecs != ioloop_usecs)
		command.waited_msecs = 0;
	command.ioloop_usecs = ioloop_usecs;
	command.waited_msecs -= I_MIN(command.waited_msecs,
				      now - command.at_msecs);
	command.at_msecs = now;
	return command.waited_msecs;
}

int64_t pgbox_db_command_deadline(const struct pgbox_db *db, int64_t msecs)
{
	int64_t now = pgbox_db_now_msecs();
	int64_t left = (int64_t)db->set.connect_timeout_msecs +
		db->set.query_timeout_msecs - command_get_waited(now);

	return left < LEAST_MSECS ? now : now + I_MIN(msecs, left);
}

bool pgbox_db_command_is_over(int64_t deadline, const char *what,
			      struct pgbox_db_failure *failure_r)
{
	if (pgbox_db_now_msecs() < deadline)
		return FALSE;
	pgbox_db_failure_set(failure_r, PGBOX_DB_ERROR_TIMEOUT,
		t_strdup_printf("%s: Not tried, as the database did not answer "
				"in time before", what));
	return TRUE;
}

void pgbox_db_command_waited(int64_t start, unsigned int timeout_msecs)
{
	int64_t waited = command_get_waited(start);
	int64_t now = pgbox_db_now_msecs();

	if ((now - start) * QUICK_PART > timeout_msecs) {
		command.waited_msecs = waited + now - start;
		command.at_msecs = now;
	}
}

bool pgbox_db_command_wait(struct pgbox_db *db, unsigned int msecs)
{
	int64_t start = pgbox_db_now_msecs();

	i_assert(current_ioloop != NULL);
	if (!pgbox_db_wait_msecs(msecs, pgbox_db_command_deadline(db, INT_MAX)))
		return FALSE;
	pgbox_db_command_waited(start, 0);
	return TRUE;
}
