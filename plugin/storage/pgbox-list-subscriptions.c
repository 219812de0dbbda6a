/* Subscriptions: names that a user wants to see, which need not exist. */

#include "pgbox-config.h"
#include "lib.h"
#include "unichar.h"
#include "mailbox-tree.h"
#include "pgbox-storage.h"
#include "pgbox-list-private.h"

/* A namespace with subscriptions=no keeps its subscriptions in another one,
   under its full names. Returns the storage name of a subscription within
   dest_list, or NULL if it belongs to another namespace. */
static const char *
subscription_name_in(struct mailbox_list *dest_list,
		     struct mailbox_list *src_list, const char *name)
{
	struct mail_namespace *dest_ns = dest_list->ns, *ns;
	const char *full_name =
		t_strconcat(src_list->ns->prefix, name, NULL);

	ns = mail_namespace_find_unsubscribable(dest_ns->user->namespaces,
						full_name);
	if (ns == dest_ns) {
		/* the prefix itself has no name behind it */
		return strlen(full_name) < ns->prefix_len ? "" :
			full_name + ns->prefix_len;
	}
	if (ns != NULL && ns->prefix_len > 0) {
		/* Listed with that namespace. One that shows all users' mail
		   makes those of single users when it is asked for them. */
		if (mail_namespace_is_shared_user_root(ns)) {
			(void)mailbox_list_join_refpattern(ns->list, full_name,
							   "");
		}
		return NULL;
	}
	return (dest_ns->flags & NAMESPACE_FLAG_SUBSCRIPTIONS) != 0 ?
		name : NULL;
}

static void
subscription_add(struct mailbox_list *dest_list,
		 struct mailbox_list *src_list, const char *name)
{
	struct mailbox_node *node;
	const char *vname, *error;
	size_t len;
	bool created;

	name = subscription_name_in(dest_list, src_list, name);
	if (name == NULL)
		return;
	/* "box/" means "box" */
	len = strlen(name);
	if (len > 0 && name[len - 1] == mail_namespace_get_sep(dest_list->ns))
		name = t_strndup(name, len - 1);

	if (!mailbox_list_is_valid_name(dest_list, name, &error))
		return;
	vname = mailbox_list_get_vname(dest_list, name);
	if (!uni_utf8_str_is_valid(vname))
		return;
	node = mailbox_tree_get(dest_list->subscriptions, vname, &created);
	node->flags = MAILBOX_SUBSCRIBED;
}

static int
subscriptions_read(struct mailbox_list *src_list,
		   struct mailbox_list *dest_list)
{
	struct pgbox_storage *storage;
	struct pgbox_db_failure failure;
	const char *const *names;

	if (pgbox_list_open_account(src_list, &storage) < 0) {
		enum mail_error error;
		const char *text =
			mailbox_list_get_last_error(src_list, &error);

		if (error == MAIL_ERROR_NOTFOUND)
			return 0;
		if (src_list != dest_list)
			mailbox_list_set_error(dest_list, error, text);
		return -1;
	}
	if (pgbox_run_subscription_list(storage->db, storage->account_id,
					src_list->ns->user->username,
					pool_datastack_create(), &names,
					&failure) < 0) {
		pgbox_list_set_failure(dest_list, &failure);
		return -1;
	}
	for (; *names != NULL; names++) T_BEGIN {
		subscription_add(dest_list, src_list, *names);
	} T_END;
	return 0;
}

int pgbox_list_subscriptions_refresh(struct mailbox_list *src_list,
				     struct mailbox_list *dest_list)
{
	int ret;

	if (dest_list->subscriptions == NULL) {
		dest_list->subscriptions = mailbox_tree_init(
			mail_namespace_get_sep(dest_list->ns));
	} else {
		mailbox_tree_clear(dest_list->subscriptions);
	}
	T_BEGIN {
		ret = subscriptions_read(src_list, dest_list);
	} T_END;
	return ret;
}

int pgbox_list_set_subscribed(struct mailbox_list *list, const char *name,
			      bool set)
{
	struct pgbox_storage *storage;
	struct pgbox_db_failure failure;
	const char *error;

	if (!pgbox_list_name_is_valid(name, &error)) {
		mailbox_list_set_error(list, MAIL_ERROR_PARAMS, error);
		return -1;
	}
	if (pgbox_list_open_account(list, &storage) < 0)
		return -1;
	if (pgbox_run_subscription_set(storage->db, storage->account_id,
				       list->ns->user->username, name, set,
				       &failure) < 0) {
		pgbox_list_set_failure(list, &failure);
		return -1;
	}
	pgbox_storage_changed(storage, NULL);
	return 0;
}
