-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   max_modseq bigint, 0 for null
--   range: rows
--     first bigint
--     last bigint
--     flag_add smallint
--     flag_remove smallint
--     keyword_clear boolean
--   keyword: rows
--     keyword_range integer: number of the range, from 1
--     keyword text
--     keyword_add boolean
--   expunge_uid bigint[]
--   expunge_flags smallint
--   expunge_max_modseq bigint, 0 for null
--   operation bigint
-- Columns:
--   modseq bigint
--   changed boolean
--   conflict_uids bigint[]
--   old_modseq bigint
--   uid_validity bigint
--   uid_next bigint
--   first_recent_uid bigint
--   epoch bigint
--   keywords smallint: how many there are
--   changed_uids bigint[]: first, last, ...
--   expunged_uids bigint[]
--   expunged_guids text[]
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
from pgbox.mail_change(:parameters) c
