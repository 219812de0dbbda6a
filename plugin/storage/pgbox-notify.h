#ifndef PGBOX_NOTIFY_H
#define PGBOX_NOTIFY_H

/* The mail process's side of notifications: telling the service what was
   changed, and wake-up files to wait for what others change. Nothing here can
   fail a command. pgbox-notify-file.h has the whole picture. */

#include "guid.h"
#include "pgbox-notify-changes.h"

struct mail_user;
struct pgbox_db;
struct pgbox_settings;
struct pgbox_notify;
struct pgbox_watch;

struct pgbox_notify *
pgbox_notify_init(pool_t pool, struct mail_user *user,
		  const struct pgbox_settings *set, const char *account);
void pgbox_notify_deinit(struct pgbox_notify **notify);

/* Something of the account was changed, and committed: of a mailbox, or if guid
   is NULL in the list of mailboxes. Takes microseconds. */
void pgbox_notify_changed(struct pgbox_notify *notify, const guid_128_t guid);

/* Returns the directory of wake-up files, NULL if there is none. */
const char *pgbox_notify_get_dir(struct pgbox_notify *notify);
/* TRUE if all that is changed anywhere comes in by wake-up files. */
bool pgbox_notify_is_alive(struct pgbox_notify *notify);
/* See pgbox_notify_table_get_mark(). */
void pgbox_notify_get_mark(struct pgbox_notify *notify,
			   struct pgbox_notify_mark *mark_r);
/* Returns TRUE if the mailbox was not changed since the mark, as far as
   notifications have come in. own_known: what this process itself has changed
   since doesn't count. */
bool pgbox_notify_is_unchanged(struct pgbox_notify *notify,
			       const struct pgbox_notify_mark *mark,
			       const guid_128_t guid, bool own_known);
/* Returns the path of the wake-up file of a mailbox, or if guid is NULL of the
   account, and sees to it that the file is there. Returns NULL if that can't be
   done, which was logged if it is an error. */
const char *
pgbox_notify_get_file(struct pgbox_notify *notify, const guid_128_t guid);

/* Wakes all who watch the file, if it is there and we may. */
void pgbox_notify_write_file(const char *path);

/* ---- pgbox-watch.c: waiting for changes ---- */

struct pgbox_watch_settings {
	struct pgbox_notify *notify;
	/* whose wake-up file; NULL is the account's */
	const uint8_t *guid;
	/* another file that changes with changes of this host; may be NULL */
	const char *log_path;
	/* ask so often if nothing else is known */
	unsigned int poll_secs;

	/* To ask for changes */
	struct pgbox_db *db;

	/* There may be changes, and the database can be asked. May free the
	   watch. */
	void (*changed)(void *context);
	/* May be NULL. Path is that of the wake-up file while that alone is
	   sufficient, because all changes arrive there; else NULL. Also called
	   by pgbox_watch_init(). May not free the watch. */
	void (*moved)(const char *path, void *context);
	void *context;
};

struct pgbox_watch *pgbox_watch_init(const struct pgbox_watch_settings *set);
void pgbox_watch_deinit(struct pgbox_watch **watch);
/* Asking failed: calls changed() again after some seconds. */
void pgbox_watch_retry(struct pgbox_watch *watch);

#endif
