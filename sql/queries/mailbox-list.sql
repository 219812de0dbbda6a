-- All mailboxes of an account with their counters: LIST, LIST-STATUS, quota.
-- $1 account
-- Columns: see mailbox-by-name.
select
    b.mailbox_id,
    b.guid,
    b.selectable,
    b.uid_validity,
    b.uid_next,
    b.modseq,
    b.messages,
    b.unseen,
    b.bytes,
    b.recent,
    b.first_recent_uid,
    b.name,
    b.epoch,
    b.keywords
from pgbox.mailbox_state b
where b.account_id = $1
order by b.name
