-- raise_epoch(), current_epoch(), epoch_begin(), mailbox_lock(), mailbox_begin_epoch(), mailbox_enter_epoch(), uid_validity_next(),
-- history_lost()
begin;
set local search_path = tap, public;
select plan(41);

create temporary table old as select pgbox.current_epoch() as epoch;
select is(pgbox.current_epoch(), (select epoch from old), 'the epoch stays');
select is((select timeline from pgbox.server_history), (select timeline_id from pg_control_checkpoint()), 'the timeline is the server''s');
select ok(fits, 'which the epoch fits') from pgbox.server_history;

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a', 3);
create temporary table box as select * from pgbox.mailbox where mailbox_id = tap.mailbox('a');
create temporary table ids as select nextval('pgbox.message_id_seq') as message_id, (select max(account_id) from pgbox.account) as account_id;

-- As after a promotion: the row was written on the timeline before.
update pgbox.epoch set timeline = timeline - 1;
select isnt(pgbox.current_epoch(), (select epoch from old), 'another timeline is another epoch');
select is(pgbox.current_epoch(), (select e.epoch from pgbox.epoch e), 'which stays again');
select is((select continued_from from pgbox.epoch), array[(select epoch from old)], 'it continues the last one');
select cmp_ok(nextval('pgbox.message_id_seq'), '>', (select message_id + 1000000 from ids), 'ids of messages jump');
select cmp_ok(pgbox.account_open('another', true), '>', (select account_id + 1000000 from ids), 'of accounts');
select cmp_ok((select max(mailbox_id) from pgbox.mailbox), '>', (select max(mailbox_id) + 1000000 from box), 'and of mailboxes');

select is((select epoch from pgbox.mailbox_state where mailbox_id = tap.mailbox('a')), 0::bigint, 'the mailbox is of none that is');
select is((select numbers[5] from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), 0, 1, 0, 0) where kind = 0), -1::bigint,
    'a sync asks for the mailbox to be brought into the epoch');
select is((select count(*) from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), 0, 1, 0, 0)), 1::bigint,
    'and says nothing else');
select is(pgbox.mailbox_enter_epoch(tap.account(), tap.mailbox('a')), pgbox.current_epoch(), 'it is brought there');
select is((select b.uid_validity from pgbox.mailbox b join box o using (mailbox_id)), (select uid_validity from box), 'UIDs stay valid');
select cmp_ok((select b.uid_next - o.uid_next from pgbox.mailbox b join box o using (mailbox_id)), '>=', 1000000::bigint,
    'UIDNEXT has jumped');
select cmp_ok((select b.uid_next::bigint from pgbox.mailbox b join box o using (mailbox_id)), '>=',
    floor(extract(epoch from now() - '2026-01-01 UTC'))::bigint, 'to where only time gets');
select cmp_ok((select b.modseq - o.modseq from pgbox.mailbox b join box o using (mailbox_id)), '>=', 1::bigint << 40,
    'MODSEQ has jumped');
select cmp_ok((select b.modseq::bigint from pgbox.mailbox b join box o using (mailbox_id)), '>=',
    floor(extract(epoch from now() - '2026-01-01 UTC'))::bigint * 1000 << 17, 'to where only time gets');
select is(
    (select count(*) from pgbox.mailbox_sync(tap.account(), tap.mailbox('a'), (select modseq from box), 4, 0, (select epoch from old))
        where kind = 1 and modseq > (select modseq from box)),
    3::bigint, 'every mail looks changed to a frontend of the old epoch');
select cmp_ok((tap.save('a'))[1], '>', (select uid_next + 1000000 from box), 'new mails get UIDs nobody has seen');
select tap.new_mailbox('made anew');
select cmp_ok((select uid_validity::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('made anew')), '>', (select uid_validity + 131000 from box),
    'new folders get UIDVALIDITYs nobody has seen');

-- Two promotions, and a mailbox that nobody has used between them.
update pgbox.epoch set timeline = timeline - 1;
select is((select count(*) from pgbox.epoch where pgbox.current_epoch() is not null and cardinality(continued_from) = 1), 1::bigint,
    'a second promotion');
