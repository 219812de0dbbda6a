-- Changes of many mails while the planner knows nothing, as after a bulk load: each row
-- is looked up by its key. Otherwise the whole mailbox would be read, or worse, compared
-- with each entry of a list.
begin;
set local search_path = tap, public;
select plan(9);

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a', 500);

create function pg_temp.lookups(p_table text)
returns bigint
language sql
as $$
    select s.idx_scan
    from pg_stat_xact_user_tables s
    where s.schemaname = 'pgbox'
        and s.relname = p_table
$$;
create temporary table old (mail bigint, message bigint);
create function pg_temp.start()
returns void
language sql
as $$
    delete from old;
    insert into old values (pg_temp.lookups('mail'), pg_temp.lookups('message'));
$$;
create temporary table half as
select array_agg(n::bigint) as uids
from generate_series(1, 250) n;

select pg_temp.start();
select tap.change('a', (select uids from half), p_add => 8);
select ok(pg_temp.lookups('mail') - mail between 250 and 600, 'flags') from old;
select is(tap.counters('a'), '500/250/2000 501', 'are changed');

select pg_temp.start();
select tap.change('a', (select uids from half), p_keyword_add => 'work');
select ok(pg_temp.lookups('mail') - mail between 250 and 600, 'keywords that come') from old;

select pg_temp.start();
select tap.change('a', (select uids from half), p_keyword_remove => 'work');
select ok(pg_temp.lookups('mail') - mail between 250 and 600, 'keywords that go') from old;

select pg_temp.start();
select tap.copy('a', (select uids from half), 'b');
select ok(pg_temp.lookups('mail') - mail between 250 and 600, 'mails to copy') from old;
select ok(pg_temp.lookups('message') - message between 250 and 1100, 'and their messages') from old;

select pg_temp.start();
select tap.change('a', (select uids[1:200] from half), p_expunge => true);
select ok(pg_temp.lookups('mail') - mail between 200 and 500, 'mails to expunge') from old;
select is(tap.counters('a'), '300/250/1200 501', 'are gone');

-- A session that has planned it for an empty mailbox expunges one of many.
create temporary table fetched as
select idx_tup_fetch as mails from pg_stat_xact_user_tables where schemaname = 'pgbox' and relname = 'mail';
select tap.change('a', '{300}', p_expunge => true);
select ok(idx_tup_fetch - mails < 10, 'of many mails only those that are expunged are read')
from pg_stat_xact_user_tables, fetched
where schemaname = 'pgbox' and relname = 'mail';

select * from finish();
rollback;
