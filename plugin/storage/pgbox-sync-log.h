#ifndef PGBOX_SYNC_LOG_H
#define PGBOX_SYNC_LOG_H

/* What a sync writes to the local transaction log so that its modseqs become
   those of the database exactly.

   lib-index counts modseqs itself: each record that changes something adds 1,
   a MODSEQ_UPDATE record raises the value. An expunge has the value that the
   log has at its place, and QRESYNC's VANISHED is answered by reading the log
   from the place where the client's value was. So the records have to stand in
   the database's order, each expunge behind a record that raises the value to
   one less than its own. A transaction can't express that: its records are
   sorted by type. Therefore it is committed by pgbox_sync_log, which appends
   the raw records behind those that the transaction exports.

   The database leaves gaps of PGBOX_MODSEQ_GAP, so that the few values which
   lib-index counts by itself never reach the next one. */

#include "mail-index-private.h"

struct pgbox_sync_log;

/* Takes over the commit of a sync transaction. Everything else of the
   transaction may be used as usual, but for expunges. */
struct pgbox_sync_log *
pgbox_sync_log_begin(struct mail_index_transaction *trans);

/* Makes a keyword known to the index even if no mail has it, so that keywords
   have the same order on all frontends. */
void pgbox_sync_log_keyword(struct pgbox_sync_log *log, const char *name);
/* Gives a keyword to mails that the transaction appends. */
void pgbox_sync_log_new_keyword(struct pgbox_sync_log *log, const char *name,
				const ARRAY_TYPE(seq_range) *uids);

/* The rest has to be called in ascending order of modseqs, all of them higher
   than the index has; of one modseq, expunges before mails. */
void pgbox_sync_log_modseq(struct pgbox_sync_log *log, uint32_t uid,
			   uint64_t modseq);
void pgbox_sync_log_expunge(struct pgbox_sync_log *log, uint32_t uid,
			    const guid_128_t guid, uint64_t modseq);
/* Expunges with one modseq of UIDs about which nothing else is known. UIDs
   that are not in the index are fine. */
void pgbox_sync_log_expunge_ranges(struct pgbox_sync_log *log,
				   const ARRAY_TYPE(seq_range) *uids,
				   uint64_t modseq);
/* HIGHESTMODSEQ at the end; not lower than the last modseq. */
void pgbox_sync_log_highest_modseq(struct pgbox_sync_log *log,
				   uint64_t modseq);

/* All of it is dsync's own doing: another dsync is not to take it for changes. */
void pgbox_sync_log_set_dsync(struct pgbox_sync_log *log);

/* Where the commit wrote to. Returns FALSE if it wrote nothing. */
bool pgbox_sync_log_get_area(const struct pgbox_sync_log *log,
			     uint32_t *file_seq_r, uoff_t *offset_r,
			     uoff_t *size_r);
void pgbox_sync_log_free(struct pgbox_sync_log **log);

#endif
