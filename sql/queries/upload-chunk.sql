-- $1 account, $2 message_id, $3 chunk number, $4 octets
select pgbox.upload_chunk($1, $2, $3, $4)
