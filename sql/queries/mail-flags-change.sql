-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   max_modseq bigint, 0 for null
--   uid bigint
--   flag_add smallint
--   flag_remove smallint
--   operation bigint
-- Columns: those of mail-change.
select
    c.r_modseq as modseq,
    c.r_changed as changed,
    c.r_conflict_uids as conflict_uids,
    c.r_old_modseq as old_modseq,
    c.r_uid_validity as uid_validity,
    c.r_uid_next as uid_next,
    c.r_first_recent_uid as first_recent_uid,
    c.r_epoch as epoch,
    c.r_keywords as keywords,
    c.r_changed_uids as changed_uids,
    c.r_expunged_uids as expunged_uids,
    c.r_expunged_guids as expunged_guids
from pgbox.mail_flags_change(:parameters) c
