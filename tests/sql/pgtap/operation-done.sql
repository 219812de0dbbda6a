-- operation_done(): was a command whose COMMIT was lost carried out?
begin;
set local search_path = tap, public;
select plan(12);

select tap.new_mailbox('a');
select tap.new_mailbox('b');
create temporary table old as select tap.modseq('a') as a, tap.modseq('b') as b, 1 as uid_next;
select tap.save('a', 2, p_first_guid => 1);

select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), (select uid_next from old), 0, 0, array[tap.guid(1), tap.guid(2)])).r_done,
    true, 'a save is found by its GUIDs');
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), (select uid_next from old), 0, 0, array[tap.guid(1), tap.guid(2)])).r_uids,
    '{1,2}'::bigint[], 'with its UIDs');
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), (select uid_next from old), 0, 0, array[tap.guid(1), tap.guid(3)])).r_done,
    false, 'a save that did not happen is not');
select is((pgbox.operation_done(tap.account(), tap.mailbox('b'), 1, 0, 0, array[tap.guid(1)])).r_done,
    false, 'nor one into another mailbox');
select tap.copy('a', '{1}', 'a');
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), (select uid_next from old), 0, 0, array[tap.guid(1), tap.guid(2)])).r_done,
    true, 'a save is found when its mail was copied since');
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), 1, 0, 0, array[tap.guid(1), tap.guid(2)])).r_uids,
    '{1,2}'::bigint[], 'with the UIDs that it gave');
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), 4, 0, 0, array[tap.guid(1)])).r_done,
    false, 'mails that were there before do not count');

update old set a = tap.modseq('a');
select tap.change('a', '{1}', p_add => 8, p_operation => 77);
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), 1, (select a from old), 77, '{}')).r_done, true, 'a change is found by its number');
select is((pgbox.operation_done(tap.account(), tap.mailbox('a'), 1, (select a from old), 78, '{}')).r_done, false, 'and no other');
select tap.copy('a', '{1,2}', 'b', p_operation => 79);
select is((pgbox.operation_done(tap.account(), tap.mailbox('b'), 1, (select b from old), 79, '{}')).r_uids, '{1,2}'::bigint[],
    'a copy is found with its UIDs');
select is((pgbox.operation_done(tap.account(), tap.mailbox('b'), 1, (select b from old), 79, '{}')).r_done, true, 'so it was done');
select throws_ok($$select pgbox.operation_done(tap.account(), -1, 1, 0, 1, '{}')$$, 'PB404', null, 'a mailbox that is gone is told apart');

select * from finish();
rollback;
