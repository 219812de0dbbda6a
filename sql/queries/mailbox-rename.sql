-- Parameters:
--   account_id bigint
--   old_name text
--   new_name text
--   leave_empty boolean: a mailbox of the old name
select pgbox.mailbox_rename(:parameters)
