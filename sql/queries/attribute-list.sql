-- $1 account, $2 mailbox, $3 user name or '' for shared entries, $4 prefix
-- Columns: key.
select a.key
from pgbox.mailbox_attribute a
where a.account_id = $1
    and a.mailbox_id = $2
    and a.user_name = $3
    and starts_with(a.key, $4)
order by a.key
