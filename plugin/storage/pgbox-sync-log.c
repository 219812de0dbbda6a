/* Writes the log records of a sync, see pgbox-sync-log.h. The only file that
   uses private functions of the transaction log; it does not know where the
   changes come from. Sources: lib-index/mail-index-transaction.c
   (mail_index_transaction_commit_real), mail-transaction-log.h (the records),
   mail-index-modseq.c. */

#include "lib.h"
#include "array.h"
#include "buffer.h"
#include "module-context.h"
#include "seq-range-array.h"
#include "mail-index-private.h"
#include "mail-index-transaction-private.h"
#include "mail-transaction-log-private.h"
#include "pgbox-sync-log.h"

/* A UID that no mail has: changing it adds a keyword's name and nothing else.
   Not the highest number, because dsync counts through ranges of UIDs with a
   32 bit number (dsync-transaction-log-scan.c). */
#define PGBOX_UID_NONE 0xfffffffeU

/* dsync is told that so many UIDs of a range are expunged: mails that were just
   before an epoch began, which forgets the single expunges, are among them. */
#define PGBOX_EXPUNGED_RANGE_UIDS 256

/* precedes each record in the buffers */
struct pgbox_sync_record {
	enum mail_transaction_type type;
	/* bytes that follow */
	uint32_t size;
};

struct pgbox_sync_log {
	union mail_index_transaction_module_context module_ctx;

	/* struct pgbox_sync_record and its data, again and again */
	buffer_t *keywords, *records;
	/* offset of the last record, if one more entry may be added to it */
	size_t open_record;
	bool has_open_record;
	/* the log's modseq after the records */
	uint64_t modseq;
	/* MAIL_TRANSACTION_EXTERNAL, and what else is true of all records */
	enum mail_transaction_type flags;

	uint32_t file_seq;
	uoff_t offset, size;
};

#define PGBOX_SYNC_LOG(trans) \
	MODULE_CONTEXT_REQUIRE(trans, pgbox_sync_log_module)
static MODULE_CONTEXT_DEFINE_INIT(pgbox_sync_log_module,
				  &mail_index_module_register);

static void
buffer_add_records(struct mail_transaction_log_append_ctx *append_ctx,
		   const buffer_t *buf)
{
	struct pgbox_sync_record record;
	size_t pos = 0;

	while (pos < buf->used) {
		memcpy(&record, CONST_PTR_OFFSET(buf->data, pos),
		       sizeof(record));
		pos += sizeof(record);
		mail_transaction_log_append_add(append_ctx, record.type,
			CONST_PTR_OFFSET(buf->data, pos), record.size);
		pos += record.size;
	}
}

static int
sync_log_write(struct pgbox_sync_log *log, struct mail_index_transaction *trans,
	       struct mail_index_transaction_commit_result *result_r)
{
	struct mail_index *index = trans->view->index;
	struct mail_transaction_log_append_ctx *append_ctx;
	uint32_t file_seq1, file_seq2;
	uoff_t offset1, offset2;

	/* the sync holds the log's lock */
	i_assert(index->log_sync_locked);
	if (mail_transaction_log_append_begin(index, log->flags,
					      &append_ctx) < 0)
		return -1;
	(void)mail_index_map(index, MAIL_INDEX_SYNC_HANDLER_HEAD);
	append_ctx->new_highest_modseq =
		index->log->head->sync_highest_modseq;
	T_BEGIN {
		buffer_add_records(append_ctx, log->keywords);
		mail_index_transaction_finish(trans);
		mail_index_transaction_export(trans, append_ctx,
					      &result_r->changes_mask);
		buffer_add_records(append_ctx, log->records);
	} T_END;

	mail_transaction_log_get_head(index->log, &file_seq1, &offset1);
	if (mail_transaction_log_append_commit(&append_ctx) < 0)
		return -1;
	mail_transaction_log_get_head(index->log, &file_seq2, &offset2);
	i_assert(file_seq1 == file_seq2);

	result_r->commit_size = offset2 - offset1;
	log->file_seq = file_seq1;
	log->offset = offset1;
	log->size = offset2 - offset1;
	return 0;
}

