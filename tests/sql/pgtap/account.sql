-- account_open(), account_lock()
begin;
set local search_path = tap, public;
select plan(18);

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

select is((select count(*) from pgbox.mailbox where account_id = pgbox.account_open('public', true, false, true)), 0::bigint,
    'a public tree has no INBOX');

-- Users and public namespaces have accounts of their own.
create function tap.open(p_name text, p_public boolean) returns boolean language sql as $$
    select pgbox.account_open(p_name, true, not p_public, p_public) > 0
$$;
select is(tap.open('public', true), true, 'the namespace has its account');
select throws_ok($$select tap.open('public', false)$$, 'F0000', 'account ''public'' is that of a public namespace, and no user''s',
    'a user of that name has not');
select throws_ok($$select tap.open('anna', true)$$, 'F0000', 'account ''anna'' is that of a user, and no public namespace''s',
    'nor has a namespace that of a user');
update pgbox.account set public = null;
select is(tap.open('public', false), true, 'what is older than version 2 everybody may open');
select is(tap.open('public', true), true, 'also the namespace');
select throws_ok($$select tap.open('public', false)$$, 'F0000', null, 'to which it belongs then');
select is(tap.open('public', true), true, 'and stays open');
select is(tap.open('anna', true), true, 'but not if it has an INBOX');
select is(tap.open('anna', false), true, 'as that of a user has');
select is(tap.open('anna', true), true, 'so it was, and so it stays');

select * from finish();
rollback;
