-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   name text: that it must have
select pgbox.mailbox_delete(:parameters)
