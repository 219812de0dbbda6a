-- A range inside one chunk of a message.
-- $1 account, $2 message_id, $3 chunk number, $4 first byte in it, from 1,
-- $5 number of bytes
-- Columns: octets.
select substring(c.data from $4::int for $5::int)
from pgbox.message_chunk c
where c.account_id = $1
    and c.message_id = $2
    and c.n = $3
