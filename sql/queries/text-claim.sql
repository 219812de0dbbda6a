-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   max_uid bigint
--   bodies boolean: whether they are wanted
--   limit integer
--   max_bytes bigint
-- Columns:
--   message_id bigint
--   uid bigint
select
    c.message_id,
    c.uid
from pgbox.text_claim(:parameters) c
order by c.uid
