/* Local directories: each mailbox has one, named by its GUID, below the
   directories that mail_location or mail_path gives. They hold what can be made again:
   index and cache files. Knows nothing of what is in them. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "hash.h"
#include "hex-binary.h"
#include "ioloop.h"
#include "mkdir-parents.h"
#include "str.h"
#include "unlink-directory.h"
#include "mail-storage-private.h"
#include "pgbox-compat.h"
#include "pgbox-list-private.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Exists in the index root; its mtime is when others' leavings were last
   looked for */
#define CLEAN_UP_STAMP_FNAME "pgbox.cleanup"
#define CLEAN_UP_INTERVAL_SECS (24 * 60 * 60)
/* A directory whose log was written to later is left alone: our list of
   mailboxes may be older. */
#define CLEAN_UP_MIN_AGE_SECS (24 * 60 * 60)

#define IN_MEMORY_TELL_SECS 60

/* The directory that holds a kind of file for all mailboxes. Returns FALSE if
   there is none, as for index files in memory. */
static bool
list_get_root(struct mailbox_list *list, enum mailbox_list_path_type type,
	      const char **path_r)
{
	/* mail_location = pgbox: and an empty mail_path have no directory, and
	   nothing below it */
	if (type == MAILBOX_LIST_PATH_TYPE_MAILBOX &&
	    !list_get_root(list, MAILBOX_LIST_PATH_TYPE_DIR, path_r))
		return FALSE;
	return PGBOX_COMPAT_LIST_ROOT_PATH(list, type, path_r) &&
		**path_r != '\0';
}

/* Like list_get_root(), for what is below it and above the mailboxes' own
   directories */
static bool
list_get_mailboxes_dir(struct mailbox_list *list,
		       enum mailbox_list_path_type type, const char **path_r)
{
	const char *root, *dir = PGBOX_COMPAT_LIST_MAILBOX_DIR(list);
	size_t len = strlen(dir);

	/* MAILBOX has the directory's name in its root already */
	if (type == MAILBOX_LIST_PATH_TYPE_MAILBOX)
		type = MAILBOX_LIST_PATH_TYPE_DIR;
	if (!list_get_root(list, type, &root))
		return FALSE;
	if (len > 0 && dir[len - 1] == '/')
		dir = t_strndup(dir, len - 1);
	*path_r = *dir == '\0' ? root : t_strconcat(root, "/", dir, NULL);
	return TRUE;
}

static const char *mailbox_path(const char *dir, const guid_128_t guid)
{
	return t_strconcat(dir, "/", guid_128_to_string(guid), NULL);
}

const char *
pgbox_list_get_mailbox_path(struct mailbox_list *list, const guid_128_t guid)
{
	const char *dir;

	return list_get_mailboxes_dir(list, MAILBOX_LIST_PATH_TYPE_MAILBOX,
				      &dir) ? mailbox_path(dir, guid) : "";
}

void pgbox_list_set_opening(struct mailbox_list *_list, const char *name,
			    const guid_128_t guid)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(_list);

	list->opening_name = name;
	guid_128_copy(list->opening_guid, guid);
	list->opening_in_memory = FALSE;
}

static bool dir_can_be_used(const char *dir)
{
	/* lmtp has other uids than the effective one */
	return faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
}

/* Returns TRUE if files can be in the directory, or if it can be made. What is not
   for mailboxes, as Dovecot's log of their names, is left out otherwise. */
static bool dir_is_usable(const char *dir)
{
	const char *p;

	while (!dir_can_be_used(dir)) {
		p = strrchr(dir, '/');
		if (errno != ENOENT || p == NULL || p == dir)
			return FALSE;
		dir = t_strdup_until(dir, p);
	}
	return TRUE;
}

int pgbox_list_get_path(struct mailbox_list *list, const char *name,
			enum mailbox_list_path_type type, const char **path_r)
{
	const struct pgbox_mailbox_list *pgbox_list = PGBOX_MAILBOX_LIST(list);
	const struct pgbox_mailbox_row *row;
	const char *dir;
	int ret;

	*path_r = NULL;
	/* "" is the namespace's prefix, which is no mailbox */
	if (name == NULL || *name == '\0') {
		return list_get_root(list, type, path_r) &&
			(type != MAILBOX_LIST_PATH_TYPE_INDEX ||
			 dir_is_usable(*path_r)) ? 1 : 0;
	}

	if (!list_get_mailboxes_dir(list, type, &dir))
		return 0;
	if (null_strcmp(pgbox_list->opening_name, name) == 0) {
		if (pgbox_list->opening_in_memory &&
		    (type == MAILBOX_LIST_PATH_TYPE_DIR ||
		     type == MAILBOX_LIST_PATH_TYPE_INDEX ||
		     type == MAILBOX_LIST_PATH_TYPE_INDEX_CACHE))
			return 0;
		*path_r = mailbox_path(dir, pgbox_list->opening_guid);
		return 1;
	}
	if ((ret = pgbox_list_lookup(list, name, FALSE, &row)) < 0)
		return -1;
	if (ret == 0) {
		mailbox_list_set_error(list, MAIL_ERROR_NOTFOUND,
			T_MAILBOX_LIST_ERR_NOT_FOUND(list, name));
		return -1;
	}
	*path_r = mailbox_path(dir, row->guid);
	return 1;
}

/* Returns NULL if files can be there, or none are wanted, else why not. */
static const char *
prepare_index_dir(struct mailbox *box, enum mailbox_list_path_type type)
{
	const struct mailbox_permissions *perm;
	const char *dir;

	if (pgbox_list_get_path(box->list, box->name, type, &dir) <= 0 ||
	    dir_can_be_used(dir))
		return NULL;
	if (errno == ENOENT) {
		perm = mailbox_get_permissions(box);
		if (mkdir_parents_chgrp(dir, perm->dir_create_mode,
					perm->file_create_gid,
					perm->file_create_gid_origin) == 0 ||
		    errno == EEXIST)
			return NULL;
	}
	return t_strdup_printf("%s: %m", dir);
}

