/* Writes to wake-up files, and removes those that nobody wants any more. Knows
   nothing of where notifications come from. */

#include "pgbox-config.h"
#include "lib.h"
#include "eacces-error.h"
#include "ioloop.h"
#include "pgbox-notify-changes.h"
#include "pgbox-notify-dir.h"
#include "pgbox-notify-file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of a directory get the group of the service (setgid), and can be
   removed by their owner and by the service (sticky). */
#define DIR_MODE 03733

/* To wake all at once would have all of them ask the database at once. */
#define WALK_INTERVAL_MSECS 100
#define WALK_FILES 20

#define CLEAN_UP_INTERVAL_MSECS (60 * 60 * 1000)

/* An error that every file has is logged once in so long. */
#define ERROR_INTERVAL_SECS 60

struct pgbox_notify_dir {
	char *path;

	/* the walk over all files; NULL if there is none now */
	DIR *walk;
	struct timeout *to_walk;
	/* it wakes; else it only cleans up */
	bool walk_wakes;
	/* another one that wakes is wanted after it */
	bool walk_again;

	struct timeout *to_clean_up;
	/* NULL while notifications don't come in */
	struct pgbox_notify_changes *changes;

	time_t last_error_time;
	unsigned int hidden_errors;
};

int pgbox_notify_dir_prepare(const char *path, uid_t uid, gid_t gid,
			     const char **error_r)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		*error_r = t_strdup_printf("mkdir(%s) failed: %m", path);
		return -1;
	}
	if (lstat(path, &st) < 0) {
		*error_r = t_strdup_printf("lstat(%s) failed: %m", path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		*error_r = t_strdup_printf("%s is not a directory", path);
		return -1;
	}
	if (geteuid() != 0)
		return 0;
	if (chown(path, uid, gid) < 0) {
		*error_r = t_strdup_printf("chown(%s) failed: %m", path);
		return -1;
	}
	/* after the chown, which takes setgid away */
	if (chmod(path, DIR_MODE) < 0) {
		*error_r = t_strdup_printf("chmod(%s) failed: %m", path);
		return -1;
	}
	return 0;
}

static void log_error_text(struct pgbox_notify_dir *dir, const char *error)
{
	if (ioloop_time - dir->last_error_time < ERROR_INTERVAL_SECS) {
		dir->hidden_errors++;
		return;
	}
	i_error("%s (%u more errors since the last one); sessions that are not "
		"woken ask every mailbox_idle_check_interval", error,
		dir->hidden_errors);
	dir->last_error_time = ioloop_time;
	dir->hidden_errors = 0;
}

static void log_error(struct pgbox_notify_dir *dir, const char *func,
		      const char *path)
{
	log_error_text(dir, errno == EACCES ? eacces_error_get(func, path) :
		       t_strdup_printf("%s(%s) failed: %m", func, path));
}

/* Never creates one: nobody watches a file that isn't there. */
static void wake_file(struct pgbox_notify_dir *dir, const char *path)
{
	int fd;

	fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1) {
		if (errno != ENOENT)
			log_error(dir, "open", path);
		return;
	}
	if (pwrite(fd, PGBOX_NOTIFY_FILE_CONTENT,
		   strlen(PGBOX_NOTIFY_FILE_CONTENT), 0) < 0)
		log_error(dir, "write", path);
	i_close_fd(&fd);
}

void pgbox_notify_dir_wake(struct pgbox_notify_dir *dir, const char *name)
{
	T_BEGIN {
		wake_file(dir, t_strconcat(dir->path, "/", name, NULL));
	} T_END;
}

/* Nobody may believe a table that is wrong. */
static void changes_failed(struct pgbox_notify_dir *dir, const char *error)
{
	log_error_text(dir, error);
	pgbox_notify_changes_destroy(&dir->changes);
}

void pgbox_notify_dir_changed(struct pgbox_notify_dir *dir, const char *name,
			      uint64_t writer)
{
	const char *error;

	/* before the file: who is woken by it asks */
	if (dir->changes != NULL &&
	    pgbox_notify_changes_add(dir->changes, name, writer, &error) < 0)
		changes_failed(dir, error);
	pgbox_notify_dir_wake(dir, name);
}

/*
 * All files
 */

