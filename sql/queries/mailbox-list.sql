-- All mailboxes of an account with their counters: LIST, LIST-STATUS, quota.
-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
-- Columns:
--   mailbox_id bigint
--   guid uuid
--   selectable boolean
--   uid_validity bigint
--   uid_next bigint
--   modseq bigint
--   messages integer
--   unseen integer
--   bytes bigint
--   recent bigint
--   first_recent_uid bigint
--   name text
--   epoch bigint
--   keywords smallint: how many there are
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
order by b.name
