-- The headers of several messages, each with the byte after it: Dovecot's
-- parser looks at it before it believes that the header has ended.
-- $1 account, $2 message ids
-- Columns: message_id, chunk number, octets.
select
    c.message_id,
    c.n,
    substring(c.data from 1 for (s.header_size + 1 - c.n::bigint * 262144)::int)
from pgbox.message s
join pgbox.message_chunk c
    on c.account_id = s.account_id
    and c.message_id = s.message_id
    and c.n <= s.header_size / 262144
where s.account_id = $1
    and s.message_id = any ($2)
order by c.message_id, c.n
