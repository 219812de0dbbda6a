#ifndef PGBOX_TEXT_BATCH_H
#define PGBOX_TEXT_BATCH_H

/* Extracted texts until they are stored: several with one statement. */

struct pgbox_db;
struct pgbox_db_failure;
struct pgbox_message_text;
struct pgbox_text_batch;

/* A message with more has its bodies read by Dovecot in each search. */
#define PGBOX_TEXT_MAX_BYTES (8 * 1024 * 1024)
/* What is worth a statement; a text alone may be larger */
#define PGBOX_TEXT_BATCH_BYTES (2 * 1024 * 1024)

struct pgbox_text_batch *pgbox_text_batch_init(void);
/* Drops what was not stored. */
void pgbox_text_batch_deinit(struct pgbox_text_batch **batch);

/* Takes the text. */
void pgbox_text_batch_add(struct pgbox_text_batch *batch, int64_t account_id,
			  int64_t message_id,
			  const struct pgbox_message_text *text);
bool pgbox_text_batch_is_full(const struct pgbox_text_batch *batch);
/* Stores all, and drops it if that fails. Adds to *stored how many it were.
   Returns 0, or -1 and the failure. */
int pgbox_text_batch_store(struct pgbox_text_batch *batch, struct pgbox_db *db,
			   unsigned int *stored,
			   struct pgbox_db_failure *failure_r);

#endif
