-- Functions and views, by name: "create or replace", so that an upgrade can run
-- them all. check_function_bodies is off meanwhile, the order does not matter.

\ir functions/account-lock.sql
\ir functions/account-open.sql
\ir functions/attribute-set.sql
\ir functions/current-epoch.sql
\ir functions/current-timeline.sql
\ir functions/keyword-ids.sql
\ir functions/mail-change.sql
\ir functions/mail-copy.sql
\ir functions/mail-keywords-change.sql
\ir functions/mail-save.sql
\ir functions/mailbox-claim-recent.sql
\ir functions/mailbox-create.sql
\ir functions/mailbox-delete.sql
\ir functions/mailbox-enter-epoch.sql
\ir functions/mailbox-lock.sql
\ir functions/mailbox-rename.sql
\ir functions/mailbox-restart.sql
\ir functions/mailbox-sync.sql
\ir functions/mailbox-update.sql
\ir functions/mails-expunge.sql
\ir functions/messages-remove.sql
\ir functions/operation-done.sql
\ir functions/purge.sql
\ir functions/raise-epoch.sql
\ir functions/session-begin.sql
\ir functions/subscription-set.sql
\ir functions/uid-validity-next.sql
\ir functions/uids-assign.sql
\ir functions/uids-compress.sql
\ir functions/upload-abort.sql
\ir functions/upload-chunk.sql
\ir views/attachment-view.sql
\ir views/mail-view.sql
\ir views/mailbox-view.sql
