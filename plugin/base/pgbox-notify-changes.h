#ifndef PGBOX_NOTIFY_CHANGES_H
#define PGBOX_NOTIFY_CHANGES_H

/* What has changed since something was read: a table of this host that the
   service pgbox-notify writes and mail processes map. It is the file that says
   that notifications come in (PGBOX_NOTIFY_ALIVE_NAME). A change counts up and
   leaves its number at a place that its name is hashed to; several names may
   share one, which costs a question and never an answer. */

/* A moment in the table. Zeroed: none. */
struct pgbox_notify_mark {
	/* another one after each interruption of what comes in */
	uint64_t instance;
	/* so many changes had come in */
	uint64_t sequence;
};

/* ---- The service's side ---- */

struct pgbox_notify_changes;

/* Makes the file, in place of one that is there. Whoever has marks of that one
   can't use them any more. Returns NULL and the error if it can't be done. */
struct pgbox_notify_changes *
pgbox_notify_changes_create(const char *path, const char **error_r);
/* Removes the file. */
void pgbox_notify_changes_destroy(struct pgbox_notify_changes **changes);

/* Something of this name was changed. writer is who has told it, if that was a
   mail process of this host, and 0 otherwise. Returns 0, or -1 and the error,
   after which the table is wrong. */
int pgbox_notify_changes_add(struct pgbox_notify_changes *changes,
			     const char *name, uint64_t writer,
			     const char **error_r);
/* Anything may have changed. Returns as pgbox_notify_changes_add(). */
int pgbox_notify_changes_add_all(struct pgbox_notify_changes *changes,
				 const char **error_r);
/* Says that notifications come in, for PGBOX_NOTIFY_ALIVE_MAX_AGE_SECS. Returns
   as pgbox_notify_changes_add(). */
int pgbox_notify_changes_touch(struct pgbox_notify_changes *changes,
			       const char **error_r);

/* ---- The mail processes' side ---- */

struct pgbox_notify_table;

struct pgbox_notify_table *pgbox_notify_table_init(const char *path);
void pgbox_notify_table_deinit(struct pgbox_notify_table **table);

/* Returns TRUE if all that is changed anywhere comes in. */
bool pgbox_notify_table_is_alive(struct pgbox_notify_table *table);
/* Before something is read: what comes in from then on is newer than the mark,
   which is zeroed if nothing comes in. */
void pgbox_notify_table_get_mark(struct pgbox_notify_table *table,
				 struct pgbox_notify_mark *mark_r);
/* Returns TRUE if nothing of this name has come in since the mark, other than
   what this writer has told (0: no exception), and if it would have come in. */
bool pgbox_notify_table_is_unchanged(struct pgbox_notify_table *table,
				     const struct pgbox_notify_mark *mark,
				     const char *name, uint64_t writer);

#endif