static int
sync_log_commit(struct mail_index_transaction *trans,
		struct mail_index_transaction_commit_result *result_r)
{
	struct pgbox_sync_log *log = PGBOX_SYNC_LOG(trans);
	struct mail_index *index = trans->view->index;
	int ret;

	ret = sync_log_write(log, trans, result_r);
	mail_transaction_log_get_head(index->log, &result_r->log_file_seq,
				      &result_r->log_file_offset);
	mail_index_transaction_unref(&trans);
	return ret;
}

struct pgbox_sync_log *
pgbox_sync_log_begin(struct mail_index_transaction *trans)
{
	struct pgbox_sync_log *log = i_new(struct pgbox_sync_log, 1);

	log->keywords = buffer_create_dynamic(default_pool, 128);
	log->records = buffer_create_dynamic(default_pool, 512);
	log->flags = MAIL_TRANSACTION_EXTERNAL;
	MODULE_CONTEXT_SET(trans, pgbox_sync_log_module, log);
	trans->v.commit = sync_log_commit;
	/* commit also if there are only raw records */
	trans->log_updates = TRUE;
	return log;
}

void pgbox_sync_log_free(struct pgbox_sync_log **_log)
{
	struct pgbox_sync_log *log = *_log;

	if (log == NULL)
		return;
	*_log = NULL;
	buffer_free(&log->keywords);
	buffer_free(&log->records);
	i_free(log);
}

static void
record_add(buffer_t *buf, enum mail_transaction_type type,
	   const void *data, uint32_t size)
{
	struct pgbox_sync_record record = { .type = type, .size = size };

	buffer_append(buf, &record, sizeof(record));
	buffer_append(buf, data, size);
}

/* Adds an entry to the last record if that is of the same type. */
static void
entry_add(struct pgbox_sync_log *log, enum mail_transaction_type type,
	  const void *data, uint32_t size)
{
	struct pgbox_sync_record *record;

	if (log->has_open_record) {
		record = buffer_get_space_unsafe(log->records, log->open_record,
						 sizeof(*record));
		if (record->type == type) {
			record->size += size;
			buffer_append(log->records, data, size);
			return;
		}
	}
	log->open_record = log->records->used;
	log->has_open_record = TRUE;
	record_add(log->records, type, data, size);
}

static void
modseq_entry_add(struct pgbox_sync_log *log, uint32_t uid, uint64_t modseq)
{
	struct mail_transaction_modseq_update entry = {
		.uid = uid,
		.modseq_low32 = modseq & 0xffffffff,
		.modseq_high32 = modseq >> 32,
	};

	entry_add(log, MAIL_TRANSACTION_MODSEQ_UPDATE, &entry, sizeof(entry));
}

static void
keyword_add(buffer_t *records, const char *name,
	    const ARRAY_TYPE(seq_range) *uids,
	    enum mail_transaction_type flags)
{
	struct mail_transaction_keyword_update update = {
		.modify_type = MODIFY_ADD,
		.name_size = strlen(name),
	};
	const struct seq_range *range;
	buffer_t *buf = t_buffer_create(128);

	buffer_append(buf, &update, sizeof(update));
	buffer_append(buf, name, update.name_size);
	while (buf->used % sizeof(uint32_t) != 0)
		buffer_append_c(buf, 0);
	array_foreach(uids, range) {
		buffer_append(buf, &range->seq1, sizeof(range->seq1));
		buffer_append(buf, &range->seq2, sizeof(range->seq2));
	}
	record_add(records, MAIL_TRANSACTION_KEYWORD_UPDATE | flags,
		   buf->data, buf->used);
}

void pgbox_sync_log_keyword(struct pgbox_sync_log *log, const char *name)
{
	ARRAY_TYPE(seq_range) uids;

	T_BEGIN {
		t_array_init(&uids, 1);
		seq_range_array_add(&uids, PGBOX_UID_NONE);
		keyword_add(log->keywords, name, &uids, 0);
	} T_END;
}

