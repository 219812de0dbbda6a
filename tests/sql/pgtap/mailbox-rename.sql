-- mailbox_rename()
begin;
set local search_path = tap, public;
select plan(22);

select tap.new_mailbox('a');
select tap.new_mailbox('a/b');
select tap.new_mailbox('a/b/c');
select tap.new_mailbox('ab');
select tap.new_mailbox('50%/x');
select tap.new_mailbox('50_/x');
create temporary table old as
select mailbox_id, name, guid, uid_validity from pgbox.mailbox where account_id = tap.account();

select is(pgbox.mailbox_rename(tap.account(), 'a', 'z'), 3, 'children are renamed too');
select is(tap.mailbox('z/b/c'), (select mailbox_id from old where name = 'a/b/c'), 'at every depth');
select is(tap.mailbox('ab'), (select mailbox_id from old where name = 'ab'), 'a name with the same beginning is not a child');
select is(
    (select count(*) from pgbox.mailbox join old using (mailbox_id, guid, uid_validity)),
    (select count(*) from old), 'GUID and UIDVALIDITY stay');
select is(tap.mailbox('a'), null, 'the old name is free');

select throws_ok($$select pgbox.mailbox_rename(tap.account(), 'z', 'ab')$$, 'PB409', null, 'not onto an existing name');
select throws_ok($$select pgbox.mailbox_rename(tap.account(), 'ab', 'z')$$, 'PB409', null, 'with or without children');
select throws_ok($$select pgbox.mailbox_rename(tap.account(), 'z', 'z/b/new')$$, 'PB400', null, 'not below itself');
select throws_ok($$select pgbox.mailbox_rename(tap.account(), 'none', 'new')$$, 'PB404', null, 'not a mailbox that does not exist');
select is((select count(*) from pgbox.mailbox where name in ('new', 'z/b/new')), 0::bigint, 'and nothing is left of these');

select is(pgbox.mailbox_rename(tap.account(), 'z', 'deep/er/z'), 3, 'across parents');
select is(
    (select string_agg(selectable::text, ' ' order by name) from pgbox.mailbox where name in ('deep', 'deep/er')),
    'false false', 'missing parents are made');

select pgbox.mailbox_delete(tap.account(), tap.mailbox('ab'), 'ab');
select is(pgbox.mailbox_rename(tap.account(), '50%', 'ab'), 2, 'a name that was deleted can be taken, % is no wildcard');
select is(tap.mailbox('50_/x'), (select mailbox_id from old where name = '50_/x'), 'nor is _');

select tap.new_mailbox('p/q/r/s');
select tap.new_mailbox('p/t');
select pgbox.mailbox_rename(tap.account(), 'p/q/r/s', 's');
select is((select string_agg(name, ' ' order by name) from pgbox.mailbox where account_id = tap.account() and name ~ '^p' and deleted_at is null),
    'p p/t', 'nodes that lost their last child go away');
select tap.new_mailbox('p');
select pgbox.mailbox_rename(tap.account(), 'p/t', 'p/u/t');
select pgbox.mailbox_rename(tap.account(), 'p/u/t', 't');
select isnt(tap.mailbox('p'), null, 'but no mailbox does');
select throws_ok($$select pgbox.mailbox_rename(tap.account(), 'deep', repeat('x', 2045))$$, 'PB413', null,
    'no child''s name may get too long for the index');
select isnt(tap.mailbox('deep/er/z'), null, 'and then nothing is renamed');

update pgbox.mailbox set uid_next = 100 where mailbox_id = tap.mailbox('INBOX');
select is(pgbox.mailbox_rename(tap.account(), 'INBOX', 'old', true), 1, 'INBOX is renamed');
select is(tap.counters('old'), '0/0/0 100', 'with all it has');
select is(tap.counters('INBOX'), '0/0/0 1', 'and leaves an empty one');
select isnt(
    (select uid_validity from pgbox.mailbox where mailbox_id = tap.mailbox('INBOX')),
    (select uid_validity from pgbox.mailbox where mailbox_id = tap.mailbox('old')), 'which is another one');

select * from finish();
rollback;
