/* Extracts text of mails after they were delivered: takes some from the queue,
   reads them, stores their text. Knows nothing of how keys are matched. */

#include "pgbox-config.h"
#include "lib.h"
#include "array.h"
#include "istream.h"
#include "time-util.h"
#include "mail-user.h"
#include "pgbox-storage.h"
#include "pgbox-message-text.h"
#include "pgbox-query-text.h"
#include "pgbox-text-batch.h"
#include "pgbox-text.h"

/* Taken from the queue at once: what a process that is killed keeps others from
   for a minute */
#define CLAIM_COUNT 50
/* Who has a deadline takes no more than about half a second's work, most of
   which is the database's: it indexes some 2 MB of text in a second. */
#define CLAIM_MAX_BYTES (1024 * 1024)

struct text_filler {
	struct pgbox_mailbox *mbox;
	struct mailbox_transaction_context *trans;
	struct mail *mail;
	struct pgbox_text_settings set;
	/* of the messages claimed at once */
	uint64_t claim_max_bytes;

	/* own; read, but not stored yet */
	struct pgbox_text_batch *batch;
	unsigned int stored;
};

static int filler_store(struct text_filler *filler)
{
	struct pgbox_db_failure failure;

	if (pgbox_text_batch_store(filler->batch, filler->mbox->storage->db,
				   &filler->stored, &failure) < 0) {
		pgbox_mailbox_set_failure(filler->mbox, &failure);
		return -1;
	}
	return 0;
}

/* Returns 1, 0 if the mail can't be read now, -1 on failure. */
static int
filler_read(struct text_filler *filler, struct pgbox_message_text *text_r)
{
	struct mail *mail = filler->mail;
	struct message_part *parts;
	struct istream *input;
	int ret;

	if (mail_get_parts(mail, &parts) < 0 ||
	    mail_get_stream_because(mail, NULL, NULL, "search text",
				    &input) < 0)
		return mail->expunged ? 0 : -1;
	ret = pgbox_message_text_read(input, parts, &filler->set, text_r);
	if (ret < 0 && input->stream_errno == 0) {
		/* the parts are wrong: without them, as Dovecot does */
		ret = pgbox_message_text_read(input, NULL, &filler->set,
					      text_r);
	}
	if (ret < 0)
		return mail->expunged ? 0 : -1;
	return 1;
}

static int
filler_add(struct text_filler *filler, const struct pgbox_text_claim *claim)
{
	struct pgbox_message_text text;
	int ret;

	/* not in this view (any more): later */
	if (!mail_set_uid(filler->mail, claim->uid))
		return 0;
	if ((ret = filler_read(filler, &text)) <= 0)
		return ret;

	pgbox_text_batch_add(filler->batch,
			     filler->mbox->known.id.account_id,
			     claim->message_id, &text);
	return !pgbox_text_batch_is_full(filler->batch) ? 0 :
		filler_store(filler);
}

/* Returns 1 if there may be more, 0 if not, -1 on failure. */
static int filler_next(struct text_filler *filler)
{
	struct pgbox_mailbox *mbox = filler->mbox;
	const struct mail_index_header *hdr =
		mail_index_get_header(mbox->box.view);
	const struct pgbox_text_claim *claim;
	ARRAY_TYPE(pgbox_text_claim) claims;
	struct pgbox_db_failure failure;
	int ret = 0;

	t_array_init(&claims, CLAIM_COUNT);
	if (pgbox_run_text_claim(mbox->storage->db, &mbox->known.id, hdr->next_uid - 1,
				 filler->set.want_body, CLAIM_COUNT,
				 filler->claim_max_bytes, &claims, &failure) < 0) {
		pgbox_mailbox_set_failure(mbox, &failure);
		return -1;
	}
	array_foreach(&claims, claim) {
		T_BEGIN {
			ret = filler_add(filler, claim);
		} T_END;
		if (ret < 0)
			return -1;
	}
	if (filler_store(filler) < 0)
		return -1;
	return array_count(&claims) > 0 ? 1 : 0;
}

int pgbox_text_fill(struct pgbox_mailbox *mbox, unsigned int msecs,
		    bool *stored_r)
{
	struct text_filler filler = {
		.mbox = mbox,
		.set = {
			.normalizer =
				mbox->box.storage->user->default_normalizer,
			.want_body = mbox->storage->set->search_text ==
				PGBOX_SEARCH_TEXT_YES,
			.max_bytes = PGBOX_TEXT_MAX_BYTES,
		},
		.claim_max_bytes = msecs == 0 ? INT64_MAX : CLAIM_MAX_BYTES,
	};
	uint64_t deadline = i_microseconds() + msecs * (uint64_t)1000;
	int ret;

	*stored_r = FALSE;
	if (mbox->storage->set->search_text == PGBOX_SEARCH_TEXT_NO)
		return 0;

	filler.batch = pgbox_text_batch_init();
	filler.trans = mailbox_transaction_begin(&mbox->box, 0, "search text");
	filler.mail = mail_alloc(filler.trans, MAIL_FETCH_MESSAGE_PARTS |
				 MAIL_FETCH_STREAM_HEADER |
				 MAIL_FETCH_STREAM_BODY, NULL);
	do {
		T_BEGIN {
			ret = filler_next(&filler);
		} T_END;
	} while (ret > 0 && (msecs == 0 || i_microseconds() < deadline));
	pgbox_text_batch_deinit(&filler.batch);
	mail_free(&filler.mail);
	mailbox_transaction_rollback(&filler.trans);
	*stored_r = filler.stored > 0;
	return ret < 0 ? -1 : 0;
}
