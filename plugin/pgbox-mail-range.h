#ifndef PGBOX_MAIL_RANGE_H
#define PGBOX_MAIL_RANGE_H

/* Ranges of large messages: reads no more than is asked for while somebody
   jumps around, and whole chunks while somebody reads on. What was read last is
   kept, so that the next partial FETCH of the same mail finds it. */

struct pgbox_db;
struct pgbox_db_failure;
struct pgbox_range_cache;

/* db and account_id must stay as they are until deinit. */
struct pgbox_range_cache *
pgbox_range_cache_init(struct pgbox_db *db, int64_t account_id);
/* *cache may be NULL. */
void pgbox_range_cache_deinit(struct pgbox_range_cache **cache);

/* Gives bytes from offset on, as many as are there; they are valid until the
   next call. offset must be below message_size. Returns 1, 0 if the database
   doesn't have them, or -1 and the failure. */
int pgbox_range_cache_read(struct pgbox_range_cache *cache, int64_t message_id,
			   uoff_t message_size, uoff_t offset,
			   const unsigned char **data_r, size_t *size_r,
			   struct pgbox_db_failure *failure_r);

#endif
