-- A range inside one chunk of a message.
-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   message_id bigint
--   n integer: number of the chunk
--   first_byte integer: in it, from 1
--   bytes integer
--   frame_bytes integer: so many of a zstd frame are enough for it
-- Columns:
--   is_frame boolean: whether data is the beginning of a zstd frame of the chunk
--   data bytea: it, or the range itself
select
    z.is_frame,
    case
        when z.is_frame then substring(c.data from 1 for :frame_bytes)
        else substring(c.data from :first_byte for :bytes)
    end as data
from pgbox.message_chunk c
cross join lateral (select octet_length(c.data) < c.size as is_frame) z
where c.account_id = :account_id
    and c.message_id = :message_id
    and c.n = :n
