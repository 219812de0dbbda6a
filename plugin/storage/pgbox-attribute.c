/* METADATA in the database. Knows nothing of dicts: the setting
   mail_attribute_dict only makes imap offer METADATA. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "buffer.h"
#include "istream.h"
#include "pgbox-query-mailbox.h"
#include "pgbox-storage.h"
#include "pgbox-transaction.h"
#include "mailbox-attribute-private.h"

struct pgbox_attribute_iter {
	struct mailbox_attribute_iter iter;
	pool_t pool;
	const char *const *keys;
	/* of the prefix, which is not returned */
	size_t prefix_len;
	bool failed;
};

static bool attribute_key_is_valid(const char *key)
{
	return pgbox_db_text_is_valid(key, strlen(key));
}

/* Whose attributes: private ones belong to the user who is logged in, also in
   another user's mailbox; shared ones to the mailbox. */
static const char *
attribute_user(struct mailbox *box, enum mail_attribute_type type_flags)
{
	switch (type_flags & MAIL_ATTRIBUTE_TYPE_MASK) {
	case MAIL_ATTRIBUTE_TYPE_PRIVATE:
		return box->storage->user->username;
	case MAIL_ATTRIBUTE_TYPE_SHARED:
		return "";
	}
	i_unreached();
}

/* Attributes that are no METADATA of the client's choice may be used only when
   METADATA is enabled, as with other storages. */
static int
attribute_begin(struct mailbox *box, enum mail_attribute_type type_flags)
{
	if ((type_flags & MAIL_ATTRIBUTE_TYPE_FLAG_VALIDATED) != 0) {
		mail_storage_set_error(box->storage, MAIL_ERROR_NOTPOSSIBLE,
				       "Generic mailbox attributes not enabled");
		return -1;
	}
	return pgbox_mailbox_lookup(PGBOX_MAILBOX(box)) > 0 ? 0 : -1;
}

static void
attribute_set_failure(struct pgbox_mailbox *mbox,
		      const struct pgbox_db_failure *failure)
{
	if (failure->error == PGBOX_DB_ERROR_NOT_FOUND)
		pgbox_mailbox_set_gone(mbox);
	else
		pgbox_mailbox_set_failure(mbox, failure);
}

/*
 * Setting
 */

static int
attribute_read_stream(struct mailbox *box, struct istream *input,
		      buffer_t *value)
{
	const unsigned char *data;
	size_t size;

	i_stream_seek(input, 0);
	while (i_stream_read_more(input, &data, &size) > 0) {
		buffer_append(value, data, size);
		i_stream_skip(input, size);
	}
	if (input->stream_errno == 0)
		return 0;
	mailbox_set_critical(box, "read(%s) failed: %s",
			     i_stream_get_name(input),
			     i_stream_get_error(input));
	return -1;
}

static int
attribute_copy_value(struct mailbox *box, pool_t pool,
		     const struct mail_attribute_value *value,
		     struct pgbox_attribute_value *value_r)
{
	buffer_t *data = t_buffer_create(128);

	i_zero(value_r);
	value_r->changed_at = value->last_change;
	if (value->value_stream != NULL) {
		if (attribute_read_stream(box, value->value_stream, data) < 0)
			return -1;
	} else if (value->value != NULL) {
		buffer_append(data, value->value, strlen(value->value));
	} else {
		return 0;
	}
	/* never NULL, also for an empty value */
	value_r->size = data->used;
	value_r->data = data->used == 0 ? (const void *)"" :
		p_memdup(pool, data->data, data->used);
	return 0;
}

/* The transaction's last word on an attribute counts. */
static struct pgbox_attribute_change *
attribute_change_get(struct pgbox_transaction *pt, const char *user_name,
		     const char *key)
{
	struct pgbox_attribute_change *change;

	if (!array_is_created(&pt->attributes))
		p_array_init(&pt->attributes, pt->pool, 4);
	array_foreach_modifiable(&pt->attributes, change) {
		if (strcmp(change->user_name, user_name) == 0 &&
		    strcmp(change->key, key) == 0)
			return change;
	}
	change = array_append_space(&pt->attributes);
	change->user_name = p_strdup(pt->pool, user_name);
	change->key = p_strdup(pt->pool, key);
	return change;
}

