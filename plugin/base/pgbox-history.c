/* The file in which a host remembers how far a database's history has been. Knows
   nothing of connections, nor what is to be made of it. */

#include "pgbox-config.h"
#include "lib.h"
#include "llist.h"
#include "pgbox-history.h"
#include "pgbox-host-file.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HISTORY_TELL_INTERVAL_SECS 60

struct history_record {
	struct pgbox_host_record head;
	struct pgbox_history_position position;
	/* when the admin was told last that a server is refused */
	int64_t told_at;
};

struct pgbox_history {
	struct pgbox_history *prev, *next;
	char *conninfo;
	/* NULL if there is no file */
	char *dir;
	/* the newest one that this host has seen, as far as is known */
	struct history_record record;
	/* what a server is asked to go on from, or has said that it is */
	struct pgbox_history_position here;
};

static struct pgbox_history *all_histories = NULL;

struct pgbox_history *
pgbox_history_get(const char *conninfo, const char *dir)
{
	struct pgbox_history *history;

	for (history = all_histories; history != NULL;
	     history = history->next) {
		if (strcmp(history->conninfo, conninfo) == 0)
			break;
	}
	if (history == NULL) {
		history = i_new(struct pgbox_history, 1);
		history->conninfo = i_strdup(conninfo);
		DLLIST_PREPEND(&all_histories, history);
	}
	if (dir != NULL) {
		i_free(history->dir);
		history->dir = i_strdup(dir);
	}
	return history;
}

void pgbox_history_deinit(void)
{
	struct pgbox_history *history;

	while ((history = all_histories) != NULL) {
		DLLIST_REMOVE(&all_histories, history);
		i_free(history->conninfo);
		i_free(history->dir);
		i_free(history);
	}
}

static bool
position_is_newer(const struct pgbox_history_position *position,
		  const struct pgbox_history_position *old)
{
	if (position->epoch == old->epoch &&
	    position->system_identifier == old->system_identifier &&
	    position->timeline == old->timeline)
		return position->position > old->position;
	return position->raised_at >= old->raised_at;
}

static struct pgbox_host_file history_file(const struct pgbox_history *history)
{
	return (struct pgbox_host_file){
		.dir = history->dir,
		.kind = "history",
		.conninfo = history->conninfo,
	};
}

/* Each uid believes itself only; all believe the service, which the directory
   belongs to. */
static void history_read_file(struct pgbox_history *history, uid_t uid)
{
	struct pgbox_host_file file = history_file(history);
	struct history_record record;

	if (!pgbox_host_file_read(&file, uid, &record.head, sizeof(record)))
		return;
	if (position_is_newer(&record.position, &history->record.position))
		history->record.position = record.position;
	history->record.told_at = I_MAX(history->record.told_at,
					record.told_at);
}

static void history_refresh(struct pgbox_history *history)
{
	struct stat st;

	if (history->dir == NULL || stat(history->dir, &st) < 0)
		return;
	history_read_file(history, geteuid());
	if (st.st_uid != geteuid())
		history_read_file(history, st.st_uid);
}

static void history_write(struct pgbox_history *history)
{
	struct pgbox_host_file file = history_file(history);

	if (history->dir != NULL) {
		pgbox_host_file_write(&file, &history->record.head,
				      sizeof(history->record));
	}
}

void pgbox_history_read(struct pgbox_history *history,
			struct pgbox_history_position *position_r)
{
	history_refresh(history);
	history->here = history->record.position;
	*position_r = history->here;
}

void pgbox_history_seen(struct pgbox_history *history,
			const struct pgbox_history_position *position)
{
	history->here = *position;
	history_refresh(history);
	if (!position_is_newer(position, &history->record.position))
		return;
	history->record.position = *position;
	history_write(history);
}

void pgbox_history_advanced(struct pgbox_history *history, int64_t position)
{
	struct pgbox_history_position *newest = &history->record.position;

	/* Others may have been at another server meanwhile. An epoch that was
	   raised here changes nothing in where the server is. */
	history_refresh(history);
	if (newest->system_identifier != history->here.system_identifier ||
	    newest->timeline != history->here.timeline ||
	    newest->position >= position)
		return;
	newest->position = position;
	history_write(history);
}

bool pgbox_history_may_tell(struct pgbox_history *history)
{
	time_t now = time(NULL);

	history_refresh(history);
	if (history->record.told_at + HISTORY_TELL_INTERVAL_SECS > now &&
	    history->record.told_at <= now)
		return FALSE;
	history->record.told_at = now;
	history_write(history);
	return TRUE;
}
