-- Several small messages whole.
-- $1 account, $2 message ids
-- Columns: message_id, chunk number, octets in it, whether the next column is a
-- zstd frame of them, what is stored.
select
    u.message_id,
    c.n,
    c.size,
    octet_length(c.data) < c.size,
    c.data
from unnest($2::bigint[]) u (message_id)
-- "offset" makes it look up message by message: without statistics the planner
-- believes that reading the whole account is cheaper.
cross join lateral (
    select
        x.n,
        x.size,
        x.data
    from pgbox.message_chunk x
    where x.account_id = $1
        and x.message_id = u.message_id
    offset 0
) c
order by u.message_id, c.n
