/* The service pgbox-text: extracts text of messages for SEARCH after they were
   delivered, for all accounts. Puts its parts together. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"
#include "restrict-access.h"
#include "pgbox-chunk.h"
#include "pgbox-history.h"
#include "pgbox-notify-file.h"
#include "pgbox-service.h"
#include "pgbox-settings.h"
#include "pgbox-text-worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The service pgbox-notify may have another user, but has the group. */
#define WAKE_UP_FILE_MODE 0660

/* The service pgbox-notify may be started after this one. */
#define WATCH_INTERVAL_MSECS (2 * 1000)

/* Mail processes go first. */
#define NICE_INCREMENT 10

/* own */
static char *wake_up_path;
static struct io *io_wake_up;
static struct timeout *to_watch;
static unsigned int watch_failures;
static ARRAY(struct pgbox_text_worker *) text_workers;

/*
 * The wake-up file
 */

static void watch(void *context);

static void woken(void *context ATTR_UNUSED)
{
	struct pgbox_text_worker *worker;

	array_foreach_elem(&text_workers, worker)
		pgbox_text_worker_wake(worker);
	/* the file may have been removed */
	io_remove(&io_wake_up);
	watch(NULL);
}

static int wake_up_file_create(const char **error_r)
{
	int fd;

	fd = open(wake_up_path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		  WAKE_UP_FILE_MODE);
	if (fd == -1) {
		*error_r = t_strdup_printf("open() failed: %m");
		return -1;
	}
	/* whatever the umask is; not ours: it was right already */
	(void)fchmod(fd, WAKE_UP_FILE_MODE);
	i_close_fd(&fd);
	return 0;
}

/* Without the file, workers look every minute. */
static void watch(void *context ATTR_UNUSED)
{
	const char *error = "no inotify";

	timeout_remove(&to_watch);
	if (wake_up_file_create(&error) == 0 &&
	    io_add_notify(wake_up_path, woken, NULL,
			  &io_wake_up) == IO_NOTIFY_ADDED) {
		watch_failures = 0;
		return;
	}
	/* for the first time, the directory may just be being made */
	if (++watch_failures == 2) {
		i_warning("Can't watch %s (%s): looking for new messages "
			  "every minute", wake_up_path, error);
	}
	to_watch = timeout_add(WATCH_INTERVAL_MSECS, watch, NULL);
}

/*
 * Life
 */

static void
main_preinit(const struct pgbox_service_settings *set ATTR_UNUSED)
{
	restrict_access_by_env(RESTRICT_ACCESS_FLAG_ALLOW_ROOT, NULL);
	restrict_access_allow_coredumps(TRUE);
	if (nice(NICE_INCREMENT) == -1)
		i_warning("nice() failed: %m");
}

static void main_init(const struct pgbox_service_settings *set)
{
	const struct pgbox_service_database *database;
	struct pgbox_text_worker *worker;

	i_array_init(&text_workers, 4);
	array_foreach(&set->databases, database) {
		worker = pgbox_text_worker_init(database->name, database->dsn,
						set->dir);
		array_push_back(&text_workers, &worker);
	}
	wake_up_path = i_strconcat(set->dir, "/"PGBOX_NOTIFY_TEXT_NAME, NULL);
	watch(NULL);
}

static void main_deinit(void)
{
	struct pgbox_text_worker *worker;

	timeout_remove(&to_watch);
	io_remove(&io_wake_up);
	array_foreach_elem(&text_workers, worker)
		pgbox_text_worker_deinit(&worker);
	array_free(&text_workers);
	pgbox_history_deinit();
	i_free(wake_up_path);
	pgbox_chunk_deinit();
}

static void client_connected(struct master_service_connection *conn ATTR_UNUSED)
{
	/* there is nothing to be told: our caller closes it */
}

int main(int argc, char *argv[])
{
	static const struct pgbox_service service = {
		.name = "pgbox-text",
		.preinit = main_preinit,
		.init = main_init,
		.deinit = main_deinit,
		.connected = client_connected,
	};

	return pgbox_service_run(&service, argc, argv);
}
