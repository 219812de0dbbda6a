/* Lists mailboxes from the rows of one query. Flags are those that LAYOUT=fs
   gives. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "imap-match.h"
#include "unichar.h"
#include "pgbox-compat.h"
#include "pgbox-storage.h"
#include "pgbox-list-private.h"
#ifdef PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
#  include "mailbox-list-subscriptions.h"
#endif

struct pgbox_list_iterate_context {
	struct mailbox_list_iterate_context ctx;
	/* own reference; NULL if they could not be read */
	struct pgbox_list_rows *rows;
	/* the next row, and the one behind the last to look at */
	unsigned int row_idx, row_end;

	/* what was returned last */
	struct mailbox_info info;
	pool_t info_pool;

	/* INBOX was returned, or must not be */
	bool inbox_done;
	bool inbox_has_children;
	bool prefix_inbox_done;
};

#define PGBOX_LIST_ITER(s) \
	(container_of(s, struct pgbox_list_iterate_context, ctx))

static bool
list_row_has_children(const struct pgbox_list_rows *rows, const char *name)
{
	const char *prefix = t_strconcat(name, "/", NULL);
	const struct pgbox_mailbox_row *row;
	unsigned int idx = pgbox_list_rows_find(rows, prefix);

	if (idx == array_count(&rows->rows))
		return FALSE;
	row = array_idx(&rows->rows, idx);
	return strncmp(row->name, prefix, strlen(prefix)) == 0;
}

/* Most lookups are for a single name: these need not go through all rows. */
static void
list_iter_set_range(struct pgbox_list_iterate_context *ctx,
		    const char *const *patterns)
{
	struct mailbox_list *list = ctx->ctx.list;
	const struct mail_namespace *ns = list->ns;
	const char *name;

	ctx->row_end = array_count(&ctx->rows->rows);
	if (patterns[0] == NULL || patterns[1] != NULL ||
	    strpbrk(patterns[0], "*%") != NULL ||
	    ns->type == MAIL_NAMESPACE_TYPE_SHARED ||
	    strncmp(patterns[0], ns->prefix, ns->prefix_len) != 0 ||
	    strncasecmp(patterns[0], "INBOX", 5) == 0 ||
	    !uni_utf8_str_is_valid(patterns[0]))
		return;

	name = mailbox_list_get_storage_name(list, patterns[0]);
	ctx->row_idx = pgbox_list_rows_find(ctx->rows, name);
	ctx->row_end = I_MIN(ctx->row_idx + 1, ctx->row_end);
}

static struct mailbox_list_iterate_context *
list_iter_init_rows(struct mailbox_list *list, const char *const *patterns,
		    enum mailbox_list_iter_flags flags,
		    struct pgbox_list_rows *rows)
{
	struct pgbox_list_iterate_context *ctx;
	pool_t pool;

	pool = pool_alloconly_create("pgbox list iter", 1024);
	ctx = p_new(pool, struct pgbox_list_iterate_context, 1);
	ctx->ctx.pool = pool;
	ctx->ctx.list = list;
	ctx->ctx.flags = flags;
	ctx->ctx.glob = imap_match_init_multiple(pool, patterns, TRUE,
					mail_namespace_get_sep(list->ns));
	array_create(&ctx->ctx.module_contexts, pool, sizeof(void *), 5);
	ctx->info.ns = list->ns;
	ctx->info_pool = pool_alloconly_create("pgbox list iter info", 256);

	ctx->rows = rows;
	if (rows == NULL) {
		ctx->ctx.failed = TRUE;
	} else T_BEGIN {
		list_iter_set_range(ctx, patterns);
		pgbox_list_clean_up_local(list, rows);
	} T_END;
	return &ctx->ctx;
}

#ifdef PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
/* lib-storage goes through the subscriptions and starts an iteration for each
   name to get its flags: our rows answer them all. */
static struct mailbox_list_iterate_context *
list_iter_init_subscriptions(struct mailbox_list *list,
			     const char *const *patterns,
			     enum mailbox_list_iter_flags flags)
{
	struct mailbox_list_iterate_context *ctx;
	struct pgbox_list_rows *rows = NULL;
	bool failed = FALSE;

	if ((flags & MAILBOX_LIST_ITER_RETURN_NO_FLAGS) == 0 ||
	    (flags & MAILBOX_LIST_ITER_RETURN_CHILDREN) != 0)
		failed = pgbox_list_rows_get(list, &rows) < 0;
	/* the list keeps them while there are iterations */
	pgbox_list_rows_unref(&rows);

