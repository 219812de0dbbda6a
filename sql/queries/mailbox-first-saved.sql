-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
-- Columns:
--   saved_at bigint or null: the earliest, seconds since 1970; null if it is empty
select extract(epoch from min(m.saved_at))::bigint as saved_at
from pgbox.mail m
where m.account_id = :account_id
    and m.mailbox_id = :mailbox_id
