-- $1 account, $2 mailbox
-- Columns: the earliest save date, seconds since 1970; null if it is empty.
select extract(epoch from min(m.saved_at))::bigint
from pgbox.mail m
where m.account_id = $1
    and m.mailbox_id = $2
