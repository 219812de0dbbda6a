-- Repeatable: the second run finds it there.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
select pgbox.mailbox_enter_epoch(:parameters)
