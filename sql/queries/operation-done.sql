-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   min_uid bigint: the lowest that it can have given
--   min_modseq bigint
--   operation bigint
--   guid text[]
-- Columns:
--   done boolean
--   uid_validity bigint
--   uids bigint[] or null
select
    d.r_done as done,
    d.r_uid_validity as uid_validity,
    d.r_uids as uids
from pgbox.operation_done(:parameters) d
