#ifndef PGBOX_MAIL_WINDOW_PRIVATE_H
#define PGBOX_MAIL_WINDOW_PRIVATE_H

/* What the pgbox-mail-window files share. */

#include "pgbox-mail-window.h"
#include "pgbox-octets.h"
#include "pgbox-query-mail.h"

struct mail_index_view;

/* What is read at once */
#define PGBOX_WINDOW_MAX_READ_BYTES (2 * 1024 * 1024)
#define PGBOX_WINDOW_MAX_READ_MAILS 1000

/* Reading ahead of one kind of data */
struct pgbox_read_ahead {
	/* sequence after the mails that were read last */
	uint32_t next_seq;
	/* index of read_ahead_counts */
	unsigned int step;
	/* how many were read last, and how many of these were asked for */
	unsigned int read_count, used_count;
	/* Reading ahead ends if less than this part was asked for. */
	unsigned int min_used_percent;
};

struct pgbox_window_mail {
	/* list of those that have octets, in the order in which they came */
	struct pgbox_window_mail *prev, *next;

	struct pgbox_message_info info;
	/* The mail doesn't exist any more; the info is empty but for its UID */
	bool gone:1;

	/* own reference; NULL, the header or the whole message */
	struct pgbox_octets *octets;
	/* by which they were read, until they are asked for */
	struct pgbox_read_ahead *unused_ahead;
};

/* Infos that came together and go together */
struct pgbox_window_batch {
	struct pgbox_window_batch *prev, *next;
	pool_t pool;
	ARRAY(struct pgbox_window_mail *) mails;
	size_t bytes;
};

struct pgbox_mail_window {
	/* foreign */
	struct pgbox_mailbox *mbox;
	/* what the UIDs belong to */
	struct pgbox_mailbox_id id;
	uint32_t uid_validity;
	uint64_t epoch;

	HASH_TABLE(void *, struct pgbox_window_mail *) mails;
	/* oldest first */
	struct pgbox_window_batch *batches_head, *batches_tail;
	size_t info_bytes;

	/* oldest first */
	struct pgbox_window_mail *octets_head, *octets_tail;
	size_t octets_bytes;

	/* own: bytes that the database is reading ahead; NULL if it isn't */
	struct pgbox_octets_batch *coming;
	/* So many unknown mails are enough for one query; 0 if that has not
	   been found out. */
	unsigned int whole_enough;
	/* Bytes of mails after this one are not read ahead. */
	uint32_t last_uid;

	struct pgbox_read_ahead info_ahead, header_ahead, whole_ahead;

	/* own; NULL until needed */
	struct pgbox_range_cache *ranges;
};

/* ---- pgbox-mail-window-infos.c ---- */
/* Returns the mail, or NULL if it is not in memory. */
struct pgbox_window_mail *
pgbox_window_find(struct pgbox_mail_window *window, uint32_t uid);
/* Reads the mail's info if needed. Returns 1, 0 if the mail is gone, or -1 with
   the mailbox's error set. */
int pgbox_window_get_mail(struct pgbox_mail_window *window, struct mail *mail,
			  struct pgbox_window_mail **wmail_r);
/* Returns the sequence after those that may be read together with the mail at
   seq. */
uint32_t pgbox_window_get_end(struct mail_index_view *view, uint32_t seq,
			      unsigned int count);
/* Returns TRUE if nothing is known of the mail. */
bool pgbox_window_is_missing(struct pgbox_mail_window *window,
			     struct mail_index_view *view, uint32_t seq,
			     uint32_t *uid_r);

/* Infos are added to a batch, which then goes into the window, or is freed if there
   are none. */
struct pgbox_window_batch *pgbox_window_batch_create(void);
struct pgbox_window_mail *
pgbox_window_batch_add(struct pgbox_mail_window *window,
		       struct pgbox_window_batch *batch,
		       const struct pgbox_message_info *info);
void pgbox_window_batch_finish(struct pgbox_mail_window *window,
			       struct pgbox_window_batch *batch);
void pgbox_window_drop_batch(struct pgbox_mail_window *window,
			     struct pgbox_window_batch *batch);

void pgbox_window_mail_drop_octets(struct pgbox_mail_window *window,
				   struct pgbox_window_mail *wmail);
/* Returns how many mails to read from seq on. */
unsigned int
pgbox_read_ahead_get_count(struct pgbox_read_ahead *ahead, uint32_t seq);
/* count mails before next_seq have been read. */
void pgbox_read_ahead_set_read(struct pgbox_read_ahead *ahead,
			       uint32_t next_seq, unsigned int count);

/* ---- pgbox-mail-window-octets.c ---- */
/* If nothing is known of the mail: reads it together with its bytes, if these are
   not many, and with the mails that will probably be asked for next. Returns 0, also
   if the mail was not found, or -1 with the mailbox's error set. */
int pgbox_window_read_unknown(struct pgbox_mail_window *window,
			      struct mail *mail);

/* pgbox_mail_window_get_octets() */
int pgbox_window_get_octets(struct pgbox_mail_window *window, struct mail *mail,
			    enum pgbox_message_extent extent,
			    struct pgbox_octets **octets_r);
/* *batch may be NULL. */
void pgbox_octets_batch_free(struct pgbox_octets_batch **batch);

#endif
