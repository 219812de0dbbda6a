-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   user_name text: '' for shared entries
--   prefix text
-- Columns:
--   key text
select a.key
from pgbox.mailbox_attribute a
where a.account_id = :account_id
    and a.mailbox_id = :mailbox_id
    and a.user_name = :user_name
    and starts_with(a.key, :prefix)
order by a.key
