-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   mail: rows
--     source_account_id bigint
--     source_mailbox_id bigint
--     source_uid bigint
--     move boolean
--     flag_add smallint
--     flag_remove smallint
--     saved_at bigint: seconds since 1970
--     uid bigint: wanted, or 0
--     pop3_uidl text or null
--     pop3_order bigint, 0 for null
--   min_modseq bigint
--   keyword: rows
--     keyword_message integer: place of the mail, from 1
--     keyword text
--     keyword_add boolean
--   operation bigint
--   mailbox_name text or null
-- Columns: those of mail-save.
select
    c.r_uid_validity as uid_validity,
    c.r_modseq as modseq,
    c.r_uids as uids
from pgbox.mail_copy(:parameters) c
