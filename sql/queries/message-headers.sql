-- The headers of several messages, each with the byte after it: Dovecot's
-- parser looks at it before it believes that the header has ended.
-- Of what is stored only so much is given that has the header in it: the blocks of
-- a zstd frame that hold it are 128 bytes larger at most (plugin/message/pgbox-chunk.c).
-- Repeatable: it only reads.
-- Parameters: those of message-bodies.
-- Columns: those of message-bodies.
select
    s.message_id,
    c.n,
    c.size,
    octet_length(c.data) < c.size as is_frame,
    substring(c.data from 1 for (s.header_size + 1 - c.n::bigint * 262144)::int + 128) as data
from unnest(:message_ids) u (message_id)
-- "limit" and "offset" make it look up message by message: without statistics
-- the planner believes that reading the whole account is cheaper.
cross join lateral (
    select
        x.message_id,
        x.header_size
    from pgbox.message x
    where x.account_id = :account_id
        and x.message_id = u.message_id
    limit 1
) s
cross join lateral (
    select
        x.n,
        x.size,
        x.data
    from pgbox.message_chunk x
    where x.account_id = :account_id
        and x.message_id = s.message_id
        and x.n <= s.header_size / 262144
    offset 0
) c
order by s.message_id, c.n
