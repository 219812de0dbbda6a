-- mail_copy()
begin;
set local search_path = tap, public;
select plan(35);

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a', 3, 8, 'k');
create temporary table old as select tap.modseq('a') as a, tap.modseq('b') as b;

select is((tap.copy('a', '{3,1}', 'b')).r_uids, '{1,2}'::bigint[], 'copies get UIDs in the order that was asked for');
select is(
    (select array_agg(s.uid order by t.uid) from pgbox.mail t join pgbox.mail s using (message_id)
        where t.mailbox_id = tap.mailbox('b') and s.mailbox_id = tap.mailbox('a')),
    '{3,1}'::bigint[], 'and share the message');
select is(tap.mails('b'), '1:8[k] 2:8[k]', 'and have the flags and keywords of their sources');
select is(tap.counters('b'), '2/0/8 3', 'counters of the target follow');
select is(tap.counters('a'), '3/0/12 4', 'those of the source stay');
select is(tap.modseq('a'), (select a from old), 'so does its MODSEQ');
select is(tap.modseq('b'), (select b + 65536 from old), 'the target has a new one');
select is((tap.copy('a', '{1,1}', 'b', p_add => 2, p_remove => 8, p_keyword_add => 'x', p_keyword_remove => 'K')).r_uids,
    '{3,4}'::bigint[], 'a mail can be copied twice');
select is(tap.mails('b'), '1:8[k] 2:8[k] 3:2[x] 4:2[x]', 'with other flags and keywords');
select is((tap.copy('a', '{1}', 'b', p_keyword_add => 'K')).r_uids, '{5}'::bigint[], 'a keyword that it has is added');
select is(tap.mails('b'), '1:8[k] 2:8[k] 3:2[x] 4:2[x] 5:8[k]', 'which changes nothing');
select is((tap.copy('b', '{1}', 'b')).r_uids, '{6}'::bigint[], 'into its own mailbox');

select throws_ok($$select tap.copy('a', '{1,99}', 'b')$$, 'PB410', null, 'a missing mail refuses the whole copy');
select is(tap.counters('b'), '6/2/24 7', 'nothing of it is left');
select throws_ok($$select tap.copy('a', '{1}', 'none')$$, 'PB404', null, 'a missing target is refused');
select throws_ok($$select tap.copy('a', '{1}', 'b', p_name => 'c')$$, 'PB404', null, 'so is one of another name');

-- Moves
update old set a = tap.modseq('a'), b = tap.modseq('b');
select is((tap.copy('a', '{1,2}', 'b', p_move => true)).r_uids, '{7,8}'::bigint[], 'mails are moved');
select is(tap.mails('a'), '3:8[k]', 'they are gone from the source');
select is(tap.counters('a'), '1/0/4 4', 'its counters follow');
select is(tap.tombstones('a', (select a + 65536 from old)), '{1,2}'::bigint[], 'it has tombstones');
select is(tap.counters('b'), '8/2/32 9', 'the target has them');
select is((select count(*) from pgbox.message), 3::bigint, 'no message was copied');

select is((tap.copy('b', '{1}', 'b', p_move => true)).r_uids, '{9}'::bigint[], 'a move within a mailbox');
select is(tap.counters('b'), '8/2/32 10', 'gives a new UID to the mail');
select is((tap.copy('b', '{2}', 'b', p_name => 'b')).r_uids, '{10}'::bigint[], 'a target that has the name it is known by');

-- Sources that are gone
select tap.new_mailbox('gone');
select tap.save('gone', 1);
create temporary table gone as select tap.mailbox('gone') as mailbox_id;
select pgbox.mailbox_delete(tap.account(), tap.mailbox('gone'), 'gone');
select throws_ok(
    $$select pgbox.mail_copy(
        tap.account(), tap.mailbox('b'), array[tap.account()], array[mailbox_id], '{1}', '{f}', '{0}', '{0}', '{1}',
        '{0}', '{null}', '{null}', 0, '{}', '{}', '{}', 1
    ) from gone$$,
    'PB410', null, 'mails of a deleted mailbox are expunged, the target is not missing');

-- From another account
select tap.account('otto');
select tap.new_mailbox('theirs', 'otto');
select tap.save('theirs', 1, 9, 'Theirs', p_account => 'otto', p_data => 'their mail');
select pgbox.text_store(array[tap.account('otto')], array[m.message_id], '{H}', '{F}', '{T}', '{C}', '{B}', '{S}', '{I}', '{BODY}', '{null}')
from pgbox.message m where m.account_id = tap.account('otto');
select tap.new_mailbox('ours');
select is((tap.copy('theirs', '{1}', 'ours', p_account => 'otto')).r_uids, '{1}'::bigint[], 'a mail of another account is copied');
select is(tap.mails('ours'), '1:9[Theirs]', 'with its flags and keywords');
select is(tap.counters('ours'), '1/0/10 2', 'and counted');
create temporary table pair as
select s.message_id as theirs, o.message_id as ours
from pgbox.message s
join pgbox.message o using (guid)
where s.account_id = tap.account('otto') and o.account_id = tap.account();
select is((select count(*) from pair where theirs <> ours), 1::bigint, 'its message is the account''s own');
select is(
    (select (c.n, c.size, c.data)::text from pgbox.message_chunk c, pair where c.message_id = ours),
    (select (c.n, c.size, c.data)::text from pgbox.message_chunk c, pair where c.message_id = theirs), 'with the same octets');
select is(
    (select to_jsonb(m) - 'account_id' - 'message_id' from pgbox.message m, pair where m.message_id = ours),
    (select to_jsonb(m) - 'account_id' - 'message_id' from pgbox.message m, pair where m.message_id = theirs),
    'the same columns');
select is(
    (select to_jsonb(p) - 'account_id' - 'message_id' from pgbox.message_part p, pair where p.message_id = ours),
    (select to_jsonb(p) - 'account_id' - 'message_id' from pgbox.message_part p, pair where p.message_id = theirs),
    'the same parts');
select is((tap.copy('theirs', '{1}', 'ours', p_account => 'otto', p_move => true)).r_uids, '{2}'::bigint[], 'it is moved');
select is(
    (select messages from pgbox.mailbox where mailbox_id = tap.mailbox('theirs', 'otto')), 0::pgbox.mail_count,
    'and gone there');

select * from finish();
rollback;
