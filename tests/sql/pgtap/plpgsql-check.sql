-- What only running a function would show: names and types in its statements,
-- variables that nobody reads. plpgsql_check reads them without running any.
begin;
set local search_path = tap, public;
-- It wants to be loaded before any function runs.
create extension plpgsql_check schema tap;
select plan(2);

create temporary view finding as
select c.*
from pg_proc p
join pg_language l on l.oid = p.prolang
cross join lateral plpgsql_check_function_tb(p.oid) c
where p.pronamespace = 'pgbox'::regnamespace
    and l.lanname = 'plpgsql'
    -- is there for the planner
    and (c.functionid::text, c.message) <> ('pgbox.text_cost', 'unused parameter "p_message_id"');

select is_empty(
    'select functionid, lineno, level, message, query, detail from finding',
    'no function has a mistake');

create function pgbox.wrong(p_uid bigint) returns int language plpgsql as $$
begin
    if p_uid < 0 then
        return (select m.no_such_column from pgbox.mail m where m.uid = p_uid);
    end if;
    return 0;
end
$$;
select isnt_empty(
    $$select message from finding where functionid = 'pgbox.wrong'::regproc and level = 'error'$$,
    'one that has is found');

select * from finish();
rollback;
