-- How many mails share a message.
-- $1 account, $2 message id
-- Columns: number of mails.
select count(*)
from pgbox.mail m
where m.account_id = $1
    and m.message_id = $2
