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
    case
        when b.first_recent_uid < b.uid_next then (
            select count(*)
            from pgbox.mail m
            where m.account_id = b.account_id
                and m.mailbox_id = b.mailbox_id
                and m.uid >= b.first_recent_uid
        )
        else 0
    end,
    b.first_recent_uid,
    b.name,
    case
        when b.epoch = (
            select e.epoch
            from pgbox.epoch e
            where e.timeline = pgbox.current_timeline()
        ) then b.epoch
        else 0
    end,
    b.keywords
from pgbox.mailbox b
where b.account_id = $1
    and b.deleted_at is null
order by b.name
