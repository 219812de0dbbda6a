/* The files of a mailbox's index, as files: says where they are, removes them when
   they make no sense, and notices when processes die of them. Knows nothing of what
   is in them. */

#include "pgbox-config.h"
#include "lib.h"
#include "ioloop.h"
#include "write-full.h"
#include "mail-cache-private.h"
#include "mail-index-alloc-cache.h"
#include "mail-index-view-private.h"
#include "mail-transaction-log-private.h"
#include "pgbox-list-private.h"
#include "pgbox-storage.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the index has the places of the cache file; "cache" in mail-cache.c */
#define MAIL_CACHE_EXT_NAME "cache"

/* A file in the directory of the index that has, while a process opens it, "PID TIME
   DEATHS". If the process dies of the index, it stays so. It is not removed: making a
   file costs several times as much as writing to one. */
#define GUARD_FNAME "pgbox.opening"
/* So many deaths within this time are the fault of the files. */
#define GUARD_MAX_DEATHS 3
#define GUARD_SECS 60

struct index_guard {
	pid_t pid;
	/* when the first process was there that died */
	time_t since;
	/* processes that have died before this one */
	unsigned int deaths;
};

static const char *
index_get_dir(struct pgbox_mailbox *mbox, enum mailbox_list_path_type type)
{
	const char *dir;

	return !mbox->index_in_memory &&
		mailbox_get_path_to(&mbox->box, type, &dir) > 0 ? dir : NULL;
}

/* Returns 1 if it was removed, 0 if there is none, -1 on failure. */
static int
index_unlink(struct pgbox_mailbox *mbox, enum mailbox_list_path_type type,
	     const char *suffix)
{
	const char *path, *dir = index_get_dir(mbox, type);

	if (dir == NULL)
		return 0;
	path = t_strconcat(dir, "/", mbox->box.index_prefix, suffix, NULL);
	if (unlink(path) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	e_error(mbox->box.event, "unlink(%s) failed: %m", path);
	return -1;
}

/* Returns TRUE if the files on disk are others than those that the process has
   open: somebody was faster. */
static bool index_is_replaced(struct mailbox *box)
{
	const struct mail_transaction_log_file *head;
	struct stat st;

	if (box->index == NULL || box->index->log == NULL)
		return FALSE;
	head = box->index->log->head;
	if (head == NULL || head->fd == -1)
		return FALSE;
	return stat(head->filepath, &st) < 0 || st.st_ino != head->st_ino ||
		!CMP_DEV_T(st.st_dev, head->st_dev);
}

static void index_unlink_all(struct pgbox_mailbox *mbox, const char *reason)
{
	static const struct {
		enum mailbox_list_path_type type;
		const char *suffix;
	} files[] = {
		{ MAILBOX_LIST_PATH_TYPE_INDEX, "" },
		{ MAILBOX_LIST_PATH_TYPE_INDEX, ".log" },
		{ MAILBOX_LIST_PATH_TYPE_INDEX, ".log.2" },
		{ MAILBOX_LIST_PATH_TYPE_INDEX_CACHE, ".cache" },
	};
	bool dropped = FALSE;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < N_ELEMENTS(files) && ret >= 0; i++) T_BEGIN {
		ret = index_unlink(mbox, files[i].type, files[i].suffix);
		if (ret > 0)
			dropped = TRUE;
	} T_END;
	if (dropped) {
		e_warning(mbox->box.event, "Local index files %s, "
			  "reading the mailbox anew", reason);
	}
}

void pgbox_mailbox_index_drop(struct pgbox_mailbox *mbox)
{
	if (!index_is_replaced(&mbox->box))
		index_unlink_all(mbox, mbox->index_broken);
	/* who else has it open in this process has to know: MOVE opens the selected
	   mailbox once more */
	if (mbox->box.index != NULL)
		mbox->box.index->inconsistency_id++;
	mbox->index_broken = NULL;
	mbox->index_dropped = TRUE;
}

/* A cache file that was removed would be an error to those who have it open. One of
   another index is not: they remove it. */
static void index_replace_cache(struct mailbox *box)
{
	const struct mail_cache_header hdr = {
		.major_version = MAIL_CACHE_MAJOR_VERSION,
		.minor_version = MAIL_CACHE_MINOR_VERSION,
		.compat_sizeof_uoff_t = sizeof(uoff_t),
		.indexid = box->index->indexid + 1,
		.file_seq = 1,
	};
	const char *temp_path, *path = box->index->cache->filepath;
	int fd;

	if (access(path, F_OK) < 0)
		return;
	fd = mail_index_create_tmp_file(box->index, path, &temp_path);
	if (fd == -1)
		return;
	if (write_full(fd, &hdr, sizeof(hdr)) < 0 ||
	    rename(temp_path, path) < 0) {
		e_error(box->event, "Replacing %s failed: %m", path);
		i_unlink(temp_path);
	}
	i_close_fd(&fd);
}

void pgbox_mailbox_index_drop_cache(struct pgbox_mailbox *mbox,
				    struct mail_index_transaction *trans)
{
	struct mail_index_view *view = mail_index_transaction_get_view(trans);
	uint32_t ext_id, reset_id;

	if (!mail_index_is_in_memory(mbox->box.index)) T_BEGIN {
		index_replace_cache(&mbox->box);
	} T_END;
	if (mail_index_ext_lookup(mbox->box.index, MAIL_CACHE_EXT_NAME,
				  &ext_id) &&
	    mail_index_ext_get_reset_id(view, view->map, ext_id, &reset_id)) {
		mail_index_ext_reset(trans, ext_id,
				     reset_id == UINT32_MAX ? 1 : reset_id + 1,
				     TRUE);
	}
}

