-- One mailbox with its counters: open, STATUS.
-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   name text
-- Columns: those of mailbox-list.
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
where b.account_id = :account_id
    and b.name = :name