/* Returns TRUE if it was removed. Whoever still watches it is woken by that,
   and makes it again. */
static bool clean_up_file(struct pgbox_notify_dir *dir, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return TRUE;
	if (st.st_mtime >= ioloop_time - PGBOX_NOTIFY_FILE_MAX_AGE_SECS)
		return FALSE;
	if (unlink(path) == 0)
		return TRUE;
	if (errno != ENOENT)
		log_error(dir, "unlink", path);
	return FALSE;
}

static void walk_end(struct pgbox_notify_dir *dir)
{
	if (dir->walk == NULL)
		return;
	if (closedir(dir->walk) < 0)
		log_error(dir, "closedir", dir->path);
	dir->walk = NULL;
	timeout_remove(&dir->to_walk);
}

static void walk_more(struct pgbox_notify_dir *dir);

static void walk_begin(struct pgbox_notify_dir *dir, bool wake)
{
	i_assert(dir->walk == NULL);

	dir->walk = opendir(dir->path);
	if (dir->walk == NULL) {
		log_error(dir, "opendir", dir->path);
		return;
	}
	dir->walk_wakes = wake;
	dir->walk_again = FALSE;
	dir->to_walk = timeout_add_short(WALK_INTERVAL_MSECS, walk_more, dir);
	walk_more(dir);
}

static void walk_file(struct pgbox_notify_dir *dir, const char *name)
{
	const char *path = t_strconcat(dir->path, "/", name, NULL);

	if (!clean_up_file(dir, path) && dir->walk_wakes)
		wake_file(dir, path);
}

static void walk_more(struct pgbox_notify_dir *dir)
{
	struct dirent *d;
	unsigned int i;

	for (i = 0; i < WALK_FILES; i++) {
		if ((d = readdir(dir->walk)) == NULL) {
			walk_end(dir);
			if (dir->walk_again)
				walk_begin(dir, TRUE);
			return;
		}
		if (pgbox_notify_name_is_valid(d->d_name)) T_BEGIN {
			walk_file(dir, d->d_name);
		} T_END;
	}
}

void pgbox_notify_dir_changed_all(struct pgbox_notify_dir *dir)
{
	const char *error;

	if (dir->changes != NULL &&
	    pgbox_notify_changes_add_all(dir->changes, &error) < 0)
		changes_failed(dir, error);
	if (dir->walk == NULL)
		walk_begin(dir, TRUE);
	else
		dir->walk_again = TRUE;
}

static void clean_up_timeout(struct pgbox_notify_dir *dir)
{
	if (dir->walk == NULL)
		walk_begin(dir, FALSE);
}

/*
 * Life
 */

static const char *alive_path(const struct pgbox_notify_dir *dir)
{
	return t_strconcat(dir->path, "/"PGBOX_NOTIFY_ALIVE_NAME, NULL);
}

void pgbox_notify_dir_set_alive(struct pgbox_notify_dir *dir, bool alive)
{
	const char *error;

	if (!alive) {
		pgbox_notify_changes_destroy(&dir->changes);
		return;
	}
	if (dir->changes != NULL &&
	    pgbox_notify_changes_touch(dir->changes, &error) < 0)
		changes_failed(dir, error);
	if (dir->changes == NULL) {
		dir->changes = pgbox_notify_changes_create(
			alive_path(dir), &error);
		if (dir->changes == NULL)
			log_error_text(dir, error);
	}
}

struct pgbox_notify_dir *pgbox_notify_dir_init(const char *path)
{
	struct pgbox_notify_dir *dir = i_new(struct pgbox_notify_dir, 1);

	dir->path = i_strdup(path);
	dir->to_clean_up = timeout_add(CLEAN_UP_INTERVAL_MSECS,
				       clean_up_timeout, dir);
	/* the one that a killed process may have left */
	i_unlink_if_exists(alive_path(dir));
	return dir;
}

void pgbox_notify_dir_deinit(struct pgbox_notify_dir **_dir)
{
	struct pgbox_notify_dir *dir = *_dir;

	*_dir = NULL;
	pgbox_notify_dir_set_alive(dir, FALSE);
	walk_end(dir);
	timeout_remove(&dir->to_clean_up);
	i_free(dir->path);
	i_free(dir);
}
