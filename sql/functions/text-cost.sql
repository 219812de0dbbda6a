-- Tells the planner what comparing a text with a key costs. To it LIKE is as cheap as
-- comparing two numbers, but the texts lie out of line, some kilobytes each: without
-- this it would rather read all texts of an account than ask the index, wherever it takes
-- the account for small. Searches say "folding = $5 or text_cost(...)": it is
-- counted for each row, and run for no row but those of another folding.
-- Parameters: the message. Returns false. Locks and tables: none.
create or replace function pgbox.text_cost(p_message_id bigint)
returns boolean
language plpgsql
immutable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
-- In units of cpu_operator_cost. Much more would have searches compiled, which
-- takes longer than they do (jit_above_cost).
cost 2000
as $$
begin
    return false;
end
$$;

comment on function pgbox.text_cost(bigint) is 'False; tells the planner what comparing a text costs.';
