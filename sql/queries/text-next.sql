-- Parameters:
--   limit integer
--   bytes bigint
-- Columns:
--   account_id bigint
--   message_id bigint
--   size bigint
--   bodies boolean: whether they are wanted
--   failed boolean: whether it was given up
--   mime_parts bytea
--   data bytea or null: message_chunk.data of a small one
select
    n.account_id,
    n.message_id,
    n.size,
    n.bodies,
    n.failed,
    n.mime_parts,
    n.data
from pgbox.text_next(:parameters) n
