-- Prints the diagram of sql/README.md from the catalog:
--     psql -XAtq -d DATABASE -f sql/er.sql
-- Tables and columns are read; which row belongs to which is said here, because
-- most of it is no foreign key (see schema/03-message.sql).

create temporary table er_relation (parent text, arrow text, child text, label text);

insert into er_relation
values
    ('account', '||--o{', 'mailbox', 'has'),
    ('account', '||--o{', 'subscription', 'has'),
    ('mailbox', '||--o{', 'mailbox_attribute', 'METADATA'),
    ('mailbox', '||--o{', 'mailbox_keyword', 'numbers its keywords'),
    ('mailbox', '||--o{', 'mail', 'holds'),
    ('mailbox', '||--o{', 'mail_change', 'log of changes'),
    ('mailbox', '||--o{', 'expunged', 'log of expunges'),
    ('message', '||--o{', 'mail', 'is in mailboxes'),
    ('message', '|o--o{', 'expunged', 'kept for a while'),
    ('message', '||--o{', 'message_chunk', 'octets'),
    ('message', '||--o{', 'message_part', 'MIME parts'),
    ('message_upload', '||--o{', 'message_chunk', 'octets so far'),
    ('mailbox_keyword', '}o--o{', 'mail', 'numbered by');

-- A relation of a table that is gone must not stay.
do $$
begin
    perform format('pgbox.%I', r.parent)::regclass, format('pgbox.%I', r.child)::regclass
    from er_relation r;
end
$$;

select 'erDiagram';

select line
from (
    select c.relname, 0 as place, format('    %s {', c.relname) as line
    from pg_class c
    where c.relnamespace = to_regnamespace('pgbox')
        and c.relkind = 'r'
    union all
    select c.relname, a.attnum, format('        %s %s%s',
        regexp_replace(format_type(coalesce(nullif(y.typbasetype, 0), y.oid), null), ' .*', ''),
        a.attname,
        case when a.attnum = any (p.conkey) then ' PK' else '' end)
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid
    join pg_type y on y.oid = a.atttypid
    left join pg_constraint p on p.conrelid = c.oid and p.contype = 'p'
    where c.relnamespace = to_regnamespace('pgbox')
        and c.relkind = 'r'
        and a.attnum > 0
        and not a.attisdropped
    union all
    select c.relname, 10000, '    }'
    from pg_class c
    where c.relnamespace = to_regnamespace('pgbox')
        and c.relkind = 'r'
) as described
order by relname collate "C", place;

select format('    %s %s %s : "%s"', parent, arrow, child, label)
from er_relation
order by parent collate "C", child collate "C";
