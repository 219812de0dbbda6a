/* Wake-up files and the service's FIFO, as a mail process sees them. Knows
   nothing of the database. */

#include "pgbox-config.h"
#include "lib.h"
#include "eacces-error.h"
#include "ioloop.h"
#include "mail-user.h"
#include "randgen.h"
#include "pgbox-compat.h"
#include "pgbox-notify.h"
#include "pgbox-notify-file.h"
#include "pgbox-settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The service writes (the group is the directory's), and other users who have
   the mailbox open may watch it. */
#define WAKE_UP_FILE_MODE 0664

/* Who begins to watch marks the file as used if that was so long ago. */
#define TOUCH_INTERVAL_SECS (60 * 60)

struct pgbox_notify {
	struct event *event;
	const char *dir;
	const char *fifo_path;
	const char *account_name;
	/* tell others what we have changed */
	bool enabled;

	struct pgbox_notify_table *table;
	/* what the service knows our changes by */
	uint64_t writer;

	/* the FIFO, -1 if it is not open */
	int fd;
	/* when opening it failed, which isn't tried again at once */
	time_t fd_failed;
};

/* What is wrong with the directory is wrong for all sessions of the process. */
static time_t last_warning = 0;
#define WARNING_INTERVAL_SECS 300

struct pgbox_notify *
pgbox_notify_init(pool_t pool, struct mail_user *user,
		  const struct pgbox_settings *set, const char *account)
{
	const char *base_dir = user->set->base_dir;
	struct pgbox_notify *notify = p_new(pool, struct pgbox_notify, 1);

	notify->event = user->event;
	event_ref(notify->event);
	notify->dir = *set->notify_dir != '\0' ? set->notify_dir :
		p_strconcat(pool, base_dir, "/"PGBOX_NOTIFY_DIR_NAME, NULL);
	notify->fifo_path = p_strconcat(pool, base_dir,
					"/"PGBOX_NOTIFY_FIFO_NAME, NULL);
	notify->account_name =
		p_strdup(pool, pgbox_notify_account_name(account));
	notify->enabled = set->notify;
	notify->table = pgbox_notify_table_init(
		t_strconcat(notify->dir, "/"PGBOX_NOTIFY_ALIVE_NAME, NULL));
	random_fill(&notify->writer, sizeof(notify->writer));
	notify->fd = -1;
	return notify;
}

void pgbox_notify_deinit(struct pgbox_notify **_notify)
{
	struct pgbox_notify *notify = *_notify;

	if (notify == NULL)
		return;
	*_notify = NULL;
	pgbox_notify_table_deinit(&notify->table);
	i_close_fd(&notify->fd);
	event_unref(&notify->event);
}

static void
notify_warn(struct pgbox_notify *notify, const char *func, const char *path)
{
	const char *error = errno == EACCES ? eacces_error_get(func, path) :
		t_strdup_printf("%s(%s) failed: %m", func, path);

	if (ioloop_time - last_warning < WARNING_INTERVAL_SECS) {
		e_debug(notify->event, "pgbox: %s", error);
		return;
	}
	last_warning = ioloop_time;
	e_warning(notify->event, "pgbox: %s; changes of other hosts are looked "
		  "for every mailbox_idle_check_interval", error);
}

/*
 * Telling
 */

