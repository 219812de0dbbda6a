-- The MODSEQ of the next change of a mailbox. What lies between is for Dovecot's
-- local index, which counts 1 for each record that it writes by itself. An
-- expression: the planner puts it in.
-- Parameters: MODSEQ of the mailbox. Returns the MODSEQ.
create or replace function pgbox.modseq_next(p_modseq bigint)
returns bigint
language sql
immutable
parallel safe
return p_modseq + 65536;

comment on function pgbox.modseq_next(bigint) is 'The MODSEQ of the next change of a mailbox.';
