-- Repeatable: the second run does the same again.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
select pgbox.mailbox_restart(:parameters)
