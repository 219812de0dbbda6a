-- mailbox_sync()
begin;
set local search_path = tap, public;
select plan(27);

select tap.new_mailbox('a');
create temporary view head as
select numbers, keyword_names from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), 0, 1, 0, 0) where kind = 0;

select is(tap.sync('a', 0, 1, 0), '', 'an empty mailbox has no mails');
select is((select numbers[6] from head), 1::bigint, 'but is reported in full');
select tap.save('a', 3, p_keyword => 'k');
select is(tap.sync('a', 0, 1, 0), 'M 1:0 2:0 3:0', 'a new frontend gets everything');
select results_eq(
    'select numbers[1:4], keyword_names from head',
    $$select array[b.uid_validity, 4, b.modseq, 1], array['k'] from pgbox.mailbox b where b.mailbox_id = tap.mailbox('a')$$,
    'with the numbers of the mailbox and its keywords');

create temporary table seen as select tap.modseq('a') as modseq, 4 as uid_next;
select is(tap.sync('a', modseq, uid_next), '', 'who has everything gets nothing') from seen;
select tap.change('a', '{2}', p_add => 8);
select is(tap.sync('a', modseq, uid_next), 'M 2:8', 'a changed mail') from seen;
select tap.save('a');
select is(tap.sync('a', modseq, uid_next), 'M 2:8 4:0', 'a new mail') from seen;
select tap.change('a', '{2,3}', p_expunge => true);
select is(tap.sync('a', modseq, uid_next), 'M 4:0 T 2 3', 'expunged mails; their changes are gone with them') from seen;
select tap.save('a', 2);
select tap.change('a', '{5}', p_expunge => true);
select is(tap.sync('a', modseq, uid_next), 'M 4:0 6:0 T 2 3 5', 'mails that came and went meanwhile') from seen;
select tap.change('a', '{1}', p_keyword_add => 'other');
select is(tap.sync('a', modseq, uid_next), 'M 1:0 4:0 6:0 T 2 3 5', 'a changed keyword') from seen;
select is((select keyword_ids from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), (select modseq from seen), 4, 1, pgbox.current_epoch())
    where uid = 1), '{1,2}'::smallint[], 'with all keywords of the mail');
select is((select keyword_names from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), (select modseq from seen), 4, 1, pgbox.current_epoch())
    where kind = 0), '{other}'::text[], 'and the names that are new');
select is(tap.sync('a', modseq, 7), 'M 1:0 T 2 3 5', 'UIDs that are known are not new') from seen;
select is(tap.sync('a', tap.modseq('a'), 7), '', 'until everything is known');
select is(tap.sync('a', 0, 1, 0), 'M 1:0 4:0 6:0 T 2 3 5', 'a new frontend is told the tombstones');

-- History that was trimmed
update pgbox.mailbox set history_floor = (select modseq + 1 from seen) where mailbox_id = tap.mailbox('a');
select is((select numbers[6] from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), (select modseq from seen), 4, 0, pgbox.current_epoch())
    where kind = 0), 1::bigint, 'who is behind the history gets the whole mailbox');
select is((select numbers[6] from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), (select modseq + 1 from seen), 4, 0, pgbox.current_epoch())
    where kind = 0), 0::bigint, 'who is not, does not');

-- Many tombstones
insert into pgbox.expunged (account_id, mailbox_id, modseq, uid_block, uids, guids)
select tap.account(), tap.mailbox('many'), x.modseq, 0, array(select generate_series(1, 30000)), array_fill('g'::text, array[30000])
from (
    select tap.new_mailbox('many')
) b
cross join unnest('{65537,131073}'::bigint[]) x (modseq);
update pgbox.mailbox set modseq = 196609 where mailbox_id = tap.mailbox('many');
select results_eq(
    $$select numbers[7], (select count(*) from pgbox.mailbox_sync(tap.account(), tap.mailbox('many'), 0, 1, 0, 0) where kind = 2)
    from pgbox.mailbox_sync(tap.account(), tap.mailbox('many'), 0, 1, 0, 0) where kind = 0$$,
    'values (65537::bigint, 30000::bigint)',
    'a new frontend is told the tombstones of the newest commands, up to 50,000');
select is((select count(*) from pgbox.mailbox_sync(tap.account(), tap.mailbox('many'), 1, 1, 0, pgbox.current_epoch()) where kind = 2),
    60000::bigint, 'who has seen the mails is told all');

-- Copies into the mailbox and moves out of it
update seen set modseq = tap.modseq('a'), uid_next = 7;
select tap.copy('a', '{1,4}', 'a', p_move => true);
select is(tap.sync('a', modseq, uid_next), 'M 7:0 8:0 T 1 4', 'a move within the mailbox') from seen;

select is((select count(*) from pgbox.mailbox_sync(tap.account(), -1, 0, 1, 0, 0)), 0::bigint, 'no row for a mailbox that does not exist');
select is((select count(*) from pgbox.mailbox_sync(tap.account('bert'), tap.mailbox('a'), 0, 1, 0, 0)), 0::bigint, 'nor for another account''s');

-- POP3 UIDLs and orders
create function pg_temp.pop3_values(p_mailbox text) returns bigint language sql as $$
    select numbers[8] from pgbox.mailbox_sync(tap.account(), tap.mailbox(p_mailbox), 0, 1, 0, 0) where kind = 0
$$;
select tap.new_mailbox('uidl');
select tap.new_mailbox('order');
select is(pg_temp.pop3_values('a'), 0::bigint, 'most mailboxes have no POP3 UIDLs');
select tap.save('uidl', 2, p_pop3_uidl => 'x');
select is(pg_temp.pop3_values('uidl'), 1::bigint, 'who gets one is told of');
select tap.save('uidl');
select is(pg_temp.pop3_values('uidl'), 1::bigint, 'and stays so');
select tap.save('order', p_pop3_order => 5);
select is(pg_temp.pop3_values('order'), 1::bigint, 'an order counts, too');
select tap.copy('a', '{7}', 'a', p_pop3_uidl => 'x');
select is(pg_temp.pop3_values('a'), 1::bigint, 'so does that of a copy');

select * from finish();
rollback;
