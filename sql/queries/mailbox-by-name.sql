-- One mailbox with its counters: open, STATUS.
-- $1 account, $2 name
-- Columns: those of the view.
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
    and b.name = $2
