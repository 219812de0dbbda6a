/* Waits for changes of a mailbox or an account: by a wake-up file, by a file of
   this host, and by asking now and then. Does not know what has changed. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "llist.h"
#include "time-util.h"
#include "pgbox-db.h"
#include "pgbox-notify.h"

#include <sys/stat.h>

/* Several changes often come together. */
#define FIRST_DELAY_MSECS 20
/* While changes go on: as often as Dovecot's own storages look */
#define NEXT_DELAY_MSECS 500

/* A wake-up file that was written so short before it is watched may be about
   something that the caller does not know: IMAP NOTIFY begins to wait a second
   after the last command. */
#define MISSED_SECS 2

/* Without a database it is tried again so much later; not all at once. */
#define RETRY_MIN_MSECS 2000
#define RETRY_MAX_MSECS 6000

/* As long as everything comes in by wake-up files, only each n-th poll asks:
   for what got lost because its writer was killed. */
#define ALIVE_POLLS 10

/* A file that is watched, by all who do so in this process: inotify tells only
   one of them. */
struct watched_file {
	struct watched_file *prev, *next;
	char *path;
	/* which file of this path */
	dev_t dev;
	ino_t ino;
	/* before we began: if it is another one, there is something to read */
	struct timespec mtime;
	/* NULL if it isn't there */
	struct io *io;
	ARRAY(struct pgbox_watch *) watches;
};

struct pgbox_watch {
	struct pgbox_watch_settings set;
	guid_128_t guid;
	char *log_path;

	/* the wake-up file alone is sufficient */
	bool alive;
	/* NULL if not watched */
	struct watched_file *file, *log;

	struct timeout *to_changed, *to_poll;
	unsigned int alive_polls;
	struct timeval last_changed;
};

static struct watched_file *watched_files = NULL;

static void watch_event(struct pgbox_watch *watch);

/*
 * Files
 */

static void file_event(struct watched_file *file)
{
	struct pgbox_watch *watch;

	array_foreach_elem(&file->watches, watch)
		watch_event(watch);
}

/* Of several in one ioloop who watch the same file, one of whom may be
   mailbox_watch_add(), the last gets all events; and when any of them ends, none
   gets any. */
static void file_renew(struct watched_file *file)
{
	struct stat st;

	io_remove(&file->io);
	if (stat(file->path, &st) == 0 &&
	    io_add_notify(file->path, file_event, file,
			  &file->io) == IO_NOTIFY_ADDED) {
		file->dev = st.st_dev;
		file->ino = st.st_ino;
		file->mtime = st.st_mtim;
	}
}

static bool file_was_written(const struct watched_file *file)
{
	struct stat st;

	return stat(file->path, &st) == 0 &&
		(st.st_mtim.tv_sec != file->mtime.tv_sec ||
		 st.st_mtim.tv_nsec != file->mtime.tv_nsec);
}

static struct watched_file *
file_add(const char *path, struct pgbox_watch *watch)
{
	struct watched_file *file = watched_files;

	while (file != NULL && strcmp(file->path, path) != 0)
		file = file->next;
	if (file == NULL) {
		file = i_new(struct watched_file, 1);
		file->path = i_strdup(path);
		i_array_init(&file->watches, 1);
		DLLIST_PREPEND(&watched_files, file);
	}
	array_push_back(&file->watches, &watch);
	file_renew(file);
	return file;
}

static void file_remove(struct watched_file **_file, struct pgbox_watch *watch)
{
	struct watched_file *file = *_file;
	unsigned int idx;

	if (file == NULL)
		return;
	*_file = NULL;
	for (idx = 0; array_idx_elem(&file->watches, idx) != watch; idx++) ;
	array_delete(&file->watches, idx, 1);
	if (array_count(&file->watches) > 0) {
		file_renew(file);
		return;
	}
	DLLIST_REMOVE(&watched_files, file);
	io_remove(&file->io);
	array_free(&file->watches);
	i_free(file->path);
	i_free(file);
}

static void watch_remove_files(struct pgbox_watch *watch)
{
	file_remove(&watch->file, watch);
	file_remove(&watch->log, watch);
}

/* Watches what there is to watch now. */
static void watch_add_files(struct pgbox_watch *watch)
{
	const char *path;

	path = pgbox_notify_get_file(watch->set.notify, watch->set.guid);
	watch->alive = path != NULL &&
		pgbox_notify_is_alive(watch->set.notify);
	/* before our own, see file_renew() */
	if (watch->set.moved != NULL) {
		watch->set.moved(watch->alive ? path : NULL,
				 watch->set.context);
	}
	if (path != NULL)
		watch->file = file_add(path, watch);
	if (!watch->alive && watch->set.log_path != NULL)
		watch->log = file_add(watch->set.log_path, watch);
}

