-- $1 account
-- Columns: message_id.
select pgbox.upload_begin($1)
