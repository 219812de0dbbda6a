-- The rules that every object of the schema keeps.
begin;
set local search_path = tap, public;
select plan(16);

create temporary view relation as
select c.*
from pg_class c
where c.relnamespace = 'pgbox'::regnamespace;
create temporary view routine as
select p.*
from pg_proc p
where p.pronamespace = 'pgbox'::regnamespace;

select is_empty(
    $$select relname from relation where relkind in ('r', 'p', 'v', 'S') and relname !~ '_id_seq$|_mailbox_id|_account_id'
        and obj_description(oid, 'pg_class') is null$$,
    'every table and view has a comment');
select is_empty(
    $$select c.relname, a.attname from relation c join pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p', 'v') and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null$$,
    'every column has a comment');
select is_empty(
    'select oid::regprocedure from routine where obj_description(oid, ''pg_proc'') is null',
    'every function has a comment');
select is_empty(
    $$select conname from pg_constraint n join relation c on c.oid = n.conrelid where n.conname !~ ('^' || c.relname || '_')$$,
    'constraints are named after their table');
select is_empty(
    $$select conname from pg_constraint n join relation c on c.oid = n.conrelid where n.contype = 'f' and n.confdeltype = 'a'$$,
    'every foreign key says on delete');
select is_empty(
    $$select conname from pg_constraint n join relation c on c.oid = n.conrelid
        where n.contype = 'f' and not exists (
            select from pg_index i
            where i.indrelid = n.conrelid
                and (i.indkey::int2[])[0:cardinality(n.conkey) - 1] @> n.conkey)$$,
    'every foreign key has an index');
select is_empty(
    $$select c.relname, a.attname from relation c join pg_attribute a on a.attrelid = c.oid
        where c.relkind = 'r' and a.attname in ('name', 'guid', 'user_name', 'key') and a.atttypid = 'text'::regtype
            and a.attcollation <> '"C"'::regcollation$$,
    'names are compared octet by octet');
select is_empty(
    $$select oid::regprocedure from routine
        where prosqlbody is null and not coalesce(proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'$$,
    'every function has a search_path of its own, or was read when it was made');

create function pg_temp.plan_of(p_query text)
returns text
language plpgsql
as $$
declare
    v_plan json;
begin
    execute 'explain (verbose, format json) ' || p_query into v_plan;
    return v_plan;
end
$$;
select doesnt_match(
    pg_temp.plan_of(format('select %s from pgbox.mail m', string_agg(format('%s(%s)', p.oid::regproc, a.args), ', '))),
    'pgbox\.[a-z_]*\(',
    'names of numbers and expressions cost nothing')
from routine p
cross join lateral (
    select string_agg(format('m.%I', name), ', ') as args
    from unnest(array_replace(p.proargnames, 'p_modseq', 'modseq')) name
) a
where p.prosqlbody is not null;
select is_empty(
    $$select oid::regprocedure from routine where proconfig::text ~ 'enable_\w+=off' and not proconfig @> '{jit=off}'$$,
    'no function that forbids plans has its statements compiled because of it');
select is_empty(
    $$select c.relname from relation c join pg_index i on i.indrelid = c.oid and i.indisprimary
        join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where c.relname not in ('schema_version', 'epoch') and a.attname <> 'account_id'$$,
    'every key begins with account_id');

-- Rights
select is_empty(
    $$select relname, acl.privilege_type from relation c cross join lateral aclexplode(relacl) acl
        where acl.grantee in (0, 'pgbox_mail'::regrole, 'pgbox_analyst'::regrole) and acl.privilege_type <> 'SELECT'$$,
    'nobody but the owner writes a table');
select is_empty(
    $$select oid::regprocedure from routine where prosecdef is distinct from has_function_privilege('pgbox_mail', oid, 'execute')
        and proname not in ('current_epoch', 'raise_epoch')$$,
    'frontends run the functions that are security definer, and no other');
select is_empty(
    $$select oid::regprocedure from routine where has_function_privilege('pgbox_analyst', oid, 'execute')$$,
    'analysts run no function');
select is_empty(
    $$select relname from relation where relkind in ('r', 'p', 'v') and has_table_privilege('pgbox_analyst', oid, 'select')
        and relkind <> 'v'$$,
    'analysts read views only');
select is_empty(
    $$select c.relname, a.attname from relation c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relkind = 'v' and a.atttypid = 'bytea'::regtype and has_table_privilege('pgbox_analyst', c.oid, 'select')$$,
    'in which there are no octets of mails');

select * from finish();
rollback;