/*
 * Events
 */

/* Who is called would fail, and log that. */
static bool watch_can_ask(struct pgbox_watch *watch)
{
	struct pgbox_db_failure failure;

	return pgbox_db_try_connect(watch->set.db, &failure) == 0;
}

static void watch_call(struct pgbox_watch *watch)
{
	bool can_ask;

	timeout_remove(&watch->to_changed);
	T_BEGIN {
		can_ask = watch_can_ask(watch);
	} T_END;
	if (!can_ask) {
		pgbox_watch_retry(watch);
		return;
	}
	i_gettimeofday(&watch->last_changed);
	watch->alive_polls = 0;
	/* The wake-up file may have been removed. Who is called sees what comes
	   between the old and the new watch. */
	T_BEGIN {
		watch_remove_files(watch);
		watch_add_files(watch);
	} T_END;
	/* watch may be freed by this */
	watch->set.changed(watch->set.context);
}

void pgbox_watch_retry(struct pgbox_watch *watch)
{
	if (watch->to_changed != NULL)
		return;
	/* not to sleep through it */
	if (watch->set.moved != NULL)
		watch->set.moved(NULL, watch->set.context);
	watch->to_changed =
		timeout_add(i_rand_minmax(RETRY_MIN_MSECS, RETRY_MAX_MSECS),
			    watch_call, watch);
}

static void watch_event(struct pgbox_watch *watch)
{
	struct timeval now;
	int msecs;

	if (watch->to_changed != NULL)
		return;
	/* A session that hibernated now would sleep through this. */
	if (watch->set.moved != NULL)
		watch->set.moved(NULL, watch->set.context);
	i_gettimeofday(&now);
	msecs = NEXT_DELAY_MSECS -
		timeval_diff_msecs(&now, &watch->last_changed);
	/* the clock may have been set back */
	msecs = I_MIN(I_MAX(msecs, FIRST_DELAY_MSECS), NEXT_DELAY_MSECS);
	watch->to_changed = timeout_add_short(msecs, watch_call, watch);
}

/* TRUE if other files are to be watched than those that are */
static bool watch_is_out_of_date(struct pgbox_watch *watch)
{
	const char *path;
	struct stat st;

	/* also makes the file if it was removed */
	path = pgbox_notify_get_file(watch->set.notify, watch->set.guid);
	if (path == NULL || stat(path, &st) < 0)
		return watch->file != NULL;
	return watch->file == NULL || watch->file->io == NULL ||
		st.st_ino != watch->file->ino ||
		st.st_dev != watch->file->dev ||
		watch->alive != pgbox_notify_is_alive(watch->set.notify);
}

static void watch_poll(struct pgbox_watch *watch)
{
	bool ask;

	T_BEGIN {
		ask = watch_is_out_of_date(watch);
	} T_END;
	if (ask || !watch->alive || ++watch->alive_polls >= ALIVE_POLLS)
		watch_call(watch);
}

struct pgbox_watch *pgbox_watch_init(const struct pgbox_watch_settings *set)
{
	struct pgbox_watch *watch = i_new(struct pgbox_watch, 1);

	watch->set = *set;
	if (set->guid != NULL) {
		guid_128_copy(watch->guid, set->guid);
		watch->set.guid = watch->guid;
	}
	watch->log_path = i_strdup(set->log_path);
	watch->set.log_path = watch->log_path;
	watch->to_poll = timeout_add(set->poll_secs * 1000, watch_poll, watch);
	T_BEGIN {
		watch_add_files(watch);
	} T_END;
	if (watch->file != NULL &&
	    watch->file->mtime.tv_sec >= time(NULL) - MISSED_SECS) {
		watch->to_changed = timeout_add_short(FIRST_DELAY_MSECS,
						      watch_call, watch);
		/* not to sleep through it */
		if (watch->set.moved != NULL)
			watch->set.moved(NULL, watch->set.context);
	}
	return watch;
}

/* imap-hibernate, if that takes over, sees what is written from then on. What
   came just before, we may not have seen: Dovecot's ioloop runs timeouts, and so
   hibernates, before it reads. */
static void watch_hand_over(struct pgbox_watch *watch)
{
	if (watch->file != NULL && watch->file->io != NULL &&
	    watch->to_changed == NULL && file_was_written(watch->file))
		pgbox_notify_write_file(watch->file->path);
}

void pgbox_watch_deinit(struct pgbox_watch **_watch)
{
	struct pgbox_watch *watch = *_watch;

	if (watch == NULL)
		return;
	*_watch = NULL;
	watch_hand_over(watch);
	watch_remove_files(watch);
	timeout_remove(&watch->to_changed);
	timeout_remove(&watch->to_poll);
	i_free(watch->log_path);
	i_free(watch);
}
