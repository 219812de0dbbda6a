-- Repeatable: the second run sets the same again.
-- Parameters:
--   account_id bigint
--   user_name text: the subscriber
--   name text
--   subscribe boolean
select pgbox.subscription_set(:parameters)