/* A process that delivers to many users says it once a minute. */
static void tell_in_memory(struct mailbox *box, const char *error)
{
	static time_t told_at = 0;
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(box->list);

	if (list->in_memory_told ||
	    (told_at <= ioloop_time &&
	     told_at > ioloop_time - IN_MEMORY_TELL_SECS))
		return;
	list->in_memory_told = TRUE;
	told_at = ioloop_time;
	e_warning(box->event, "pgbox: Index files are kept in memory, because "
		  "they can't be in %s", error);
}

bool pgbox_list_prepare_index_dirs(struct mailbox *box)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(box->list);

	T_BEGIN {
		const char *error;

		error = prepare_index_dir(box, MAILBOX_LIST_PATH_TYPE_INDEX);
		if (error == NULL) {
			error = prepare_index_dir(box,
				MAILBOX_LIST_PATH_TYPE_INDEX_CACHE);
		}
		list->opening_in_memory = error != NULL;
		if (error != NULL)
			tell_in_memory(box, error);
		else
			list->in_memory_told = FALSE;
	} T_END;
	return !list->opening_in_memory;
}

static void delete_directory(struct mailbox_list *list, const char *path)
{
	const char *error;

	if (unlink_directory(path, UNLINK_DIRECTORY_FLAG_RMDIR, &error) < 0) {
		/* a process of the deleted mailbox may be making a file */
		e_warning(list->ns->user->event,
			  "unlink_directory(%s) failed: %s", path, error);
	}
}

void pgbox_list_delete_local(struct mailbox_list *list, const guid_128_t guid)
{
	static const enum mailbox_list_path_type types[] = {
		MAILBOX_LIST_PATH_TYPE_INDEX,
		MAILBOX_LIST_PATH_TYPE_INDEX_CACHE,
		MAILBOX_LIST_PATH_TYPE_INDEX_PRIVATE,
		MAILBOX_LIST_PATH_TYPE_CONTROL,
	};
	const char *dir;
	unsigned int i;

	for (i = 0; i < N_ELEMENTS(types); i++) T_BEGIN {
		if (list_get_mailboxes_dir(list, types[i], &dir))
			delete_directory(list, mailbox_path(dir, guid));
	} T_END;
}

/*
 * Cleaning up
 */

HASH_TABLE_DEFINE_TYPE(pgbox_guid, const uint8_t *, const uint8_t *);

/* Returns TRUE if it is our turn. */
static bool clean_up_begin(const char *root)
{
	const char *path = t_strconcat(root, "/"CLEAN_UP_STAMP_FNAME, NULL);
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 &&
	    st.st_mtime > ioloop_time - CLEAN_UP_INTERVAL_SECS)
		return FALSE;
	/* Without the root there is nothing to clean up. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1)
		return FALSE;
	/* O_TRUNC leaves the time of an empty file as it was */
	(void)futimens(fd, NULL);
	i_close_fd(&fd);
	return TRUE;
}

static bool
is_left_over(HASH_TABLE_TYPE(pgbox_guid) guids, const char *dir,
	     const char *fname)
{
	guid_128_t guid;
	struct stat st;
	const char *log;

	if (guid_128_from_string(fname, guid) < 0)
		return FALSE;
	if (hash_table_lookup(guids, (const uint8_t *)guid) != NULL)
		return FALSE;
	log = t_strconcat(dir, "/", fname, "/"MAIL_INDEX_PREFIX".log", NULL);
	return stat(log, &st) < 0 ||
		st.st_mtime < ioloop_time - CLEAN_UP_MIN_AGE_SECS;
}

static void
clean_up_dir(struct mailbox_list *list, HASH_TABLE_TYPE(pgbox_guid) guids,
	     const char *path)
{
	struct dirent *d;
	DIR *dir;

	if ((dir = opendir(path)) == NULL)
		return;
	while ((d = readdir(dir)) != NULL) T_BEGIN {
		if (is_left_over(guids, path, d->d_name)) {
			delete_directory(list, t_strconcat(path, "/",
							   d->d_name, NULL));
		}
	} T_END;
	(void)closedir(dir);
}

static void
clean_up_all(struct mailbox_list *list, const struct pgbox_list_rows *rows)
{
	/* Others' private flags and ACLs can't be made again. */
	static const enum mailbox_list_path_type types[] = {
		MAILBOX_LIST_PATH_TYPE_INDEX,
		MAILBOX_LIST_PATH_TYPE_INDEX_CACHE,
	};
	HASH_TABLE_TYPE(pgbox_guid) guids;
	const struct pgbox_mailbox_row *row;
	const char *dir;
	unsigned int i;

	hash_table_create(&guids, default_pool, array_count(&rows->rows),
			  guid_128_hash, guid_128_cmp);
	array_foreach(&rows->rows, row) {
		const uint8_t *guid = row->guid;

		hash_table_update(guids, guid, guid);
	}
	for (i = 0; i < N_ELEMENTS(types); i++) {
		if (list_get_mailboxes_dir(list, types[i], &dir))
			clean_up_dir(list, guids, dir);
	}
	hash_table_destroy(&guids);
}

void pgbox_list_clean_up_local(struct mailbox_list *list,
			       const struct pgbox_list_rows *rows)
{
	const char *root;

	if (!list_get_root(list, MAILBOX_LIST_PATH_TYPE_INDEX, &root))
		return;
	T_BEGIN {
		if (clean_up_begin(root))
			clean_up_all(list, rows);
	} T_END;
}
