-- What the schema consists of, one line per object, as the temporary view
-- schema_object. The file "manifest" holds the lines of a fresh installation:
--     pgbox-schema install ... && psql -XAtq -f manifest.sql -c 'table schema_object' > manifest
-- Bodies of functions are not in it: upgrade renews them.

create temporary view schema_object as
with member as (
    select
        c.oid,
        c.relname,
        c.relkind,
        c.relpersistence
    from pg_class c
    where c.relnamespace = to_regnamespace('pgbox')
)
select line collate "C" as line
from (
    select format('%s %s', case relkind
            when 'r' then 'table'
            when 'p' then 'table'
            when 'v' then 'view'
            when 'm' then 'view'
            when 'S' then 'sequence'
        end, relname)
    from member
    where relkind in ('r', 'p', 'v', 'm', 'S')
    union all
    select format('column %s.%s %s%s',
        m.relname,
        a.attname,
        format_type(a.atttypid, a.atttypmod),
        case when a.attnotnull then ' not null' else '' end)
    from member m
    join pg_attribute a on a.attrelid = m.oid
    where m.relkind in ('r', 'p', 'v', 'm')
        and a.attnum > 0
        and not a.attisdropped
    union all
    select format('constraint %s on %s', n.conname, m.relname)
    from member m
    join pg_constraint n on n.conrelid = m.oid
    where n.contype in ('c', 'f', 'p', 'u', 'x')
    union all
    select format('constraint %s on type %s', n.conname, y.typname)
    from pg_type y
    join pg_constraint n on n.contypid = y.oid
    where y.typnamespace = to_regnamespace('pgbox')
    union all
    select format('index %s on %s', m.relname, t.relname)
    from member m
    join pg_index i on i.indexrelid = m.oid
    join member t on t.oid = i.indrelid
    union all
    select format('trigger %s on %s', g.tgname, m.relname)
    from member m
    join pg_trigger g on g.tgrelid = m.oid
    where not g.tgisinternal
    union all
    select format('function %s(%s) returns %s%s',
        p.proname,
        pg_get_function_identity_arguments(p.oid),
        pg_get_function_result(p.oid),
        case when p.prosecdef then ' security definer' else '' end)
    from pg_proc p
    where p.pronamespace = to_regnamespace('pgbox')
        and p.prokind = 'f'
    union all
    select format('procedure %s(%s)',
        p.proname,
        pg_get_function_identity_arguments(p.oid))
    from pg_proc p
    where p.pronamespace = to_regnamespace('pgbox')
        and p.prokind = 'p'
    union all
    select format('type %s', y.typname)
    from pg_type y
    left join pg_class c on c.oid = y.typrelid
    where y.typnamespace = to_regnamespace('pgbox')
        and y.typtype in ('c', 'd', 'e')
        and (y.typrelid = 0 or c.relkind = 'c')
) as described (line)
order by 1;