static int
attribute_set(struct mailbox_transaction_context *t,
	      enum mail_attribute_type type_flags, const char *key,
	      const struct mail_attribute_value *value)
{
	struct pgbox_transaction *pt = pgbox_transaction_get(t);
	struct pgbox_attribute_value copy;

	if (attribute_begin(t->box, type_flags) < 0)
		return -1;
	if (!attribute_key_is_valid(key)) {
		mail_storage_set_error(t->box->storage, MAIL_ERROR_PARAMS,
				       "Invalid attribute name");
		return -1;
	}
	if (attribute_copy_value(t->box, pt->pool, value, &copy) < 0)
		return -1;
	attribute_change_get(pt, attribute_user(t->box, type_flags),
			     key)->value = copy;
	return 0;
}

int pgbox_attribute_set(struct mailbox_transaction_context *t,
			enum mail_attribute_type type_flags, const char *key,
			const struct mail_attribute_value *value)
{
	int ret;

	T_BEGIN {
		ret = attribute_set(t, type_flags, key, value);
	} T_END;
	return ret;
}

int pgbox_attribute_commit(struct mailbox_transaction_context *t)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(t->box);
	struct pgbox_transaction *pt = pgbox_transaction_get(t);
	struct pgbox_db_failure failure;

	if (!array_is_created(&pt->attributes))
		return 0;
	if (pgbox_run_attribute_set(mbox->storage->db,
				    mbox->known.id.account_id,
				    mbox->known.id.mailbox_id, &pt->attributes,
				    &failure) < 0) {
		attribute_set_failure(mbox, &failure);
		return -1;
	}
	return 0;
}

/*
 * Getting
 */

int pgbox_attribute_get(struct mailbox *box,
			enum mail_attribute_type type_flags, const char *key,
			struct mail_attribute_value *value_r)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	struct pgbox_attribute_value value;
	struct pgbox_db_failure failure;
	bool stream =
		(value_r->flags & MAIL_ATTRIBUTE_VALUE_FLAG_INT_STREAMS) != 0;
	int ret;

	if (attribute_begin(box, type_flags) < 0)
		return -1;
	if (!attribute_key_is_valid(key))
		return 0;
	ret = pgbox_run_attribute_get(mbox->storage->db,
				      mbox->known.id.account_id,
				      mbox->known.id.mailbox_id,
				      attribute_user(box, type_flags), key,
				      pool_datastack_create(), &value,
				      &failure);
	if (ret < 0)
		attribute_set_failure(mbox, &failure);
	if (ret <= 0)
		return ret;

	value_r->last_change = value.changed_at;
	if (memchr(value.data, '\0', value.size) == NULL)
		value_r->value = (const char *)value.data;
	else if (stream) {
		value_r->value_stream =
			i_stream_create_copy_from_data(value.data, value.size);
	} else {
		mail_storage_set_error(box->storage, MAIL_ERROR_PARAMS,
				       "Attribute string value has NULs");
		return -1;
	}
	return 1;
}

/*
 * Iterating
 */

struct mailbox_attribute_iter *
pgbox_attribute_iter_init(struct mailbox *box,
			  enum mail_attribute_type type_flags,
			  const char *prefix)
{
	struct pgbox_mailbox *mbox = PGBOX_MAILBOX(box);
	struct pgbox_attribute_iter *iter;
	struct pgbox_db_failure failure;
	pool_t pool;

	pool = pool_alloconly_create("pgbox attribute iter", 512);
	iter = p_new(pool, struct pgbox_attribute_iter, 1);
	iter->iter.box = box;
	iter->pool = pool;
	iter->prefix_len = strlen(prefix);

	if (attribute_begin(box, type_flags) < 0) {
		/* not an error, as with other storages: there are none */
		iter->failed = mailbox_get_last_mail_error(box) !=
			MAIL_ERROR_NOTPOSSIBLE;
	} else if (attribute_key_is_valid(prefix) &&
		   pgbox_run_attribute_list(mbox->storage->db,
					    mbox->known.id.account_id,
					    mbox->known.id.mailbox_id,
					    attribute_user(box, type_flags),
					    prefix, pool, &iter->keys,
					    &failure) < 0) {
		attribute_set_failure(mbox, &failure);
		iter->failed = TRUE;
	}
	return &iter->iter;
}

const char *pgbox_attribute_iter_next(struct mailbox_attribute_iter *_iter)
{
	struct pgbox_attribute_iter *iter =
		container_of(_iter, struct pgbox_attribute_iter, iter);

	if (iter->keys == NULL || *iter->keys == NULL)
		return NULL;
	return *iter->keys++ + iter->prefix_len;
}

int pgbox_attribute_iter_deinit(struct mailbox_attribute_iter *_iter)
{
	struct pgbox_attribute_iter *iter =
		container_of(_iter, struct pgbox_attribute_iter, iter);
	int ret = iter->failed ? -1 : 0;

	pool_unref(&iter->pool);
	return ret;
}
