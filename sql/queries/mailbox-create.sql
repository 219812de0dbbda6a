-- Parameters:
--   account_id bigint
--   name text
--   guid uuid
--   selectable boolean
--   uid_validity bigint, 0 for null
--   min_modseq bigint, 0 for null
select pgbox.mailbox_create(:parameters)
