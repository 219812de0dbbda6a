-- A part of what pgbox-schema verify looks at in the tables: see verify_next(). With
-- repair each account and mailbox is mended in a transaction of its own, and what was
-- found there under its locks is printed.
-- Prints for each problem its kind, character 31, and where and what it is; and in the end
-- "next", where it has stopped, and how many accounts and mailboxes it has looked at, as
-- verify_next() does.
-- Variables: account_id, mailbox_id, only, last (accounts, or empty), percent, seconds, bodies,
-- repair.

set statement_timeout = 0;
set lock_timeout = '30s';
set search_path = pg_catalog, pg_temp;

-- A line must stay a line.
\set line 'concat_ws(chr(31), f.kind, case when f.kind = \'next\' then concat_ws(chr(31), coalesce(f.account, \'\'), f.mailbox, f.problem) else regexp_replace(concat_ws(\': \', nullif(concat_ws(\', \', \'account \' || f.account, \'mailbox \' || f.mailbox), \'\'), f.problem), \'[[:cntrl:]]+\', \' \', \'g\') end)'

\set problems 'pgbox.verify_next(:account_id, nullif(:\'mailbox_id\', \'\')::bigint, nullif(:\'only\', \'\')::bigint, nullif(:\'last\', \'\')::bigint, :percent, :seconds, :\'bodies\') f'

\if :repair
create temporary table found (kind text, account_id bigint, account text, mailbox_id bigint, mailbox text, problem text);
insert into found
select f.*
from :problems;

select format('select %L || chr(31) || problem from pgbox.accounts_missing(%s, %s, true)',
    f.kind, f.account_id - 1, f.account_id + 1)
from found f
where f.kind = 'missing-account'
group by f.kind, f.account_id
\gexec

create temporary table recovered (kind text, account_id bigint, account text, mailbox_id bigint, mailbox text, problem text);
select format(
    'insert into recovered select r.kind, %s, %L, r.mailbox_id, b.name, r.problem from pgbox.account_recover(%s) r
    left join pgbox.mailbox b on b.account_id = %s and b.mailbox_id = r.mailbox_id',
    f.account_id, f.account, f.account_id, f.account_id
)
from found f
where f.kind in ('account', 'lost-mailbox', 'lost-message')
group by f.account_id, f.account
\gexec
select :line
from recovered f;

select format(
    'select %s from (select r.kind, %L as account, b.name as mailbox, r.problem from pgbox.mailbox_repair(%s, %s, %L) r
    join pgbox.mailbox b on b.account_id = %s and b.mailbox_id = %s) f',
    :'line', m.account, m.account_id, m.mailbox_id, :'bodies', m.account_id, m.mailbox_id
)
from (
    select f.account_id, f.account, f.mailbox_id
    from found f
    where f.mailbox_id is not null
        and f.mailbox is not null
    union
    select r.account_id, r.account, r.mailbox_id
    from recovered r
    where r.mailbox_id is not null
) m
order by m.account_id, m.mailbox_id
\gexec

select format('select %s from (select c.kind, %L as account, null as mailbox, c.problem from pgbox.account_clean(%s) c) f',
    :'line', f.account, f.account_id)
from found f
where f.kind in ('orphan', 'text', 'part', 'row')
group by f.account_id, f.account
\gexec

select :line
from found f
where f.kind = 'next';
\else
select :line
from :problems;
\endif
