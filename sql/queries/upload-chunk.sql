-- $1 account, $2 message_id or null for the first chunk, $3 chunk number,
-- $4 octets
-- Columns: message_id.
select pgbox.upload_chunk($1, $2, $3, $4)
