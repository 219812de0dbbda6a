/* The table of changes of this host, as the service and mail processes see it.
   Knows nothing of where changes come from, and of what is read. */

#include "pgbox-config.h"
#include "lib.h"
#include "crc32.h"
#include "randgen.h"
#include "write-full.h"
#include "pgbox-notify-changes.h"
#include "pgbox-notify-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* With 1,000 changes in a second on all hosts, a session that was silent for ten
   seconds asks in vain in one case of seven. */
#define TABLE_SLOTS 65536

#define TABLE_VERSION 1

struct table_header {
	uint64_t version;
	uint64_t instance;
	uint64_t sequence;
};

struct table_slot {
	/* number of the last change, who told it, and the number of the last
	   one that somebody else told */
	uint64_t sequence;
	uint64_t writer;
	uint64_t other_sequence;
};

struct table {
	struct table_header header;
	struct table_slot slots[TABLE_SLOTS];
};

static unsigned int table_idx(const char *name)
{
	return crc32_str(name) % TABLE_SLOTS;
}

/*
 * The service
 */

struct pgbox_notify_changes {
	char *path;
	/* locked as long as we live */
	int fd;
	/* as it is in the file: nobody else writes there */
	struct table table;
};

static int changes_open(const char *path, const char **error_r)
{
	/* A killed process says by its lock that it is gone. */
	const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1) {
		*error_r = t_strdup_printf("creat(%s) failed: %m", path);
		return -1;
	}
	/* whatever the umask is */
	if (fchmod(fd, 0644) == 0 && fcntl(fd, F_SETLK, &lock) == 0 &&
	    ftruncate(fd, sizeof(struct table)) == 0)
		return fd;
	*error_r = t_strdup_printf("fchmod(), fcntl() or ftruncate(%s) "
				   "failed: %m", path);
	i_close_fd(&fd);
	return -1;
}

/* By write(): in a mapping a full disk would be a signal. */
static int
changes_write(struct pgbox_notify_changes *changes, const void *data,
	      size_t size, const char **error_r)
{
	uoff_t offset = (const char *)data - (const char *)&changes->table;

	if (pwrite_full(changes->fd, data, size, offset) == 0)
		return 0;
	*error_r = t_strdup_printf("write(%s) failed: %m", changes->path);
	return -1;
}

struct pgbox_notify_changes *
pgbox_notify_changes_create(const char *path, const char **error_r)
{
	const char *temp_path = t_strconcat(path, ".new", NULL);
	struct pgbox_notify_changes *changes;
	int fd;

	i_unlink_if_exists(temp_path);
	if ((fd = changes_open(temp_path, error_r)) == -1)
		return NULL;
	changes = i_new(struct pgbox_notify_changes, 1);
	changes->path = i_strdup(path);
	changes->fd = fd;
	changes->table.header.version = TABLE_VERSION;
	if (pgbox_notify_changes_add_all(changes, error_r) == 0) {
		/* readers never see it half made */
		if (rename(temp_path, path) == 0)
			return changes;
		*error_r = t_strdup_printf("rename(%s, %s) failed: %m",
					   temp_path, path);
	}
	i_unlink_if_exists(temp_path);
	i_close_fd(&changes->fd);
	i_free(changes->path);
	i_free(changes);
	return NULL;
}

void pgbox_notify_changes_destroy(struct pgbox_notify_changes **_changes)
{
	struct pgbox_notify_changes *changes = *_changes;

	if (changes == NULL)
		return;
	*_changes = NULL;
	i_unlink_if_exists(changes->path);
	i_close_fd(&changes->fd);
	i_free(changes->path);
	i_free(changes);
}

int pgbox_notify_changes_add(struct pgbox_notify_changes *changes,
			     const char *name, uint64_t writer,
			     const char **error_r)
{
	struct table_header *header = &changes->table.header;
	struct table_slot *slot = &changes->table.slots[table_idx(name)];

	header->sequence++;
	if (writer == 0)
		slot->other_sequence = header->sequence;
	else if (slot->writer != writer)
		slot->other_sequence = slot->sequence;
	slot->sequence = header->sequence;
	slot->writer = writer;
	/* The slot first: a mark that counts it already is of somebody who has
	   not asked yet. */
	if (changes_write(changes, slot, sizeof(*slot), error_r) < 0)
		return -1;
	return changes_write(changes, header, sizeof(*header), error_r);
}

