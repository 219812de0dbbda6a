-- Several small messages whole.
-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   message_ids bigint[]
-- Columns:
--   message_id bigint
--   n integer: number of the chunk
--   size integer: octets in it
--   is_frame boolean: whether data is a zstd frame of them
--   data bytea: what is stored
select
    u.message_id,
    c.n,
    c.size,
    octet_length(c.data) < c.size as is_frame,
    c.data
from unnest(:message_ids) u (message_id)
-- "offset" makes it look up message by message: without statistics the planner
-- believes that reading the whole account is cheaper.
cross join lateral (
    select
        x.n,
        x.size,
        x.data
    from pgbox.message_chunk x
    where x.account_id = :account_id
        and x.message_id = u.message_id
    offset 0
) c
order by u.message_id, c.n