select is((select cardinality(continued_from) from pgbox.epoch), 2, 'continues both');
create temporary table unused as select * from pgbox.mailbox where mailbox_id = tap.mailbox('b');
select pgbox.mailbox_enter_epoch(tap.account(), tap.mailbox('b'));
select is((select uid_validity from pgbox.mailbox where mailbox_id = tap.mailbox('b')), (select uid_validity from unused), 'UIDs stay valid then, too');

-- A folder is the first that is made after a promotion.
update pgbox.epoch set timeline = timeline - 1;
select tap.new_mailbox('first');
select cmp_ok((select uid_validity::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('first')), '>=',
    (select uid_validity from pgbox.epoch), 'its UIDVALIDITY is of the new epoch');

-- UIDs are used up.
update pgbox.mailbox set uid_next = 4294967000 where mailbox_id = tap.mailbox('b');
update pgbox.epoch set timeline = timeline - 1;
select pgbox.mailbox_enter_epoch(tap.account(), tap.mailbox('b'));
select is((select uid_next from pgbox.mailbox where mailbox_id = tap.mailbox('b')), 4294967000::pgbox.nz_number, 'where UIDNEXT cannot jump');
select cmp_ok((select uid_validity::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('b')), '>', (select uid_validity::bigint from unused), 'UIDVALIDITY does');

-- What is no promotion
create temporary table before as select * from pgbox.epoch;
prepare fresh as
select e.epoch <> o.epoch and e.continued_from = '{}' and e.fresh_at = e.raised_at and e.raised_at > o.raised_at
    and e.uid_validity > o.uid_validity
from pgbox.epoch e cross join before o
where e.epoch = pgbox.current_epoch();
update pgbox.epoch set timeline = timeline - 2;
select pgbox.current_epoch();
select results_eq('fresh', array[true], 'a timeline that is not the next one begins anew');
delete from before; insert into before select * from pgbox.epoch;
update pgbox.epoch set timeline = timeline + 1;
select pgbox.current_epoch();
select results_eq('fresh', array[true], 'so does an older one');
delete from before; insert into before select * from pgbox.epoch;
update pgbox.epoch set system_identifier = system_identifier + 1, timeline = timeline - 1;
select pgbox.current_epoch();
select results_eq('fresh', array[true], 'another cluster');
delete from before; insert into before select * from pgbox.epoch;
update pgbox.epoch set relation_oid = 1;
select is_empty('table pgbox.epoch_here', 'the table of a dump is noticed by every change');
select pgbox.current_epoch();
select results_eq('fresh', array[true], 'a dump in the same cluster begins anew');
delete from before; insert into before select * from pgbox.epoch;
select pgbox.raise_epoch();
select results_eq('fresh', array[true], 'and so does the admin');
delete from before; insert into before select * from pgbox.epoch;
create temporary table begun as select pgbox.history_lost(epoch) as epoch from before;
select is((select epoch from begun), (select epoch from pgbox.epoch), 'a frontend begins a new epoch');
select results_eq('fresh', array[true], 'anew');
select is(pgbox.history_lost((select epoch from before)), (select epoch from pgbox.epoch), 'once');
select cmp_ok((select raised_at from pgbox.epoch where pgbox.history_lost(epoch, '2100-01-01 UTC') is not null), '<', '2100-01-01 UTC', 'after what it has seen');
select cmp_ok((select raised_at from pgbox.epoch), '>', '2100-01-01 UTC', 'whatever the clock says');

delete from box; insert into box select * from pgbox.mailbox where mailbox_id = tap.mailbox('a');
select is((tap.save('a'))[1], (select uid_next::bigint from box), 'in a new history UIDs need not jump');
select cmp_ok((select uid_validity::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('a')), '>', (select uid_validity::bigint from box), 'as UIDVALIDITY does');
select is((select count(distinct uid_validity) from pgbox.mailbox where account_id = tap.account()),
    (select count(*) from pgbox.mailbox where account_id = tap.account()), 'no two mailboxes get the same');

select * from finish();
rollback;
