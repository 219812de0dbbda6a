-- $1 account, $2 mailbox, $3 user name or '' for a shared entry, $4 key
-- Columns: value, last change in seconds since 1970.
select
    a.value,
    extract(epoch from a.changed_at)::bigint
from pgbox.mailbox_attribute a
where a.account_id = $1
    and a.mailbox_id = $2
    and a.user_name = $3
    and a.key = $4
