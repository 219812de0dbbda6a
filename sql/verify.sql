-- Compares the schema with what it should be; pgbox-schema verify prints the result.
-- What is in the tables is verify-accounts.sql's. Each statement gives one row: what was
-- checked, the number of problems, these, separated by character 30, and what mends
-- them. Variables: manifest and manifest_query (files), sqldir (their directory).

begin isolation level repeatable read;
set local search_path = pg_catalog, pg_temp;

\i :manifest_query
\set expected `cat :'manifest'`

select 'all objects of this version are there',
    count(*),
    string_agg('missing: ' || line, chr(30) order by line),
    format('pgbox-schema upgrade, for functions, views and rights; tables and indexes are in %s/schema', :'sqldir')
from (
    select line collate "C" as line
    from string_to_table(:'expected', E'\n') as line
    where line <> ''
    except
    select line
    from schema_object
) as missing;

select 'no other objects are there',
    count(*),
    string_agg('unexpected: ' || line, chr(30) order by line),
    'DROP, unless somebody needs it: put it into a schema of its own'
from (
    select line
    from schema_object
    where line not like 'index %'
    except
    select line
    from string_to_table(:'expected', E'\n') as line
) as surplus;

select 'pgbox_owner owns everything',
    count(*),
    string_agg(label, chr(30) order by label),
    'ALTER ... OWNER TO pgbox_owner'
from (
    select 'schema pgbox' as label
    from pg_namespace n
    where n.nspname = 'pgbox'
        and n.nspowner <> 'pgbox_owner'::regrole
    union all
    select format('relation %s', c.relname)
    from pg_class c
    where c.relnamespace = 'pgbox'::regnamespace
        and c.relowner <> 'pgbox_owner'::regrole
    union all
    select format('function %s', p.oid::regprocedure)
    from pg_proc p
    where p.pronamespace = 'pgbox'::regnamespace
        and p.proowner <> 'pgbox_owner'::regrole
) as foreign_object;

select 'constraints are validated, indexes and triggers are in force',
    count(*),
    string_agg(label, chr(30) order by label),
    'pgbox-schema verify --repair, for constraints'
from (
    select format('constraint %s of %s is not validated', n.conname,
        case n.conrelid when 0 then n.contypid::regtype::text else n.conrelid::regclass::text end) as label
    from pg_constraint n
    where n.connamespace = 'pgbox'::regnamespace
        and not n.convalidated
    union all
    select format('index %s is invalid: reindex index concurrently %s', i.indexrelid::regclass, i.indexrelid::regclass)
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'pgbox'::regnamespace
        and not (i.indisvalid and i.indisready)
    union all
    select format('trigger %s of %s is disabled: alter table %s enable trigger %s', g.tgname, g.tgrelid::regclass, g.tgrelid::regclass, g.tgname)
    from pg_trigger g
    join pg_class c on c.oid = g.tgrelid
    where c.relnamespace = 'pgbox'::regnamespace
        and g.tgenabled = 'D'
) as idle;

select 'the epoch makes sense',
    count(*),
    string_agg(label, chr(30)),
    'pgbox-schema raise-epoch'
from (
    select format('epoch %s', e.epoch) as label
    from pgbox.epoch e
    where e.epoch <= 0
        or array_position(e.continued_from, null) is not null
    union all
    select 'there is none'
    where not exists (select from pgbox.epoch)
) as wrong;

rollback;
