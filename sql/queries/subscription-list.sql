-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   user_name text: the subscriber
-- Columns:
--   name text
select s.name
from pgbox.subscription s
where s.account_id = :account_id
    and s.user_name = :user_name
order by s.name
