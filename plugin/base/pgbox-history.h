#ifndef PGBOX_HISTORY_H
#define PGBOX_HISTORY_H

/* The newest state of a database that this host has seen, in a small file. A
   server that shows less was left behind, or has lost commits: session_begin()
   in the database decides. All of it may be lost, which only makes the host
   forget. */

struct pgbox_history;

/* epoch is 0 if nothing was seen. */
struct pgbox_history_position {
	int64_t system_identifier;
	int64_t timeline;
	/* octets of WAL that were on the disk */
	int64_t position;
	int64_t epoch;
	/* microseconds since 1970, by the server's clock */
	int64_t raised_at;
};

/* Returns the history of the database that conninfo leads to. It lives until
   pgbox_history_deinit(). dir is where the file is; NULL if there is no place
   for one, or if it was given before. */
struct pgbox_history *
pgbox_history_get(const char *conninfo, const char *dir);
void pgbox_history_deinit(void);

/* Returns what a server has to go on from. */
void pgbox_history_read(struct pgbox_history *history,
			struct pgbox_history_position *position_r);
/* Remembers the position, if it is newer than what is remembered. */
void pgbox_history_seen(struct pgbox_history *history,
			const struct pgbox_history_position *position);

/* The server of the last pgbox_history_read() or _seen() has got to that position,
   and goes on from there. */
void pgbox_history_advanced(struct pgbox_history *history, int64_t position);

/* Returns TRUE if it is time to tell the admin again that a server is refused:
   not each process does. */
bool pgbox_history_may_tell(struct pgbox_history *history);

#endif
