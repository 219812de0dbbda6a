-- $1 account, $2 mailbox, $3 HIGHESTMODSEQ, $4 UIDNEXT, $5 number of keywords
-- and $6 epoch that the local index has
-- Columns: see the function.
select
    s.kind,
    s.uid,
    s.modseq,
    s.flags,
    s.keyword_ids,
    s.guid,
    s.numbers,
    s.keyword_names
from pgbox.mailbox_sync($1, $2, $3, $4, $5, $6) s
