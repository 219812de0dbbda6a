/* Remembers where mailboxes are in the database. Knows nothing of what is in
   them. */

#include "pgbox-config.h"
#include "lib.h"
#include "hash.h"
#include "pgbox-storage.h"
#include "pgbox-destination.h"

/* Then all are forgotten: a process that serves so many would not gain much by
   remembering the right ones. */
#define PGBOX_DESTINATION_MAX_COUNT 1000

struct pgbox_destination {
	/* own */
	char *key;
	struct pgbox_mailbox_known known;
};

static HASH_TABLE(char *, struct pgbox_destination *) destinations;

static const char *
destination_key(const struct pgbox_storage *storage, const char *name)
{
	return t_strconcat(storage->account_name, "\n", name, "\n",
			   storage->set->dsn, NULL);
}

static void destination_free(struct pgbox_destination *dest)
{
	i_free(dest->key);
	i_free(dest);
}

static struct pgbox_destination *
destination_find(const struct pgbox_storage *storage, const char *name)
{
	return hash_table_is_created(destinations) ?
		hash_table_lookup(destinations,
				  destination_key(storage, name)) : NULL;
}

/* A delivery puts the message elsewhere if the mailbox that it opens is not
   there; only INBOX is made anew. A client hears it at the end as well as now. */
static bool may_fail_later(const struct pgbox_mailbox *mbox)
{
	return mbox->box.inbox_user ||
		(mbox->box.flags & MAILBOX_FLAG_POST_SESSION) == 0;
}

static const struct pgbox_destination *
destination_find_usable(const struct pgbox_mailbox *mbox)
{
	const struct pgbox_destination *dest;

	if (!may_fail_later(mbox))
		return NULL;
	dest = destination_find(mbox->storage, mbox->box.name);
	return dest == NULL ||
		(mbox->storage->account_id != 0 &&
		 mbox->storage->account_id != dest->known.id.account_id) ?
		NULL : dest;
}

bool pgbox_destination_get(struct pgbox_mailbox *mbox)
{
	const struct pgbox_destination *dest = destination_find_usable(mbox);

	if (dest == NULL)
		return FALSE;
	mbox->known = dest->known;
	return TRUE;
}

bool pgbox_destination_get_guid(const struct pgbox_mailbox *mbox,
				guid_128_t guid_r)
{
	const struct pgbox_destination *dest = destination_find_usable(mbox);

	if (dest == NULL)
		return FALSE;
	guid_128_copy(guid_r, dest->known.guid);
	return TRUE;
}

static struct pgbox_destination *
destination_create(const struct pgbox_storage *storage, const char *name)
{
	struct pgbox_destination *dest;

	if (hash_table_is_created(destinations) &&
	    hash_table_count(destinations) >= PGBOX_DESTINATION_MAX_COUNT)
		pgbox_destination_deinit();
	if (!hash_table_is_created(destinations)) {
		hash_table_create(&destinations, default_pool, 0, str_hash,
				  strcmp);
	}
	dest = i_new(struct pgbox_destination, 1);
	dest->key = i_strdup(destination_key(storage, name));
	hash_table_insert(destinations, dest->key, dest);
	return dest;
}

void pgbox_destination_remember(const struct pgbox_mailbox *mbox)
{
	struct pgbox_destination *dest =
		destination_find(mbox->storage, mbox->box.name);

	if (dest == NULL)
		dest = destination_create(mbox->storage, mbox->box.name);
	dest->known = mbox->known;
}

void pgbox_destination_forget(struct pgbox_mailbox *mbox)
{
	struct pgbox_destination *dest =
		destination_find(mbox->storage, mbox->box.name);

	if (dest != NULL) {
		hash_table_remove(destinations, dest->key);
		destination_free(dest);
	}
	i_zero(&mbox->known);
}

void pgbox_destination_deinit(void)
{
	struct hash_iterate_context *iter;
	struct pgbox_destination *dest;
	char *key;

	if (!hash_table_is_created(destinations))
		return;
	iter = hash_table_iterate_init(destinations);
	while (hash_table_iterate(iter, destinations, &key, &dest))
		destination_free(dest);
	hash_table_iterate_deinit(&iter);
	hash_table_destroy(&destinations);
}
