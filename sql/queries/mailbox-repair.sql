-- Mends what makes no sense in a mailbox, but for octets whose checksum would have to be
-- computed.
-- Repeatable: the second run finds nothing.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
-- Columns:
--   problem text: what was wrong
select r.problem
from pgbox.mailbox_repair(:parameters) r
