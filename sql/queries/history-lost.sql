-- The local index of this frontend has seen more of the epoch than there is.
-- Repeatable: the second time the epoch is another one.
-- Parameters:
--   epoch bigint
select pgbox.history_lost(:parameters)
