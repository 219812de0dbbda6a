-- How many mails share a message.
-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   message_id bigint
-- Columns:
--   mails bigint
select count(*) as mails
from pgbox.mail m
where m.account_id = :account_id
    and m.message_id = :message_id
