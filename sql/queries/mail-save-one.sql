-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   mail: one row of mail-save
--   min_modseq bigint
--   keyword text[] or null
--   part: rows of mail-save without part_message
--   mailbox_name text or null
--   text_wanted integer
--   sort_folding integer
-- Columns: those of mail-save.
select
    s.r_uid_validity as uid_validity,
    s.r_modseq as modseq,
    s.r_uids as uids
from pgbox.mail_save_one(:parameters) s
