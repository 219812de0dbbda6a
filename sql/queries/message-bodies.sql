-- Several small messages whole.
-- $1 account, $2 message ids
-- Columns: message_id, chunk number, octets.
select
    u.message_id,
    c.n,
    c.data
from unnest($2::bigint[]) u (message_id)
-- "offset" makes it look up message by message: without statistics the planner
-- believes that reading the whole account is cheaper.
cross join lateral (
    select
        x.n,
        x.data
    from pgbox.message_chunk x
    where x.account_id = $1
        and x.message_id = u.message_id
    offset 0
) c
order by u.message_id, c.n
