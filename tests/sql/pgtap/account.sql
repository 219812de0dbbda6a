-- account_open(), account_lock()
begin;
set local search_path = tap, public;
select plan(8);

select throws_ok($$select pgbox.account_open('anna', false)$$, 'PB404', null,
    'an unknown account is refused when it may not be created');
create temporary table opened as select pgbox.account_open('anna', true) as account_id;
select is(pgbox.account_open('anna', false), (select account_id from opened),
    'a created account is found again');
select is(pgbox.account_open('anna', true), (select account_id from opened),
    'and is not created twice');
select isnt(pgbox.account_open('Anna', true), (select account_id from opened),
    'names are compared octet by octet');
select results_eq(
    $$select name::text, selectable, uid_next::bigint, messages::int from pgbox.mailbox where account_id = (select account_id from opened)$$,
    $$values ('INBOX' collate "C", true, 1::bigint, 0)$$,
    'a new account has an INBOX');
select throws_ok($$select pgbox.account_lock(-1)$$, 'PB404', null, 'locking an unknown account fails');
select lives_ok($$select pgbox.account_lock(account_id) from opened$$, 'locking a known one does not');

select is((select count(*) from pgbox.mailbox where account_id = pgbox.account_open('public', true, false)), 0::bigint,
    'a public tree has no INBOX');

select * from finish();
rollback;
