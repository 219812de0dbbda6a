-- Who may do what. Run by install and by upgrade, so it says everything anew.
-- pgbox_mail runs the functions that change mail and reads what frontends
-- show; pgbox_analyst reads views. Nobody but the owner writes a table.

revoke all on schema pgbox from public, pgbox_mail, pgbox_analyst;
revoke all on all tables in schema pgbox from public, pgbox_mail, pgbox_analyst;
revoke all on all sequences in schema pgbox from public, pgbox_mail, pgbox_analyst;
revoke all on all functions in schema pgbox from public, pgbox_mail, pgbox_analyst;

grant usage on schema pgbox to pgbox_mail, pgbox_analyst;

-- Frontends: what changes mail is a function that checks and locks.
grant execute on function
    pgbox.session_begin,
    pgbox.history_lost,
    pgbox.account_open,
    pgbox.mailbox_create,
    pgbox.mailbox_delete,
    pgbox.mailbox_rename,
    pgbox.mailbox_update,
    pgbox.mailbox_sync,
    pgbox.mailbox_repair,
    pgbox.mailbox_restart,
    pgbox.mailbox_enter_epoch,
    pgbox.mailbox_claim_recent,
    pgbox.subscription_set,
    pgbox.attribute_set,
    pgbox.upload_chunks,
    pgbox.upload_abort,
    pgbox.mail_save,
    pgbox.mail_save_one,
    pgbox.mail_copy,
    pgbox.mail_change,
    pgbox.mail_flags_change,
    pgbox.operation_done,
    pgbox.text_claim,
    pgbox.text_cost,
    pgbox.text_next,
    pgbox.text_store,
    pgbox.purge
to pgbox_mail;

-- Frontends: what sql/queries/ reads without a function.
grant select on
    pgbox.epoch,
    pgbox.schema_version,
    pgbox.account,
    pgbox.mailbox_state,
    pgbox.subscription,
    pgbox.mailbox_attribute,
    pgbox.mail,
    pgbox.expunged,
    pgbox.message,
    pgbox.message_chunk,
    pgbox.message_text,
    pgbox.message_text_queue
to pgbox_mail;

-- Analysts: no body, no key that is a credential, nothing to write.
grant select on
    pgbox.mailbox_view,
    pgbox.mail_view,
    pgbox.attachment_view
to pgbox_analyst;
