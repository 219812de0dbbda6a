/* Ranges of large messages, read by size and place of the ranges before, and the
   next chunk while one is used. Knows nothing of mails and mailboxes. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "pgbox-chunk.h"
#include "pgbox-query-message.h"
#include "pgbox-octets.h"
#include "pgbox-mail-range.h"

/* First read, and the read after a jump */
#define RANGE_MIN_BYTES (16 * 1024)
/* Two streams can read on at the same time, each with the range where it is
   and the one before. */
#define RANGE_CACHE_COUNT 4

struct pgbox_range {
	/* own reference; NULL if this slot is unused */
	struct pgbox_octets *octets;
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

	/* own: the database is reading the next chunk; NULL if it isn't */
	struct pgbox_db_started *started;
	struct pgbox_message_range coming;
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
	pgbox_db_exec_abandon(&cache->started);
	for (i = 0; i < RANGE_CACHE_COUNT; i++)
		pgbox_octets_unref(&cache->ranges[i].octets);
	i_free(cache);
}

static struct pgbox_range *
range_find(struct pgbox_range_cache *cache, int64_t message_id, uoff_t offset)
{
	unsigned int i;

	for (i = 0; i < RANGE_CACHE_COUNT; i++) {
		struct pgbox_range *range = &cache->ranges[i];

		if (range->octets != NULL && range->message_id == message_id &&
		    offset >= range->offset &&
		    offset - range->offset < range->octets->size)
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

		if (range->octets != NULL && range->message_id == message_id &&
		    range->offset + range->octets->size == offset)
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

		if (range->octets == NULL)
			return range;
		if (range->last_used < oldest->last_used)
			oldest = range;
	}
	return oldest;
}

/* Makes place for a range; its bytes are not there yet. */
static struct pgbox_range *
range_add(struct pgbox_range_cache *cache,
	  const struct pgbox_message_range *message_range, size_t wanted_size)
{
	struct pgbox_range *range = range_get_oldest(cache);

	pgbox_octets_unref(&range->octets);
	range->octets = pgbox_octets_alloc(message_range->size);
	range->message_id = message_range->message_id;
	range->offset = message_range->offset;
	range->wanted_size = wanted_size;
	range->last_used = ++cache->clock;
	return range;
}

/* Has the database begin to read the next chunk, once whole ones are read. */
static void
range_start_next(struct pgbox_range_cache *cache,
		 const struct pgbox_message_range *last, size_t wanted_size,
		 uoff_t message_size)
{
	const struct pgbox_message_request request = { .range = &cache->coming };

	i_assert(cache->started == NULL);
	if (wanted_size < PGBOX_CHUNK_BYTES ||
	    last->offset + last->size == message_size)
		return;
	cache->coming = *last;
	cache->coming.offset += last->size;
	cache->coming.size = range_fit_to_chunk(PGBOX_CHUNK_BYTES, message_size,
						cache->coming.offset);
	cache->started = pgbox_message_start(cache->db, &request);
}

/* Takes over what was read. Frees chunks. Returns 1 and the range, 0 if the
   database doesn't have it, or -1 and the failure. */
static int
range_take(struct pgbox_range_cache *cache,
	   const struct pgbox_message_range *message_range, size_t wanted_size,
	   struct pgbox_message_chunks **chunks, struct pgbox_range **range_r,
	   struct pgbox_db_failure *failure_r)
{
	struct pgbox_range *range = range_add(cache, message_range, wanted_size);
	int ret;

	ret = pgbox_message_range_get(*chunks, message_range,
				      range->octets->data, failure_r);
	pgbox_message_chunks_free(chunks);
	if (ret <= 0)
		pgbox_octets_unref(&range->octets);
	*range_r = range;
	return ret;
}

/* Takes over the chunk that was started, which another stream may want. Returns 1
   and the range if it has the byte at offset, 0 if not, or -1 and the failure. */
static int
range_take_coming(struct pgbox_range_cache *cache, int64_t message_id,
		  uoff_t message_size, uoff_t offset,
		  struct pgbox_range **range_r,
		  struct pgbox_db_failure *failure_r)
{
	const struct pgbox_message_range coming = cache->coming;
	bool wanted = coming.message_id == message_id &&
		offset >= coming.offset && offset - coming.offset < coming.size;
	struct pgbox_message_chunks *chunks;

	if (pgbox_message_finish_chunks(&cache->started, &chunks,
					failure_r) < 0) {
		/* the deadline is one for both attempts */
		return wanted && failure_r->error == PGBOX_DB_ERROR_TIMEOUT ?
			-1 : 0;
	}
	if (wanted) {
		range_start_next(cache, &coming, PGBOX_CHUNK_BYTES,
				 message_size);
	}
	/* what is broken is read again, which tells why */
	return range_take(cache, &coming, PGBOX_CHUNK_BYTES, &chunks, range_r,
			  failure_r) > 0 && wanted ? 1 : 0;
}

static int
range_read(struct pgbox_range_cache *cache, int64_t message_id,
	   uoff_t message_size, uoff_t offset, struct pgbox_range **range_r,
	   struct pgbox_db_failure *failure_r)
{
	size_t wanted_size = range_get_wanted_size(cache, message_id, offset);
	const struct pgbox_message_range message_range = {
		.account_id = cache->account_id,
		.message_id = message_id,
		.offset = offset,
		.size = range_fit_to_chunk(wanted_size, message_size, offset),
	};
	const struct pgbox_message_request request = { .range = &message_range };
	struct pgbox_message_chunks *chunks;

	if (pgbox_message_read(cache->db, &request, &chunks, failure_r) < 0)
		return -1;
	range_start_next(cache, &message_range, wanted_size, message_size);
	return range_take(cache, &message_range, wanted_size, &chunks, range_r,
			  failure_r);
}

int pgbox_range_cache_read(struct pgbox_range_cache *cache, int64_t message_id,
			   uoff_t message_size, uoff_t offset,
			   struct pgbox_octets **octets_r, uoff_t *start_r,
			   struct pgbox_db_failure *failure_r)
{
	struct pgbox_range *range;
	int ret;

	i_assert(offset < message_size);

	if (cache->started != NULL)
		pgbox_db_exec_look(cache->started);
	range = range_find(cache, message_id, offset);
	if (range == NULL) {
		ret = cache->started == NULL ? 0 :
			range_take_coming(cache, message_id, message_size,
					  offset, &range, failure_r);
		if (ret == 0) {
			ret = range_read(cache, message_id, message_size,
					 offset, &range, failure_r);
		}
		if (ret <= 0)
			return ret;
	}
	range->last_used = ++cache->clock;
	*octets_r = range->octets;
	*start_r = range->offset;
	return 1;
}
