-- $1 account, $2 message_id or null for the first chunks, $3 number of the first
-- of them, $4 octets in it, $5 what is stored of it, $6 ... $11 the same of up to
-- three more, or nulls
-- Columns: message_id.
select pgbox.upload_chunks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