	ctx = mailbox_list_subscriptions_iter_init(list, patterns, flags);
	if (failed)
		ctx->failed = TRUE;
	return ctx;
}
#endif

struct mailbox_list_iterate_context *
pgbox_list_iter_init(struct mailbox_list *list, const char *const *patterns,
		     enum mailbox_list_iter_flags flags)
{
	struct pgbox_list_rows *rows;

#ifdef PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
	if ((flags & MAILBOX_LIST_ITER_SELECT_SUBSCRIBED) != 0) {
		struct mailbox_list_iterate_context *ctx =
			list_iter_init_subscriptions(list, patterns, flags);

		PGBOX_MAILBOX_LIST(list)->iter_count++;
		return ctx;
	}
#endif
	if (pgbox_list_rows_get(list, &rows) < 0)
		rows = NULL;
	PGBOX_MAILBOX_LIST(list)->iter_count++;
	return list_iter_init_rows(list, patterns, flags, rows);
}

/* The user's INBOX has fixed flags. */
static void list_iter_set_inbox_flags(struct pgbox_list_iterate_context *ctx)
{
	ctx->info.flags &= ENUM_NEGATE(MAILBOX_NOSELECT | MAILBOX_NONEXISTENT);
	if (mail_namespace_is_inbox_noinferiors(ctx->info.ns)) {
		ctx->info.flags &= ENUM_NEGATE(MAILBOX_CHILDREN |
					       MAILBOX_NOCHILDREN);
		ctx->info.flags |= MAILBOX_NOINFERIORS;
	}
}

/* Returns TRUE for a name like "Inbox/x": clients take it for a child of the
   user's INBOX, and it can't be reached by it. */
static bool
list_iter_is_inbox_miswritten(struct mail_namespace *ns, const char *vname)
{
	return (ns->flags & NAMESPACE_FLAG_INBOX_USER) != 0 &&
		ns->prefix_len == 0 &&
		strncasecmp(vname, "INBOX", 5) == 0 &&
		strncmp(vname, "INBOX", 5) != 0 &&
		(vname[5] == '\0' || vname[5] == mail_namespace_get_sep(ns));
}

/* INBOX comes with the account, before anybody has use for it. dsync is not told
   of it then: it would have to bring two INBOXes with different GUIDs together,
   which not all storages can. It makes this one when it needs it. */
static bool
list_iter_is_inbox_unmade(const struct pgbox_list_iterate_context *ctx,
			  const struct pgbox_mailbox_row *row)
{
	const enum mailbox_list_iter_flags dsync_flags =
		MAILBOX_LIST_ITER_SKIP_ALIASES |
		MAILBOX_LIST_ITER_NO_AUTO_BOXES;

	return (ctx->ctx.flags & dsync_flags) == dsync_flags &&
		row->modseq <= 1 && row->uid_next <= 1 &&
		(ctx->ctx.list->ns->flags & NAMESPACE_FLAG_INBOX_USER) != 0;
}

/* Returns TRUE if the row is to be returned, in ctx->info. */
static bool
list_iter_row(struct pgbox_list_iterate_context *ctx,
	      const struct pgbox_mailbox_row *row)
{
	struct mailbox_list *list = ctx->ctx.list;
	struct mail_namespace *ns = list->ns;
	const char *vname = mailbox_list_get_vname(list, row->name);
	bool is_inbox = (ns->flags & NAMESPACE_FLAG_INBOX_ANY) != 0 &&
		strcmp(row->name, "INBOX") == 0;

	if (!uni_utf8_str_is_valid(vname) ||
	    list_iter_is_inbox_miswritten(ns, vname))
		return FALSE;

	ctx->info.vname = p_strdup(ctx->info_pool, vname);
	ctx->info.flags = row->selectable ? MAILBOX_SELECT : MAILBOX_NOSELECT;
	ctx->info.flags |= list_row_has_children(ctx->rows, row->name) ?
		MAILBOX_CHILDREN : MAILBOX_NOCHILDREN;
	if (is_inbox) {
		ctx->inbox_done = TRUE;
		ctx->inbox_has_children =
			(ctx->info.flags & MAILBOX_CHILDREN) != 0;
		list_iter_set_inbox_flags(ctx);
		if (list_iter_is_inbox_unmade(ctx, row))
			return FALSE;
	} else if ((ctx->info.flags & (MAILBOX_NOSELECT |
				       MAILBOX_NOCHILDREN)) ==
		   (MAILBOX_NOSELECT | MAILBOX_NOCHILDREN) &&
		   PGBOX_COMPAT_LIST_NO_NOSELECT(list)) {
		return FALSE;
	}
	return imap_match(ctx->ctx.glob, vname) == IMAP_MATCH_YES;
}

