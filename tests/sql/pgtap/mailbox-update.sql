-- mailbox_update(), mailbox_claim_recent()
begin;
set local search_path = tap, public;
select plan(14);

select tap.new_mailbox('a');
select tap.save('a', 3);
create temporary view box as select * from pgbox.mailbox where mailbox_id = tap.mailbox('a');
create temporary table old as select * from box;

select pgbox.mailbox_update(tap.account(), tap.mailbox('a'), null, null, null, null, null);
select results_eq('table box', 'table old', 'nulls change nothing');
select pgbox.mailbox_update(tap.account(), tap.mailbox('a'), null, 2, 1, 65536, null);
select results_eq('table box', 'table old', 'lower bounds below the values change nothing');
select pgbox.mailbox_update(tap.account(), tap.mailbox('a'), 7, 100, 50, 10000000, '00000000-0000-0000-0000-000000000007');
select results_eq(
    'select uid_validity::bigint, uid_next::bigint, first_recent_uid, guid from box',
    $$values (7::bigint, 100::bigint, 50::bigint, '00000000-0000-0000-0000-000000000007'::uuid)$$,
    'higher ones do');
select is((select modseq::bigint from box), 10027008::bigint, 'MODSEQ is a multiple of 65536, not below the wanted one');
select is((select modseq % 65536 from box), 0::bigint, 'so the next change has room above');
select throws_ok($$select pgbox.mailbox_update(tap.account(), -1, null, null, null, null, null)$$, 'PB404', null,
    'an unknown mailbox is refused');
select throws_ok($$select pgbox.mailbox_update(tap.account(), tap.mailbox('a'), null, null, null, null, guid)
    from pgbox.mailbox where mailbox_id = tap.mailbox('INBOX')$$, '23505', null, 'so is a GUID in use');
select throws_ok($$select pgbox.mailbox_update(tap.account(), tap.mailbox('a'), null, null, null, 9223372036854700000, null)$$,
    '23514', null, 'and a MODSEQ after which there is no room');

select tap.new_mailbox('r');
select tap.save('r', 3);
select is(pgbox.mailbox_claim_recent(tap.account(), tap.mailbox('r'), 3), 1::bigint,
    'the first session gets \Recent of what it has seen');
select is(pgbox.mailbox_claim_recent(tap.account(), tap.mailbox('r'), 4), 3::bigint,
    'the second only what came after');
select is(pgbox.mailbox_claim_recent(tap.account(), tap.mailbox('r'), 4), 4::bigint,
    'the third nothing');
select is(pgbox.mailbox_claim_recent(tap.account(), tap.mailbox('r'), 2), 2::bigint,
    'a session that is behind gets nothing of what another had');
select is((select first_recent_uid from pgbox.mailbox where mailbox_id = tap.mailbox('r')), 4::bigint,
    'and takes nothing back');
select is(pgbox.mailbox_claim_recent(tap.account(), tap.mailbox('r'), 4000), 4::bigint,
    'a claim of UIDs that are not there yet ...');
select * from finish();
rollback;
