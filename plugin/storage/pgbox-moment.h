#ifndef PGBOX_MOMENT_H
#define PGBOX_MOMENT_H

#include "guid.h"
#include "pgbox-notify-changes.h"

/* When something was read from the database. Within one command, which asks
   several times, it needs not be read again. */

struct pgbox_moment {
	struct timeval time;
	/* how long the ioloop had waited in all */
	uint64_t waited_usecs;
	/* so many commands of IMAP were answered: Dovecot 2.4 looks for the next
	   one before it waits, and finds what was sent after the answer */
	unsigned int finished_count;
	/* pgbox_moment_changed() had been called so often */
	unsigned int change_count;
	/* what of others had come in */
	struct pgbox_notify_mark mark;
};

struct pgbox_notify;

/* At the begin and the end of the plugin */
void pgbox_moment_init(void);
void pgbox_moment_deinit(void);

/* Now; to be called before reading. notify may be NULL: then nothing will be known
   of others. */
void pgbox_moment_set(struct pgbox_moment *moment_r,
		      struct pgbox_notify *notify);
/* What this process has changed since is known as well as what was read. */
void pgbox_moment_add_own_changes(struct pgbox_moment *moment);
/* Returns TRUE if the mailbox hasn't changed since, as far as notifications have
   come in, which they have to. */
bool pgbox_moment_is_unchanged(const struct pgbox_moment *moment,
			       struct pgbox_notify *notify,
			       const guid_128_t guid);
/* Returns TRUE if it was during the current command and we have changed nothing
   since. FALSE for one that was zeroed. */
bool pgbox_moment_is_same_command(const struct pgbox_moment *moment);
/* Returns how long ago it was, UINT_MAX if the clock was set back. */
unsigned int pgbox_moment_age_msecs(const struct pgbox_moment *moment);
/* This process has changed something in a database. */
void pgbox_moment_changed(void);

#endif
