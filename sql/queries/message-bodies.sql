-- Several small messages whole.
-- $1 account, $2 message ids
-- Columns: message_id, chunk number, octets.
select
    c.message_id,
    c.n,
    c.data
from pgbox.message_chunk c
where c.account_id = $1
    and c.message_id = any ($2)
order by c.message_id, c.n
