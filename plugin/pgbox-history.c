/* The file in which a host remembers how far a database's history has been. Knows
   nothing of connections, nor what is to be made of it. */

#include "pgbox-config.h"
#include "lib.h"
#include "crc32.h"
#include "hex-binary.h"
#include "llist.h"
#include "sha2.h"
#include "pgbox-history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HISTORY_FILE_PREFIX ".history."
/* Mail processes read the file of the service. */
#define HISTORY_FILE_MODE 0644
/* Octets of the hash that tells connection strings apart */
#define HISTORY_KEY_LEN 16
#define HISTORY_TELL_INTERVAL_SECS 60

struct history_record {
	/* of what follows */
	uint32_t checksum;
	uint32_t unused;
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

static uint32_t record_checksum(const struct history_record *record)
{
	size_t offset = offsetof(struct history_record, unused);

	return crc32_data((const unsigned char *)record + offset,
			  sizeof(*record) - offset);
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

/* Everybody can make files in the directory of wake-up files. So each uid has a
   file of its own, and is believed by itself only; all believe the service, which
   the directory belongs to. */
static const char *history_path(struct pgbox_history *history, uid_t uid)
{
	unsigned char digest[SHA256_RESULTLEN];

	sha256_get_digest(history->conninfo, strlen(history->conninfo), digest);
	return t_strdup_printf("%s/"HISTORY_FILE_PREFIX"%s.%lu", history->dir,
			       binary_to_hex(digest, HISTORY_KEY_LEN),
			       (unsigned long)uid);
}

static int history_open(struct pgbox_history *history, uid_t uid, int flags)
{
	struct stat st;
	int fd;

	fd = open(history_path(history, uid),
		  flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		  HISTORY_FILE_MODE);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != uid) {
		i_close_fd(&fd);
		return -1;
	}
	/* whatever the umask is */
	if (flags != O_RDONLY && (st.st_mode & 0777) != HISTORY_FILE_MODE)
		(void)fchmod(fd, HISTORY_FILE_MODE);
	return fd;
}

/* What can't be read, or is damaged, is as good as nothing. */
static void history_read_file(struct pgbox_history *history, uid_t uid)
{
	struct history_record record;
	int fd;

	if ((fd = history_open(history, uid, O_RDONLY)) == -1)
		return;
	if (pread(fd, &record, sizeof(record), 0) == (ssize_t)sizeof(record) &&
	    record.checksum == record_checksum(&record)) {
		if (position_is_newer(&record.position,
				      &history->record.position))
			history->record.position = record.position;
		history->record.told_at = I_MAX(history->record.told_at,
						record.told_at);
	}
	i_close_fd(&fd);
}

static void history_refresh(struct pgbox_history *history)
{
	struct stat st;

	if (history->dir == NULL || stat(history->dir, &st) < 0)
		return;
	T_BEGIN {
		history_read_file(history, geteuid());
		if (st.st_uid != geteuid())
			history_read_file(history, st.st_uid);
	} T_END;
}

static void history_write(struct pgbox_history *history)
{
	int fd = -1;

	history->record.checksum = record_checksum(&history->record);
	if (history->dir == NULL)
		return;
	T_BEGIN {
		fd = history_open(history, geteuid(), O_WRONLY | O_CREAT);
		/* the directory of a user who is new to this host */
		if (fd == -1 && errno == ENOENT &&
		    mkdir(history->dir, 0700) == 0)
			fd = history_open(history, geteuid(),
					  O_WRONLY | O_CREAT);
	} T_END;
	if (fd == -1)
		return;
	if (pwrite(fd, &history->record, sizeof(history->record), 0) < 0) {
		/* then this process knows it alone */
	}
	i_close_fd(&fd);
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
