-- raise_epoch(), current_epoch(), current_timeline(), session_begin(), mailbox_lock(), mailbox_enter_epoch()
begin;
set local search_path = tap, public;
select plan(14);

create temporary table old as select pgbox.current_epoch() as epoch;
select is(pgbox.current_epoch(), (select epoch from old), 'the epoch stays');
select is(pgbox.session_begin(), (select max(version) from pgbox.schema_version), 'a session is told the schema version');
select is(pgbox.current_epoch(), (select epoch from old), 'and does not raise the epoch');
select is(pgbox.current_timeline(), (select timeline_id from pg_control_checkpoint()), 'the timeline is the server''s');

select tap.new_mailbox('a');
select tap.save('a', 3);
create temporary table box as select * from pgbox.mailbox where mailbox_id = tap.mailbox('a');

-- As after a promotion: the row was written on another timeline.
update pgbox.epoch set timeline = timeline + 1;
select isnt(pgbox.current_epoch(), (select epoch from old), 'another timeline is another epoch');
select is(pgbox.current_epoch(), (select e.epoch from pgbox.epoch e), 'which stays again');

select is((select numbers[5] from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), 0, 1, 0, 0) where kind = 0), -1::bigint,
    'a sync asks for the mailbox to be brought into the epoch');
select is((select count(*) from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), 0, 1, 0, 0)), 1::bigint,
    'and says nothing else');
select is(pgbox.mailbox_enter_epoch(tap.account(), tap.mailbox('a')), pgbox.current_epoch(), 'it is brought there');
select cmp_ok((select b.uid_next - o.uid_next from pgbox.mailbox b join box o using (mailbox_id)), '>=', 1000000::bigint,
    'UIDNEXT has jumped');
select cmp_ok((select b.modseq - o.modseq from pgbox.mailbox b join box o using (mailbox_id)), '>=', 1::bigint << 40,
    'MODSEQ has jumped');
select is(
    (select count(*) from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), (select modseq from box), 4, 0, (select epoch from old))
        where kind = 1 and modseq > (select modseq from box)),
    3::bigint, 'every mail looks changed to a frontend of the old epoch');
select is(tap.save('a'), array[(select uid_next + 1000000 from box)], 'new mails get UIDs nobody has seen');

-- As after loading a dump into another cluster.
update pgbox.epoch set system_identifier = system_identifier + 1;
update old set epoch = pgbox.current_epoch();
select pgbox.session_begin();
select isnt(pgbox.current_epoch(), (select epoch from old), 'another cluster is another epoch');

select * from finish();
rollback;
