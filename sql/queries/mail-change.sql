-- Parameters: see the function.
-- Columns: MODSEQ, whether anything changed, UIDs of conflicts.
select
    c.r_modseq,
    c.r_changed,
    c.r_conflict_uids
from pgbox.mail_change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) c
