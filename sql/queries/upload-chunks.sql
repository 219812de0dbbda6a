-- $1 account, $2 message_id or null for the first chunks, $3 number of the first
-- of them, $4 octets in each, $5 what is stored of each
-- Columns: message_id.
select pgbox.upload_chunks($1, $2, $3, $4, $5)