/* Behind the rows: what the client has to see besides. */
static bool list_iter_extra(struct pgbox_list_iterate_context *ctx)
{
	const struct mail_namespace *ns = ctx->info.ns;

	if (ctx->inbox_has_children && ns->prefix_len > 0 &&
	    (ns->flags & NAMESPACE_FLAG_INBOX_USER) != 0 &&
	    !ctx->prefix_inbox_done) {
		/* the parent of INBOX's children, which are listed below the
		   namespace's prefix */
		ctx->prefix_inbox_done = TRUE;
		ctx->info.flags = MAILBOX_CHILDREN | MAILBOX_NONEXISTENT;
		ctx->info.vname = p_strconcat(ctx->info_pool, ns->prefix,
					      "INBOX", NULL);
		if (imap_match(ctx->ctx.glob, ctx->info.vname) ==
		    IMAP_MATCH_YES)
			return TRUE;
	}
	if (!ctx->inbox_done && !ctx->ctx.failed &&
	    (ns->flags & NAMESPACE_FLAG_INBOX_USER) != 0 &&
	    (ctx->ctx.flags & MAILBOX_LIST_ITER_NO_AUTO_BOXES) == 0 &&
	    imap_match(ctx->ctx.glob, "INBOX") == IMAP_MATCH_YES) {
		/* it was renamed, or the account is older than the
		   namespace's inbox=yes: it is created when it is used */
		ctx->inbox_done = TRUE;
		ctx->info.flags = MAILBOX_NOCHILDREN;
		ctx->info.vname = "INBOX";
		list_iter_set_inbox_flags(ctx);
		return TRUE;
	}
	return FALSE;
}

static bool list_iter_next_info(struct pgbox_list_iterate_context *ctx)
{
	const struct mail_namespace *ns = ctx->info.ns;
	bool ret;

	while (ctx->row_idx < ctx->row_end) {
		p_clear(ctx->info_pool);
		T_BEGIN {
			ret = list_iter_row(ctx, array_idx(&ctx->rows->rows,
							   ctx->row_idx));
		} T_END;
		ctx->row_idx++;
		/* A shared user's INBOX may have the name of the namespace,
		   which is listed already. */
		if (ret && (ns->type != MAIL_NAMESPACE_TYPE_SHARED ||
			    strlen(ctx->info.vname) >= ns->prefix_len))
			return TRUE;
	}
	p_clear(ctx->info_pool);
	return list_iter_extra(ctx);
}

const struct mailbox_info *
pgbox_list_iter_next(struct mailbox_list_iterate_context *_ctx)
{
	struct pgbox_list_iterate_context *ctx;

#ifdef PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
	if ((_ctx->flags & MAILBOX_LIST_ITER_SELECT_SUBSCRIBED) != 0)
		return mailbox_list_subscriptions_iter_next(_ctx);
#endif
	ctx = PGBOX_LIST_ITER(_ctx);
	if (_ctx->failed)
		return NULL;
	if (!list_iter_next_info(ctx))
		return mailbox_list_iter_default_next(_ctx);
#ifdef PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
	if ((_ctx->flags & MAILBOX_LIST_ITER_RETURN_SUBSCRIBED) != 0) {
		mailbox_list_set_subscription_flags(_ctx->list,
						    ctx->info.vname,
						    &ctx->info.flags);
	}
#endif
	return &ctx->info;
}

int pgbox_list_iter_deinit(struct mailbox_list_iterate_context *_ctx)
{
	struct pgbox_mailbox_list *list = PGBOX_MAILBOX_LIST(_ctx->list);
	struct pgbox_list_iterate_context *ctx;
	int ret = _ctx->failed ? -1 : 0;

	i_assert(list->iter_count > 0);
	list->iter_count--;

#ifdef PGBOX_COMPAT_LIST_ITER_SUBSCRIPTIONS
	if ((_ctx->flags & MAILBOX_LIST_ITER_SELECT_SUBSCRIBED) != 0)
		return mailbox_list_subscriptions_iter_deinit(_ctx);
#endif
	ctx = PGBOX_LIST_ITER(_ctx);
	pgbox_list_rows_unref(&ctx->rows);
	pool_unref(&ctx->info_pool);
	pool_unref(&_ctx->pool);
	return ret;
}
