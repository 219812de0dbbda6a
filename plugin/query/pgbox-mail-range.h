#ifndef PGBOX_MAIL_RANGE_H
#define PGBOX_MAIL_RANGE_H

/* Ranges of large messages: reads no more than is asked for while somebody
   jumps around, and whole chunks while somebody reads on. What was read last is
   kept, so that the next partial FETCH of the same mail finds it. */

struct pgbox_db;
struct pgbox_db_failure;
struct pgbox_octets;
struct pgbox_range_cache;

/* db and account_id must stay as they are until deinit. */
struct pgbox_range_cache *
pgbox_range_cache_init(struct pgbox_db *db, int64_t account_id);
/* *cache may be NULL. */
void pgbox_range_cache_deinit(struct pgbox_range_cache **cache);

/* Gives octets with the byte at offset, which must be below message_size. They are
   the ones from *start_r on, and valid until the next call; whoever needs them longer
   takes a reference. Returns 1, 0 if the database doesn't have them, or -1 and the
   failure. */
int pgbox_range_cache_read(struct pgbox_range_cache *cache, int64_t message_id,
			   uoff_t message_size, uoff_t offset,
			   struct pgbox_octets **octets_r, uoff_t *start_r,
			   struct pgbox_db_failure *failure_r);

#endif
