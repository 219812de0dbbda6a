-- mail_copy()
begin;
set local search_path = tap, public;
select plan(22);

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a', 3, 8, 'k');
create temporary table old as select tap.modseq('a') as a, tap.modseq('b') as b;

select is((tap.copy('a', '{3,1}', 'b')).r_uids, '{1,2}'::bigint[], 'copies get UIDs in the order that was asked for');
select is(
    (select array_agg(s.uid order by t.uid) from pgbox.mail t join pgbox.mail s using (message_id)
        where t.mailbox_id = tap.mailbox('b') and s.mailbox_id = tap.mailbox('a')),
    '{3,1}'::bigint[], 'and share the message');
select is(tap.counters('b'), '2/2/8 3', 'counters of the target follow, flags are as given');
select is(tap.counters('a'), '3/0/12 4', 'those of the source stay');
select is(tap.modseq('a'), (select a from old), 'so does its MODSEQ');
select is(tap.modseq('b'), (select b + 65536 from old), 'the target has a new one');
select is((tap.copy('a', '{1,1}', 'b', p_flags => 8, p_keyword => 'x')).r_uids, '{3,4}'::bigint[], 'a mail can be copied twice');
select is(tap.mails('b'), '1:0 2:0 3:8[x] 4:8[x]', 'with flags and keywords');
select is((tap.copy('b', '{1}', 'b')).r_uids, '{5}'::bigint[], 'into its own mailbox');

select throws_ok($$select tap.copy('a', '{1,99}', 'b')$$, 'PB410', null, 'a missing mail refuses the whole copy');
select is(tap.counters('b'), '5/3/20 6', 'nothing of it is left');
select throws_ok($$select tap.copy('a', '{1}', 'none')$$, 'PB404', null, 'a missing target is refused');
select throws_ok($$select tap.copy('a', '{1}', 'b', p_name => 'c')$$, 'PB404', null, 'so is one of another name');

-- Moves
update old set a = tap.modseq('a'), b = tap.modseq('b');
select is((tap.copy('a', '{1,2}', 'b', p_move => true, p_flags => 8)).r_uids, '{6,7}'::bigint[], 'mails are moved');
select is(tap.mails('a'), '3:8[k]', 'they are gone from the source');
select is(tap.counters('a'), '1/0/4 4', 'its counters follow');
select is(tap.tombstones('a', (select a + 65536 from old)), '{1,2}'::bigint[], 'it has tombstones');
select is(tap.counters('b'), '7/3/28 8', 'the target has them');
select is((select count(*) from pgbox.message), 3::bigint, 'no message was copied');

select is((tap.copy('b', '{1}', 'b', p_move => true)).r_uids, '{8}'::bigint[], 'a move within a mailbox');
select is(tap.counters('b'), '7/3/28 9', 'gives a new UID to the mail');
select is((tap.copy('b', '{2}', 'b', p_name => 'b')).r_uids, '{9}'::bigint[], 'a target that has the name it is known by');

select * from finish();
rollback;