bool pgbox_mailbox_index_failed(struct pgbox_mailbox *mbox)
{
	struct mail_index *index = mbox->box.index;
	bool fscked = mail_index_reset_fscked(index);

	/* it is no news to who has asked for it */
	return (fscked && (mbox->box.flags & MAILBOX_FLAG_FSCK) == 0) ||
		/* it may be of somebody else who has the index open, too */
		(index->last_error.text != NULL && index->open_count == 1) ||
		/* where files are wanted: they can't be used */
		(mail_index_is_in_memory(index) &&
		 index_get_dir(mbox, MAILBOX_LIST_PATH_TYPE_INDEX) != NULL);
}

void pgbox_mailbox_index_forget(struct mailbox *box)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);

	box->_path = NULL;
	box->_index_path = NULL;
	i_zero(&box->_perm);
	if (box->index_pvt != NULL)
		mail_index_alloc_cache_unref(&box->index_pvt);
	if (box->index != NULL)
		mail_index_alloc_cache_unref(&box->index);
	if (mbox->index_dropped) {
		/* Dovecot would keep it for the next one who opens it. */
		mail_index_alloc_cache_destroy_unrefed();
		mbox->index_dropped = FALSE;
	}
}

void pgbox_mailbox_index_place(struct pgbox_mailbox *mbox)
{
	bool was_in_memory = mbox->index_in_memory;

	mbox->index_in_memory = !pgbox_list_prepare_index_dirs(&mbox->box);
	if (mbox->index_in_memory || was_in_memory)
		pgbox_mailbox_index_forget(&mbox->box);
}

void pgbox_mailbox_create_control_dir(struct mailbox *box)
{
	struct mailbox_list *list = box->list;
	const char *dir, *root, *control_root;

	/* Nobody wants files who has no index files and said nothing of
	   control files; nor can there be any where index files can't. */
	if ((PGBOX_MAILBOX(box)->index_in_memory ||
	     !mailbox_list_get_root_path(list, MAILBOX_LIST_PATH_TYPE_INDEX,
					 &dir)) &&
	    mailbox_list_get_root_path(list, MAILBOX_LIST_PATH_TYPE_DIR,
				       &root) &&
	    mailbox_list_get_root_path(list, MAILBOX_LIST_PATH_TYPE_CONTROL,
				       &control_root) &&
	    strcmp(root, control_root) == 0)
		return;
	(void)mailbox_create_missing_dir(box, MAILBOX_LIST_PATH_TYPE_CONTROL);
}

/*
 * Processes that die
 */

/* Sets pid=0 if nobody is opening the index. */
static void guard_read(int fd, struct index_guard *guard_r)
{
	char value[128];
	ssize_t size = pread(fd, value, sizeof(value) - 1, 0);
	long long pid, since;

	i_zero(guard_r);
	if (size <= 0)
		return;
	value[size] = '\0';
	if (sscanf(value, "%lld %lld %u", &pid, &since,
		   &guard_r->deaths) == 3) {
		guard_r->pid = pid;
		guard_r->since = since;
	}
}

static void guard_write(int fd, const struct index_guard *guard)
{
	/* of one length, whatever was there before */
	const char *value = t_strdup_printf("%-10lld %-12lld %-4u\n",
		(long long)guard->pid, (long long)guard->since, guard->deaths);

	/* Without it an index would only be protected less. */
	if (pwrite(fd, value, strlen(value), 0) < 0)
		return;
}

/* Returns FALSE if another process is opening the index, too: one guard will
   do. */
static bool guard_take(struct pgbox_mailbox *mbox, int fd)
{
	struct index_guard old, guard = {
		.pid = getpid(),
		.since = ioloop_time,
	};

	guard_read(fd, &old);
	if (old.pid > 0 && old.since <= ioloop_time &&
	    old.since >= ioloop_time - GUARD_SECS) {
		if (kill(old.pid, 0) == 0 || errno != ESRCH)
			return FALSE;
		guard.since = old.since;
		guard.deaths = old.deaths + 1;
	}
	if (guard.deaths >= GUARD_MAX_DEATHS) {
		index_unlink_all(mbox, t_strdup_printf(
			"were opened by %u processes that died",
			guard.deaths));
		guard.since = ioloop_time;
		guard.deaths = 0;
	}
	guard_write(fd, &guard);
	return TRUE;
}

void pgbox_mailbox_index_guard(struct pgbox_mailbox *mbox)
{
	const char *dir;
	int fd;

	if (mbox->guard_fd != -1)
		return;
	T_BEGIN {
		dir = index_get_dir(mbox, MAILBOX_LIST_PATH_TYPE_INDEX);
		/* without the directory there are no files */
		fd = dir == NULL ? -1 :
			open(t_strconcat(dir, "/"GUARD_FNAME, NULL),
			     O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd != -1 && !guard_take(mbox, fd))
			i_close_fd(&fd);
		mbox->guard_fd = fd;
	} T_END;
}

void pgbox_mailbox_index_guard_end(struct pgbox_mailbox *mbox)
{
	const struct index_guard nobody = { .pid = 0 };

	if (mbox->guard_fd == -1)
		return;
	T_BEGIN {
		guard_write(mbox->guard_fd, &nobody);
	} T_END;
	i_close_fd(&mbox->guard_fd);
}
