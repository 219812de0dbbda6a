-- Validates the constraints that an upgrade could not validate, because there were rows
-- that broke them. Writers don't wait for it, but for domains, whose tables are small.

select case
        when n.conrelid <> 0 then format('alter table %s validate constraint %I', n.conrelid::regclass, n.conname)
        else format('alter domain %s validate constraint %I', n.contypid::regtype, n.conname)
    end
from pg_constraint n
where n.connamespace = 'pgbox'::regnamespace
    and not n.convalidated
\gexec
