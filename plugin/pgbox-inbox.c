/* Remembers where users' INBOX is in the database. Knows nothing of what is in
   it. */

#include "pgbox-config.h"
#include "lib.h"
#include "hash.h"
#include "mail-namespace.h"
#include "mailbox-list-private.h"
#include "pgbox-storage.h"
#include "pgbox-inbox.h"

/* Then all are forgotten: a process that serves so many users would not gain
   much by remembering the right ones. */
#define PGBOX_INBOX_MAX_COUNT 1000

struct pgbox_inbox {
	/* own */
	char *key;
	int64_t account_id;
	/* the row of the database; uid_next and modseq are lower bounds */
	int64_t mailbox_id;
	guid_128_t guid;
	uint32_t uid_validity, uid_next;
	uint64_t modseq;
};

static HASH_TABLE(char *, struct pgbox_inbox *) inboxes;

static bool inbox_is(const struct pgbox_mailbox *mbox)
{
	return mbox->box.inbox_user;
}

static const char *inbox_key(const struct pgbox_storage *storage)
{
	return t_strconcat(storage->account_name, "\n", storage->set->dsn,
			   NULL);
}

static void inbox_free(struct pgbox_inbox *inbox)
{
	i_free(inbox->key);
	i_free(inbox);
}

static struct pgbox_inbox *inbox_find(const struct pgbox_storage *storage)
{
	return hash_table_is_created(inboxes) ?
		hash_table_lookup(inboxes, inbox_key(storage)) : NULL;
}

bool pgbox_inbox_get(struct pgbox_mailbox *mbox)
{
	const struct pgbox_inbox *inbox;

	if (!inbox_is(mbox))
		return FALSE;
	inbox = inbox_find(mbox->storage);
	if (inbox == NULL ||
	    (mbox->storage->account_id != 0 &&
	     mbox->storage->account_id != inbox->account_id))
		return FALSE;
	mbox->storage->account_id = inbox->account_id;
	mbox->mailbox_id = inbox->mailbox_id;
	guid_128_copy(mbox->guid, inbox->guid);
	mbox->uid_validity = inbox->uid_validity;
	mbox->uid_next = inbox->uid_next;
	mbox->modseq = inbox->modseq;
	return TRUE;
}

bool pgbox_inbox_get_guid(struct mailbox_list *list, const char *name,
			  guid_128_t guid_r)
{
	struct mail_storage *storage;
	const struct pgbox_inbox *inbox;

	if (strcmp(name, "INBOX") != 0 ||
	    (list->ns->flags & NAMESPACE_FLAG_INBOX_USER) == 0)
		return FALSE;
	storage = mail_namespace_get_default_storage(list->ns);
	if (storage == NULL || strcmp(storage->name, PGBOX_STORAGE_NAME) != 0)
		return FALSE;
	inbox = inbox_find(PGBOX_STORAGE(storage));
	if (inbox == NULL)
		return FALSE;
	guid_128_copy(guid_r, inbox->guid);
	return TRUE;
}

void pgbox_inbox_remember(const struct pgbox_mailbox *mbox)
{
	struct pgbox_inbox *inbox;

	if (!inbox_is(mbox))
		return;
	inbox = inbox_find(mbox->storage);
	if (inbox == NULL) {
		if (hash_table_is_created(inboxes) &&
		    hash_table_count(inboxes) >= PGBOX_INBOX_MAX_COUNT)
			pgbox_inbox_deinit();
		if (!hash_table_is_created(inboxes)) {
			hash_table_create(&inboxes, default_pool, 0, str_hash,
					  strcmp);
		}
		inbox = i_new(struct pgbox_inbox, 1);
		inbox->key = i_strdup(inbox_key(mbox->storage));
		hash_table_insert(inboxes, inbox->key, inbox);
	}
	inbox->account_id = mbox->storage->account_id;
	inbox->mailbox_id = mbox->mailbox_id;
	guid_128_copy(inbox->guid, mbox->guid);
	inbox->uid_validity = mbox->uid_validity;
	inbox->uid_next = mbox->uid_next;
	inbox->modseq = mbox->modseq;
}

void pgbox_inbox_forget(struct pgbox_mailbox *mbox)
{
	struct pgbox_inbox *inbox = inbox_find(mbox->storage);

	if (inbox != NULL) {
		hash_table_remove(inboxes, inbox->key);
		inbox_free(inbox);
	}
	mbox->storage->account_id = 0;
	mbox->mailbox_id = 0;
}

void pgbox_inbox_deinit(void)
{
	struct hash_iterate_context *iter;
	struct pgbox_inbox *inbox;
	char *key;

	if (!hash_table_is_created(inboxes))
		return;
	iter = hash_table_iterate_init(inboxes);
	while (hash_table_iterate(iter, inboxes, &key, &inbox))
		inbox_free(inbox);
	hash_table_iterate_deinit(&iter);
	hash_table_destroy(&inboxes);
}
