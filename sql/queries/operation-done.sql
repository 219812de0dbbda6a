-- $1 account, $2 mailbox, $3 lowest UID, $4 lowest MODSEQ, $5 operation,
-- $6 GUIDs
-- Columns: done, UIDVALIDITY, UIDs.
select
    d.r_done,
    d.r_uid_validity,
    d.r_uids
from pgbox.operation_done($1, $2, $3, $4, $5, $6) d
