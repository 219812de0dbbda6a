/* Ranges of large messages, read by size and place of the ranges before.
   Knows nothing of mails and mailboxes. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-query-message.h"
#include "pgbox-mail-range.h"

/* First read, and the read after a jump */
#define RANGE_MIN_BYTES (16 * 1024)
/* Two streams can read on at the same time, each with the range where it is
   and the one before. */
#define RANGE_CACHE_COUNT 4

struct pgbox_range {
	/* own; NULL if this slot is unused */
	unsigned char *data;
	size_t size;
	int64_t message_id;
	uoff_t offset;

	/* The size that was meant before it was fitted to the chunk: the next
	   one is twice that. */
	size_t wanted_size;
	/* value of cache->clock when it was used last */
	unsigned int last_used;
};

struct pgbox_range_cache {
	/* foreign */
	struct pgbox_db *db;
	int64_t account_id;

	struct pgbox_range ranges[RANGE_CACHE_COUNT];
	unsigned int clock;
};

struct pgbox_range_cache *
pgbox_range_cache_init(struct pgbox_db *db, int64_t account_id)
{
	struct pgbox_range_cache *cache;

	cache = i_new(struct pgbox_range_cache, 1);
	cache->db = db;
	cache->account_id = account_id;
	return cache;
}

void pgbox_range_cache_deinit(struct pgbox_range_cache **_cache)
{
	struct pgbox_range_cache *cache = *_cache;
	unsigned int i;

	if (cache == NULL)
		return;
	*_cache = NULL;
	for (i = 0; i < RANGE_CACHE_COUNT; i++)
		i_free(cache->ranges[i].data);
	i_free(cache);
}

static struct pgbox_range *
range_find(struct pgbox_range_cache *cache, int64_t message_id, uoff_t offset)
{
	unsigned int i;

	for (i = 0; i < RANGE_CACHE_COUNT; i++) {
		struct pgbox_range *range = &cache->ranges[i];

		if (range->data != NULL && range->message_id == message_id &&
		    offset >= range->offset &&
		    offset - range->offset < range->size)
			return range;
	}
	return NULL;
}

/* How much to read at offset, if the chunks didn't matter */
static size_t
range_get_wanted_size(const struct pgbox_range_cache *cache,
		      int64_t message_id, uoff_t offset)
{
	unsigned int i;

	for (i = 0; i < RANGE_CACHE_COUNT; i++) {
		const struct pgbox_range *range = &cache->ranges[i];

		if (range->data != NULL && range->message_id == message_id &&
		    range->offset + range->size == offset)
			return I_MIN(range->wanted_size * 2, PGBOX_CHUNK_BYTES);
	}
	return RANGE_MIN_BYTES;
}

static size_t
range_fit_to_chunk(size_t wanted_size, uoff_t message_size, uoff_t offset)
{
	size_t left = PGBOX_CHUNK_BYTES - offset % PGBOX_CHUNK_BYTES;

	if (left > message_size - offset)
		left = message_size - offset;
	/* don't leave a rest that costs a query of its own */
	return wanted_size + wanted_size / 4 >= left ? left : wanted_size;
}

static struct pgbox_range *range_get_oldest(struct pgbox_range_cache *cache)
{
	struct pgbox_range *oldest = &cache->ranges[0];
	unsigned int i;

	for (i = 0; i < RANGE_CACHE_COUNT; i++) {
		struct pgbox_range *range = &cache->ranges[i];

		if (range->data == NULL)
			return range;
		if (range->last_used < oldest->last_used)
			oldest = range;
	}
	return oldest;
}

int pgbox_range_cache_read(struct pgbox_range_cache *cache, int64_t message_id,
			   uoff_t message_size, uoff_t offset,
			   const unsigned char **data_r, size_t *size_r,
			   struct pgbox_db_failure *failure_r)
{
	struct pgbox_range *range;
	size_t wanted_size;
	int ret;

	i_assert(offset < message_size);

	range = range_find(cache, message_id, offset);
	if (range == NULL) {
		wanted_size = range_get_wanted_size(cache, message_id, offset);
		range = range_get_oldest(cache);
		i_free(range->data);
		range->message_id = message_id;
		range->offset = offset;
		range->wanted_size = wanted_size;
		range->size = range_fit_to_chunk(wanted_size, message_size,
						 offset);
		range->data = i_malloc(range->size);
		ret = pgbox_message_read_range(cache->db, cache->account_id,
					       message_id, offset, range->size,
					       range->data, failure_r);
		if (ret <= 0) {
			i_free(range->data);
			return ret;
		}
	}
	range->last_used = ++cache->clock;
	*data_r = range->data + (offset - range->offset);
	*size_r = range->size - (offset - range->offset);
	return 1;
}
