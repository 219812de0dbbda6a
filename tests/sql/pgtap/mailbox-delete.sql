-- mailbox_delete()
begin;
set local search_path = tap, public;
select plan(12);

select tap.new_mailbox('a');
select tap.new_mailbox('a/b');
select tap.new_mailbox('ab');
select tap.save('a', 2);
create temporary table old as
select mailbox_id, guid from pgbox.mailbox where name = 'a';

select lives_ok($$select pgbox.mailbox_delete(tap.account(), tap.mailbox('a'), 'a')$$, 'a mailbox is deleted');
select is((select deleted_at is not null from pgbox.mailbox join old using (mailbox_id)), true,
    'its row is only marked');
select is((select count(*) from pgbox.mail join old using (mailbox_id)), 2::bigint, 'its mails stay for the purge');
select results_eq(
    $$select selectable, messages::int from pgbox.mailbox where mailbox_id = tap.mailbox('a')$$,
    $$values (false, 0)$$, 'children leave a \Noselect node');
select is((select guid from old) <> (select guid from pgbox.mailbox where mailbox_id = tap.mailbox('a')), true,
    'with another GUID');
select throws_ok($$select pgbox.mailbox_delete(tap.account(), mailbox_id, 'a') from old$$, 'PB404', null,
    'a mailbox is not deleted twice');
select throws_ok($$select pgbox.mailbox_delete(tap.account(), tap.mailbox('ab'), 'a')$$, 'PB404', null,
    'nor one that has another name by now');
select pgbox.mailbox_delete(tap.account(), tap.mailbox('ab'), 'ab');
select is(tap.mailbox('ab'), null, 'without children nothing is left');
select throws_ok(
    $$select pgbox.mailbox_delete(tap.account('bert'), tap.mailbox('a/b'), 'a/b')$$,
    'PB404', null, 'another account cannot delete it');
select throws_ok(
    $$select pgbox.mail_change(tap.account(), mailbox_id, null, '{1}', '{1}', '{8}', '{0}', '{f}', '{}', '{}', '{}', '{}', 0::smallint, null, 1) from old$$,
    'PB404', null, 'mails of a deleted mailbox cannot be changed');

select throws_ok($$select pgbox.mailbox_delete(tap.account(), tap.mailbox('a'), 'a')$$, 'PB409', null,
    'a \Noselect node is not deleted while it has children');
select pgbox.mailbox_delete(tap.account(), tap.mailbox('a/b'), 'a/b');
select lives_ok($$select pgbox.mailbox_delete(tap.account(), tap.mailbox('a'), 'a')$$, 'and is without');

select * from finish();
rollback;
