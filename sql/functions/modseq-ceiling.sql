-- The lowest MODSEQ that changes can have, see modseq_next(), and that is not below
-- another one. An expression: the planner puts it in.
-- Parameters: any MODSEQ, or null. Returns the MODSEQ, or null.
create or replace function pgbox.modseq_ceiling(p_modseq bigint)
returns bigint
language sql
immutable
parallel safe
return (p_modseq + 65535) / 65536 * 65536;

comment on function pgbox.modseq_ceiling(bigint) is 'The lowest MODSEQ that changes can have, and that is not below another one.';
