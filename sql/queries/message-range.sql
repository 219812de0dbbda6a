-- A range inside one chunk of a message.
-- $1 account, $2 message_id, $3 chunk number, $4 first byte in it, from 1,
-- $5 number of bytes, $6 bytes of a zstd frame that are enough for it
-- Columns: whether the next column is the beginning of a zstd frame of the chunk,
-- it or the range itself.
select
    z.is_frame,
    case
        when z.is_frame then substring(c.data from 1 for $6::int)
        else substring(c.data from $4::int for $5::int)
    end
from pgbox.message_chunk c
cross join lateral (select octet_length(c.data) < c.size as is_frame) z
where c.account_id = $1
    and c.message_id = $2
    and c.n = $3
