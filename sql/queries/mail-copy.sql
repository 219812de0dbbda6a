-- Parameters: see the function.
-- Columns: UIDVALIDITY, MODSEQ, UIDs.
select
    c.r_uid_validity,
    c.r_modseq,
    c.r_uids
from pgbox.mail_copy($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) c