static bool notify_open_fifo(struct pgbox_notify *notify)
{
	if (notify->fd != -1)
		return TRUE;
	if (notify->fd_failed == ioloop_time)
		return FALSE;
	notify->fd = open(notify->fifo_path,
			  O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (notify->fd != -1)
		return TRUE;
	notify->fd_failed = ioloop_time;
	if (errno == ENOENT || errno == ENXIO) {
		e_debug(notify->event, "pgbox: The service pgbox-notify is not "
			"there: open(%s) failed: %m", notify->fifo_path);
	} else {
		notify_warn(notify, "open", notify->fifo_path);
	}
	return FALSE;
}

/* The service may be slow, or have been restarted with a new FIFO. What can't be
   told is found later by those who wait. */
static void notify_tell(struct pgbox_notify *notify, const char *line)
{
	ssize_t ret;

	if (!notify_open_fifo(notify))
		return;
	/* so short that it is written at once or not */
	ret = write(notify->fd, line, strlen(line));
	if (ret >= 0)
		return;
	e_debug(notify->event, "pgbox: write(%s) failed: %m",
		notify->fifo_path);
	if (errno != EAGAIN)
		i_close_fd(&notify->fd);
}

void pgbox_notify_changed(struct pgbox_notify *notify, const guid_128_t guid)
{
	if (!notify->enabled)
		return;
	T_BEGIN {
		notify_tell(notify, t_strdup_printf("%c%"PRIx64" %s %s\n",
			PGBOX_NOTIFY_WRITER_PREFIX, notify->writer,
			notify->account_name, guid == NULL ? "" :
			pgbox_notify_mailbox_name(guid)));
	} T_END;
}

/*
 * Waiting
 */

const char *pgbox_notify_get_dir(struct pgbox_notify *notify)
{
	struct stat st;

	return stat(notify->dir, &st) == 0 && S_ISDIR(st.st_mode) ?
		notify->dir : NULL;
}

bool pgbox_notify_is_alive(struct pgbox_notify *notify)
{
	return pgbox_notify_table_is_alive(notify->table);
}

void pgbox_notify_get_mark(struct pgbox_notify *notify,
			   struct pgbox_notify_mark *mark_r)
{
	pgbox_notify_table_get_mark(notify->table, mark_r);
}

bool pgbox_notify_is_unchanged(struct pgbox_notify *notify,
			       const struct pgbox_notify_mark *mark,
			       const guid_128_t guid, bool own_known)
{
	return pgbox_notify_table_is_unchanged(notify->table, mark,
		pgbox_notify_mailbox_name(guid),
		own_known ? notify->writer : 0);
}

static int create_file(struct pgbox_notify *notify, const char *path)
{
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		  WAKE_UP_FILE_MODE);
	if (fd == -1) {
		if (errno == EEXIST)
			return 0;
		if (errno == ENOENT) {
			e_debug(notify->event, "pgbox: The service "
				"pgbox-notify has made no directory %s",
				notify->dir);
		} else {
			notify_warn(notify, "creat", path);
		}
		return -1;
	}
	/* whatever the umask is */
	if (fchmod(fd, WAKE_UP_FILE_MODE) < 0 ||
	    write(fd, PGBOX_NOTIFY_FILE_CONTENT,
		  strlen(PGBOX_NOTIFY_FILE_CONTENT)) < 0) {
		notify_warn(notify, "write", path);
		i_close_fd(&fd);
		i_unlink_if_exists(path);
		return -1;
	}
	i_close_fd(&fd);
	return 0;
}

const char *
pgbox_notify_get_file(struct pgbox_notify *notify, const guid_128_t guid)
{
	const char *path;
	struct stat st;

	path = t_strconcat(notify->dir, "/", guid == NULL ?
			   notify->account_name :
			   pgbox_notify_mailbox_name(guid), NULL);
	if (lstat(path, &st) < 0) {
		if (create_file(notify, path) < 0)
			return NULL;
		/* EEXIST: another process was faster */
	} else if (st.st_mtime < ioloop_time - TOUCH_INTERVAL_SECS) {
		/* not ours: then only its owner can */
		(void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
	}
	if (access(path, R_OK) < 0) {
		notify_warn(notify, "access", path);
		return NULL;
	}
	return path;
}

void pgbox_notify_write_file(const char *path)
{
	int fd;

	fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return;
	if (pwrite(fd, PGBOX_NOTIFY_FILE_CONTENT,
		   strlen(PGBOX_NOTIFY_FILE_CONTENT), 0) < 0) {
		/* a watcher that misses it finds the change later */
	}
	i_close_fd(&fd);
}
