-- Parameters:
--   account_id bigint
--   message_id bigint
select pgbox.upload_abort(:parameters)
