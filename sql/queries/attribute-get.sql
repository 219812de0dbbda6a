-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   user_name text: '' for a shared entry
--   key text
-- Columns:
--   value bytea
--   changed_at bigint: seconds since 1970
select
    a.value,
    extract(epoch from a.changed_at)::bigint as changed_at
from pgbox.mailbox_attribute a
where a.account_id = :account_id
    and a.mailbox_id = :mailbox_id
    and a.user_name = :user_name
    and a.key = :key
