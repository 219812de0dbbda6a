-- Repeatable: the second run removes others.
-- Parameters:
--   account_id bigint
--   retention bigint: seconds
--   max_messages integer: to remove
-- Columns:
--   removed bigint: number of rows; 0 when all is done
select pgbox.purge(
    p_account_id => :account_id,
    p_retention => make_interval(secs => :retention),
    p_history => greatest(interval '90 days', make_interval(secs => :retention)),
    p_limit => :max_messages
) as removed
