-- One mailbox with its counters: open, STATUS.
-- $1 account, $2 name
-- Columns: mailbox_id, guid, selectable, uid_validity, uid_next, modseq,
-- messages, unseen, bytes, recent, first_recent_uid, name, epoch (0 while
-- mailbox_enter_epoch() has to be called first), number of keywords.
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
    and b.name = $2
    and b.deleted_at is null
