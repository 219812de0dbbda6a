/* Collects extracted texts. Knows nothing of where they come from. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "str.h"
#include "pgbox-message-text.h"
#include "pgbox-query-text.h"
#include "pgbox-text-batch.h"

struct pgbox_text_batch {
	/* own */
	ARRAY(struct pgbox_message_text *) texts;
	ARRAY(struct pgbox_text_row) rows;
	size_t bytes;
};

static size_t text_get_bytes(const struct pgbox_message_text *text)
{
	return (text->header == NULL ? 0 : str_len(text->header)) +
		(text->body == NULL ? 0 : str_len(text->body));
}

static void batch_clear(struct pgbox_text_batch *batch)
{
	struct pgbox_message_text *text;

	array_foreach_elem(&batch->texts, text) {
		pgbox_message_text_free(text);
		i_free(text);
	}
	array_clear(&batch->texts);
	array_clear(&batch->rows);
	batch->bytes = 0;
}

void pgbox_text_batch_add(struct pgbox_text_batch *batch, int64_t account_id,
			  int64_t message_id,
			  const struct pgbox_message_text *text)
{
	struct pgbox_message_text *copy = i_new(struct pgbox_message_text, 1);
	struct pgbox_text_row *row;

	*copy = *text;
	array_push_back(&batch->texts, &copy);
	row = array_append_space(&batch->rows);
	row->account_id = account_id;
	row->message_id = message_id;
	row->text = copy;
	batch->bytes += text_get_bytes(copy);
}

bool pgbox_text_batch_is_full(const struct pgbox_text_batch *batch)
{
	return batch->bytes >= PGBOX_TEXT_BATCH_BYTES;
}

int pgbox_text_batch_store(struct pgbox_text_batch *batch, struct pgbox_db *db,
			   unsigned int *stored,
			   struct pgbox_db_failure *failure_r)
{
	unsigned int count;
	const struct pgbox_text_row *rows = array_get(&batch->rows, &count);
	int ret;

	if (count == 0)
		return 0;
	ret = pgbox_run_text_store(db, rows, count, failure_r);
	if (ret == 0)
		*stored += count;
	batch_clear(batch);
	return ret;
}

struct pgbox_text_batch *pgbox_text_batch_init(void)
{
	struct pgbox_text_batch *batch = i_new(struct pgbox_text_batch, 1);

	i_array_init(&batch->texts, 64);
	i_array_init(&batch->rows, 64);
	return batch;
}

void pgbox_text_batch_deinit(struct pgbox_text_batch **_batch)
{
	struct pgbox_text_batch *batch = *_batch;

	*_batch = NULL;
	batch_clear(batch);
	array_free(&batch->texts);
	array_free(&batch->rows);
	i_free(batch);
}
