-- Parameters: see the function.
-- Columns: those of mail-change.
select
    c.r_modseq,
    c.r_changed,
    c.r_conflict_uids,
    c.r_old_modseq,
    c.r_uid_validity,
    c.r_uid_next,
    c.r_first_recent_uid,
    c.r_epoch,
    c.r_keywords,
    c.r_changed_uids,
    c.r_expunged_uids,
    c.r_expunged_guids
from pgbox.mail_flags_change($1, $2, $3, $4, $5, $6, $7) c
