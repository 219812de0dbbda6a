-- mailbox_create(), uid_validity_next()
begin;
set local search_path = tap, public;
select plan(22);

select isnt(tap.new_mailbox('a'), null, 'a mailbox is created');
select throws_ok($$select tap.new_mailbox('a')$$, 'PB409', null, 'but not twice');
select lives_ok($$select tap.new_mailbox('A')$$, 'names are case-sensitive');
select throws_ok(
    $$select pgbox.mailbox_create(-1, 'a', gen_random_uuid(), true, null, null)$$,
    'PB404', null, 'an unknown account is refused');

select tap.new_mailbox('p/q/r');
select is((select selectable from pgbox.mailbox where mailbox_id = tap.mailbox('p/q')), false,
    'missing parents are \Noselect nodes');
select is((select selectable from pgbox.mailbox where mailbox_id = tap.mailbox('p')), false,
    'up to the top');
create temporary table node as select tap.mailbox('p') as mailbox_id;
select is(
    pgbox.mailbox_create(tap.account(), 'p', '00000000-0000-0000-0000-000000000001', true, null, null),
    (select mailbox_id from node),
    'a \Noselect node becomes a mailbox');
select results_eq(
    $$select selectable, guid from pgbox.mailbox where mailbox_id = tap.mailbox('p')$$,
    $$values (true, '00000000-0000-0000-0000-000000000001'::uuid)$$,
    'with the wanted GUID');
select throws_ok(
    $$select pgbox.mailbox_create(tap.account(), 'p/q', gen_random_uuid(), false, null, null)$$,
    'PB409', null, 'a node is not made twice either');
select throws_ok(
    $$select pgbox.mailbox_create(tap.account(), 'z', '00000000-0000-0000-0000-000000000001', true, null, null)$$,
    '23505', null, 'a GUID is used once in an account');

select pgbox.mailbox_create(tap.account(), 'given', gen_random_uuid(), true, 4000000000, 1000000);
select results_eq(
    $$select uid_validity::bigint, modseq::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('given')$$,
    $$values (4000000000::bigint, 1048576::bigint)$$,
    'UIDVALIDITY is taken as given, MODSEQ is rounded up to a multiple of 65536');
select tap.new_mailbox('later');
select cmp_ok(
    (select uid_validity::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('later')), '>', 4000000000,
    'a later mailbox never gets a UIDVALIDITY that was used before');
select is((select count(distinct uid_validity) from pgbox.mailbox where account_id = tap.account()),
    (select count(*) from pgbox.mailbox where account_id = tap.account()),
    'all of them differ');

select pgbox.mailbox_delete(tap.account(), tap.mailbox('a'), 'a');
create temporary table validity as
select uid_validity from pgbox.mailbox where name = 'a';
select lives_ok($$select tap.new_mailbox('a')$$, 'a deleted name can be used again');
select cmp_ok(
    (select uid_validity from pgbox.mailbox where mailbox_id = tap.mailbox('a')), '>',
    (select uid_validity from validity), 'with a higher UIDVALIDITY');

-- dsync brings back what was deleted.
select tap.save('given');
select pgbox.mailbox_delete(tap.account(), tap.mailbox('given'), 'given');
select pgbox.mailbox_delete(tap.account(), tap.mailbox('p'), 'p');
select lives_ok($$select pgbox.mailbox_create(tap.account(), 'back',
    '00000000-0000-0000-0000-000000000001', true, 4000000000, 1000000)$$,
    'a deleted mailbox does not hold its GUID');
select cmp_ok(
    (select modseq::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('back')), '>',
    (select modseq::bigint from pgbox.mailbox where name = 'given'),
    'with its UIDVALIDITY MODSEQs go on above');

-- INBOX comes with the account.
select throws_ok($$select tap.new_mailbox('INBOX')$$, 'PB409', null, 'an INBOX is not made twice');
select is(
    pgbox.mailbox_create(tap.account(), 'INBOX', '00000000-0000-0000-0000-000000000002', true, 3000000000, null),
    tap.mailbox('INBOX'),
    'but by dsync, if nobody has used it');
select results_eq(
    $$select guid, uid_validity::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('INBOX')$$,
    $$values ('00000000-0000-0000-0000-000000000002'::uuid, 3000000000::bigint)$$,
    'with what is wanted');
select throws_ok(
    $$select pgbox.mailbox_create(tap.account(), 'INBOX', gen_random_uuid(), true, 3000000001, null)$$,
    'PB409', null, 'and once');

-- dsync may bring the highest one there is.
select pgbox.mailbox_create(tap.account(), 'highest', gen_random_uuid(), true, 4294967295, null);
select lives_ok($$select tap.new_mailbox('after the highest')$$,
    'the highest UIDVALIDITY does not stop new mailboxes');

select * from finish();
rollback;
