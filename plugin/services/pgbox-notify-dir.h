#ifndef PGBOX_NOTIFY_DIR_H
#define PGBOX_NOTIFY_DIR_H

/* The service's side of the directory of wake-up files. */

struct pgbox_notify_dir;

/* Makes the directory, as root if we are: owned by the uid and gid, which the
   service is going to have, or (uid_t)-1. All others may only create files
   in it. Returns 0, or -1 and the error. */
int pgbox_notify_dir_prepare(const char *path, uid_t uid, gid_t gid,
			     const char **error_r);

struct pgbox_notify_dir *pgbox_notify_dir_init(const char *path);
void pgbox_notify_dir_deinit(struct pgbox_notify_dir **dir);

/* Wakes who watches the file of this name, if there is one. */
void pgbox_notify_dir_wake(struct pgbox_notify_dir *dir, const char *name);
/* Something of this name was changed: wakes who watches, and tells who asks
   whether it was. writer as in pgbox_notify_changes_add() */
void pgbox_notify_dir_changed(struct pgbox_notify_dir *dir, const char *name,
			      uint64_t writer);
/* Anything may have changed: wakes all, a few at a time. */
void pgbox_notify_dir_changed_all(struct pgbox_notify_dir *dir);
/* Says whether notifications come in. To be called again and again while they
   do. */
void pgbox_notify_dir_set_alive(struct pgbox_notify_dir *dir, bool alive);

#endif