void pgbox_sync_log_new_keyword(struct pgbox_sync_log *log, const char *name,
				const ARRAY_TYPE(seq_range) *uids)
{
	i_assert(!log->has_open_record);

	/* the flag of dsync's own changes, which it passes over */
	T_BEGIN {
		keyword_add(log->records, name, uids, MAIL_TRANSACTION_SYNC);
	} T_END;
}

void pgbox_sync_log_modseq(struct pgbox_sync_log *log, uint32_t uid,
			   uint64_t modseq)
{
	i_assert(modseq >= log->modseq);

	modseq_entry_add(log, uid, modseq);
	log->modseq = modseq;
}

/* Raises the log's value so that the expunge that follows counts to modseq. */
static void expunge_begin(struct pgbox_sync_log *log, uint64_t modseq)
{
	i_assert(modseq >= log->modseq);

	if (modseq > log->modseq) {
		modseq_entry_add(log, 0, modseq - 1);
		log->has_open_record = FALSE;
	} else {
		/* one more expunge of the same change: a record of its own
		   would count one too far */
		struct pgbox_sync_record *record;

		i_assert(log->has_open_record);
		record = buffer_get_space_unsafe(log->records, log->open_record,
						 sizeof(*record));
		i_assert(record->type == MAIL_TRANSACTION_EXPUNGE_GUID);
	}
	log->modseq = modseq;
}

void pgbox_sync_log_expunge(struct pgbox_sync_log *log, uint32_t uid,
			    const guid_128_t guid, uint64_t modseq)
{
	struct mail_transaction_expunge_guid entry = { .uid = uid };

	memcpy(entry.guid_128, guid, sizeof(entry.guid_128));
	expunge_begin(log, modseq);
	entry_add(log, MAIL_TRANSACTION_EXPUNGE_GUID, &entry, sizeof(entry));
}

static void
expunge_ranges_add(struct pgbox_sync_log *log, bool heads,
		   const ARRAY_TYPE(seq_range) *uids, uint64_t modseq)
{
	enum mail_transaction_type type = MAIL_TRANSACTION_EXPUNGE;
	const struct seq_range *range;

	if (!heads)
		type |= MAIL_TRANSACTION_EXPUNGE_PROT | MAIL_TRANSACTION_SYNC;
	array_foreach(uids, range) {
		struct mail_transaction_expunge entry = {
			.uid1 = range->seq1,
			.uid2 = range->seq2,
		};

		if (heads) {
			entry.uid2 = I_MIN(entry.uid2, entry.uid1 +
					   PGBOX_EXPUNGED_RANGE_UIDS - 1);
		} else if (seq_range_length(range) > PGBOX_EXPUNGED_RANGE_UIDS)
			entry.uid1 += PGBOX_EXPUNGED_RANGE_UIDS;
		else
			continue;
		if (log->modseq < modseq)
			expunge_begin(log, modseq);
		entry_add(log, type, &entry, sizeof(entry));
	}
	log->has_open_record = FALSE;
}

void pgbox_sync_log_expunge_ranges(struct pgbox_sync_log *log,
				   const ARRAY_TYPE(seq_range) *uids,
				   uint64_t modseq)
{
	/* Most UIDs of a long range never existed: an epoch has leapt over
	   them. Clients can be told so, but dsync would handle each of them.
	   It passes over what has the flag of its own changes. */
	expunge_ranges_add(log, FALSE, uids, modseq - 1);
	expunge_ranges_add(log, TRUE, uids, modseq);
}

void pgbox_sync_log_highest_modseq(struct pgbox_sync_log *log, uint64_t modseq)
{
	i_assert(modseq >= log->modseq);

	if (modseq > log->modseq)
		modseq_entry_add(log, 0, modseq);
	log->modseq = modseq;
}

void pgbox_sync_log_set_dsync(struct pgbox_sync_log *log)
{
	log->flags |= MAIL_TRANSACTION_SYNC;
}

bool pgbox_sync_log_get_area(const struct pgbox_sync_log *log,
			     uint32_t *file_seq_r, uoff_t *offset_r,
			     uoff_t *size_r)
{
	*file_seq_r = log->file_seq;
	*offset_r = log->offset;
	*size_r = log->size;
	return log->size > 0;
}
