#ifndef PGBOX_SEARCH_H
#define PGBOX_SEARCH_H

/* The search part of the mailbox vtable. */

#include "mail-storage-private.h"

struct mail_search_context *
pgbox_search_init(struct mailbox_transaction_context *t,
		  struct mail_search_args *args,
		  const enum mail_sort_type *sort_program,
		  enum mail_fetch_field wanted_fields,
		  struct mailbox_header_lookup_ctx *wanted_headers);
int pgbox_search_deinit(struct mail_search_context *ctx);
bool pgbox_search_next_nonblock(struct mail_search_context *ctx,
				struct mail **mail_r, bool *tryagain_r);
bool pgbox_search_next_update_seq(struct mail_search_context *ctx);
int pgbox_search_next_match_mail(struct mail_search_context *ctx,
				 struct mail *mail);

#endif
