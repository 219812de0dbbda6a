-- Repeatable: the second run sets the same again.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   change: rows
--     user_name text: '' for a shared entry
--     key text
--     value bytea or null: to remove it
--     changed_at bigint, 0 for null: seconds since 1970; null is now
select pgbox.attribute_set(:parameters)
