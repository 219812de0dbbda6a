-- The headers of several messages, each with the byte after it: Dovecot's
-- parser looks at it before it believes that the header has ended.
-- $1 account, $2 message ids
-- Columns: message_id, chunk number, octets.
select
    s.message_id,
    c.n,
    substring(c.data from 1 for (s.header_size + 1 - c.n::bigint * 262144)::int)
from unnest($2::bigint[]) u (message_id)
-- "limit" and "offset" make it look up message by message: without statistics
-- the planner believes that reading the whole account is cheaper.
cross join lateral (
    select
        x.message_id,
        x.header_size
    from pgbox.message x
    where x.account_id = $1
        and x.message_id = u.message_id
    limit 1
) s
cross join lateral (
    select
        x.n,
        x.data
    from pgbox.message_chunk x
    where x.account_id = $1
        and x.message_id = s.message_id
        and x.n <= s.header_size / 262144
    offset 0
) c
order by s.message_id, c.n
