-- $1 account, $2 message_id
select pgbox.upload_abort($1, $2)
