#ifndef PGBOX_QUERY_TEXT_H
#define PGBOX_QUERY_TEXT_H

/* Text of messages: extracting it, searching in it; and sorting. All functions return 0,
   or -1 and the failure. */

#include "pgbox-query-mail.h"

struct pgbox_message_text;
struct pgbox_query;
struct pgbox_search_group;

/* A message whose text this process is to extract now */
struct pgbox_text_claim {
	int64_t message_id;
	/* in the mailbox it was asked for */
	uint32_t uid;
};
ARRAY_DEFINE_TYPE(pgbox_text_claim, struct pgbox_text_claim);

/* Appends at most limit claims in the order of their UIDs. Their messages have
   max_bytes octets together, but the first one can be larger. */
int pgbox_run_text_claim(struct pgbox_db *db,
			 const struct pgbox_mailbox_id *id, uint32_t max_uid,
			 bool bodies, unsigned int limit, uint64_t max_bytes,
			 ARRAY_TYPE(pgbox_text_claim) *claims,
			 struct pgbox_db_failure *failure_r);

/* queued_r: whether there is anything to be claimed, now or later */
int pgbox_run_text_queued(struct pgbox_db *db,
			  const struct pgbox_mailbox_id *id, bool bodies,
			  bool *queued_r, struct pgbox_db_failure *failure_r);

/* A message of any account whose text this process is to extract now */
struct pgbox_text_item {
	int64_t account_id, message_id;
	uoff_t size;
	bool want_body;
	/* It ended the processes that read it: nobody reads it any more. */
	bool failed;
	/* Dovecot's cache field of this name; NULL if the database doesn't have
	   it */
	const unsigned char *mime_parts;
	size_t mime_parts_size;
	/* the whole message; NULL if it is large, or broken */
	const unsigned char *data;
};
ARRAY_DEFINE_TYPE(pgbox_text_item, struct pgbox_text_item);

/* Appends at most limit messages, and those that failed, with their bytes from
   the pool. max_bytes limits their sizes without that of the last one. */
int pgbox_run_text_next(struct pgbox_db *db, unsigned int limit,
			size_t max_bytes, pool_t pool,
			ARRAY_TYPE(pgbox_text_item) *items,
			struct pgbox_db_failure *failure_r);

struct pgbox_text_row {
	int64_t account_id, message_id;
	const struct pgbox_message_text *text;
};

int pgbox_run_text_store(struct pgbox_db *db,
			 const struct pgbox_text_row *rows, unsigned int count,
			 struct pgbox_db_failure *failure_r);

struct pgbox_search_range {
	uint32_t first_uid, last_uid;
	struct pgbox_db_patience patience;
};

/* Appends the UIDs that were found, and those about which nothing is known,
   each in ascending order. */
int pgbox_run_search(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		     const struct pgbox_search_group *group,
		     const struct pgbox_search_range *range,
		     ARRAY_TYPE(pgbox_int64) *found,
		     ARRAY_TYPE(pgbox_int64) *unknown,
		     struct pgbox_db_failure *failure_r);

/* Sorts mails: query is of pgbox_sort_sql_compile(), wanted_uids NULL if it takes
   none. Appends UIDs in order, and the values of their first key; usable_r is FALSE
   if the order may be wrong. */
int pgbox_run_sort(struct pgbox_db *db, const struct pgbox_mailbox_id *id,
		   const struct pgbox_query *query,
		   const struct pgbox_search_range *range, int32_t folding,
		   const ARRAY_TYPE(pgbox_int64) *wanted_uids,
		   ARRAY_TYPE(pgbox_int64) *uids,
		   ARRAY_TYPE(pgbox_int64) *values, bool *usable_r,
		   struct pgbox_db_failure *failure_r);

#endif