int pgbox_notify_changes_add_all(struct pgbox_notify_changes *changes,
				 const char **error_r)
{
	struct table_header *header = &changes->table.header;

	do {
		random_fill(&header->instance, sizeof(header->instance));
	} while (header->instance == 0);
	return changes_write(changes, header, sizeof(*header), error_r);
}

int pgbox_notify_changes_touch(struct pgbox_notify_changes *changes,
			       const char **error_r)
{
	struct stat st;

	if (futimens(changes->fd, NULL) < 0 || fstat(changes->fd, &st) < 0) {
		*error_r = t_strdup_printf("futimens(%s) failed: %m",
					   changes->path);
		return -1;
	}
	if (st.st_nlink == 0) {
		*error_r = t_strdup_printf("%s was removed", changes->path);
		return -1;
	}
	return 0;
}

/*
 * Mail processes
 */

struct pgbox_notify_table {
	char *path;
	/* -1 if there was none */
	int fd;
	dev_t dev;
	ino_t ino;
	/* the service writes to it at any time */
	const volatile struct table *map;
};

struct pgbox_notify_table *pgbox_notify_table_init(const char *path)
{
	struct pgbox_notify_table *table = i_new(struct pgbox_notify_table, 1);

	table->path = i_strdup(path);
	table->fd = -1;
	return table;
}

static void table_close(struct pgbox_notify_table *table)
{
	if (table->map != NULL &&
	    munmap((void *)table->map, sizeof(*table->map)) < 0)
		i_error("munmap(%s) failed: %m", table->path);
	table->map = NULL;
	i_close_fd(&table->fd);
}

void pgbox_notify_table_deinit(struct pgbox_notify_table **_table)
{
	struct pgbox_notify_table *table = *_table;

	*_table = NULL;
	table_close(table);
	i_free(table->path);
	i_free(table);
}

/* A file of another size is of another version, or of somebody else. */
static void table_open(struct pgbox_notify_table *table)
{
	struct stat st;
	void *map;

	table->fd = open(table->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
			 O_CLOEXEC);
	if (table->fd == -1 || fstat(table->fd, &st) < 0 ||
	    st.st_size != sizeof(struct table)) {
		table_close(table);
		return;
	}
	map = mmap(NULL, sizeof(struct table), PROT_READ, MAP_SHARED,
		   table->fd, 0);
	if (map == MAP_FAILED) {
		table_close(table);
		return;
	}
	table->map = map;
	table->dev = st.st_dev;
	table->ino = st.st_ino;
}

/* Its writer has it locked: nobody else could keep it right. */
static bool table_is_locked(const struct pgbox_notify_table *table)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(table->fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

bool pgbox_notify_table_is_alive(struct pgbox_notify_table *table)
{
	struct stat st;

	if (stat(table->path, &st) < 0 ||
	    st.st_mtime <= time(NULL) - PGBOX_NOTIFY_ALIVE_MAX_AGE_SECS)
		return FALSE;
	if (table->map == NULL || st.st_ino != table->ino ||
	    st.st_dev != table->dev) {
		table_close(table);
		table_open(table);
	}
	return table->map != NULL &&
		table->map->header.version == TABLE_VERSION &&
		table_is_locked(table);
}

void pgbox_notify_table_get_mark(struct pgbox_notify_table *table,
				 struct pgbox_notify_mark *mark_r)
{
	i_zero(mark_r);
	if (!pgbox_notify_table_is_alive(table))
		return;
	mark_r->instance = table->map->header.instance;
	mark_r->sequence = table->map->header.sequence;
}

bool pgbox_notify_table_is_unchanged(struct pgbox_notify_table *table,
				     const struct pgbox_notify_mark *mark,
				     const char *name, uint64_t writer)
{
	const volatile struct table_slot *slot;

	if (mark->instance == 0 || !pgbox_notify_table_is_alive(table) ||
	    table->map->header.instance != mark->instance)
		return FALSE;
	slot = &table->map->slots[table_idx(name)];
	return slot->sequence <= mark->sequence ||
		(writer != 0 && slot->writer == writer &&
		 slot->other_sequence <= mark->sequence);
}
