-- Null leaves a value as it is.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   uid_validity bigint, 0 for null
--   min_uid_next bigint, 0 for null
--   min_first_recent_uid bigint, 0 for null
--   min_modseq bigint, 0 for null
--   guid uuid or null
select pgbox.mailbox_update(:parameters)
