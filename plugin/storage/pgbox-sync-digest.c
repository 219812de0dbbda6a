/* A digest of what the index says of its mails: a sum of one number for each, so
   that a sync only counts what it changes. Bits that flip in a file, which lib-index
   takes for another flag or UID, show when the mailbox is opened. */

#include "lib.h"
#include "array.h"
#include "crc32.h"
#include "mail-index-modseq.h"
#include "mail-index-view-private.h"
#include "pgbox-sync-private.h"

/* Where the records of an index have what counts. Offsets are 0 if they don't have
   it. */
struct pgbox_sync_layout {
	const struct mail_index_map *map;
	unsigned int modseq_offset, keywords_offset, keyword_bytes;
	/* of the names, by their number in the file */
	ARRAY(uint32_t) keyword_crcs;
};

/* Returns a number in which each bit of what it is made of changes half of the
   bits. Constants: Stafford's variant 13 of MurmurHash3's finalizer */
static uint64_t digest_mix(uint32_t uid, uint64_t value)
{
	uint64_t x = value ^ (uid * 0x9e3779b97f4a7c15ULL);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t digest_flags(uint32_t uid, unsigned int flags, uint64_t modseq)
{
	/* the highest bits of a MODSEQ are only used by damage */
	return digest_mix(uid, (modseq << 5 | modseq >> 59) ^
			  (flags & MAIL_FLAGS_NONRECENT));
}

/* A MODSEQ has less than 63 bits: none looks like this. */
static uint64_t digest_keyword(uint32_t uid, uint32_t name_crc)
{
	return digest_mix(uid, ~(uint64_t)name_crc);
}

static unsigned int
layout_get_offset(struct mail_index_map *map, uint32_t ext_id,
		  unsigned int *size_r)
{
	const struct mail_index_ext *ext;
	uint32_t idx;

	*size_r = 0;
	if (!mail_index_map_get_ext_idx(map, ext_id, &idx))
		return 0;
	ext = array_idx(&map->extensions, idx);
	*size_r = ext->record_size;
	return ext->record_offset;
}

struct pgbox_sync_layout *
pgbox_sync_layout_init(pool_t pool, struct mail_index_view *view)
{
	struct mail_index *index = view->index;
	struct mail_index_map *map = view->map;
	struct pgbox_sync_layout *layout =
		p_new(pool, struct pgbox_sync_layout, 1);
	const unsigned int *idx;
	unsigned int size;

	layout->map = map;
	layout->modseq_offset =
		layout_get_offset(map, index->modseq_ext_id, &size);
	if (size != sizeof(uint64_t))
		layout->modseq_offset = 0;
	p_array_init(&layout->keyword_crcs, pool, 8);
	if (!array_is_created(&map->keyword_idx_map))
		return layout;
	layout->keywords_offset =
		layout_get_offset(map, index->keywords_ext_id,
				  &layout->keyword_bytes);
	array_foreach(&map->keyword_idx_map, idx) {
		uint32_t crc = crc32_str(array_idx_elem(&index->keywords, *idx));

		array_push_back(&layout->keyword_crcs, &crc);
	}
	return layout;
}

static uint64_t
layout_get_keywords_digest(const struct pgbox_sync_layout *layout,
			   const struct mail_index_record *rec)
{
	const unsigned char *bytes =
		CONST_PTR_OFFSET(rec, layout->keywords_offset);
	unsigned int i, count = array_count(&layout->keyword_crcs);
	uint64_t digest = 0;

	for (i = 0; i < count && i / 8 < layout->keyword_bytes; i++) {
		if ((bytes[i / 8] & (1 << i % 8)) != 0) {
			digest += digest_keyword(rec->uid,
				*array_idx(&layout->keyword_crcs, i));
		}
	}
	return digest;
}

uint64_t pgbox_sync_digest_record(const struct pgbox_sync_layout *layout,
				  uint32_t seq)
{
	const struct mail_index_record *rec =
		MAIL_INDEX_REC_AT_SEQ(layout->map, seq);
	uint64_t digest, modseq = 0;

	if (layout->modseq_offset != 0) {
		memcpy(&modseq, CONST_PTR_OFFSET(rec, layout->modseq_offset),
		       sizeof(modseq));
	}
	digest = digest_flags(rec->uid, rec->flags, modseq);
	if (layout->keywords_offset != 0)
		digest += layout_get_keywords_digest(layout, rec);
	return digest;
}

uint64_t pgbox_sync_digest_index(struct mail_index_view *view)
{
	const struct pgbox_sync_layout *layout;
	uint64_t digest = 0;
	uint32_t seq, count = view->map->rec_map->records_count;

	T_BEGIN {
		layout = pgbox_sync_layout_init(pool_datastack_create(), view);
		for (seq = 1; seq <= count; seq++)
			digest += pgbox_sync_digest_record(layout, seq);
	} T_END;
	return digest;
}

uint64_t
pgbox_sync_digest_mail(struct mail_index *index, uint32_t uid,
		       unsigned int flags, uint64_t modseq,
		       const ARRAY_TYPE(keyword_indexes) *keywords)
{
	uint64_t digest = digest_flags(uid, flags, modseq);
	const unsigned int *idx;

	array_foreach(keywords, idx) {
		digest += digest_keyword(uid,
			crc32_str(array_idx_elem(&index->keywords, *idx)));
	}
	return digest;
}

void pgbox_sync_digest_remove(struct pgbox_sync_context *ctx, uint32_t seq)
{
	if (!ctx->rows.full)
		ctx->digest -= pgbox_sync_digest_record(ctx->layout, seq);
}
