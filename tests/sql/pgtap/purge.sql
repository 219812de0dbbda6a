-- purge(), messages_remove(), clock(), clock_is_right()
begin;
set local search_path = tap, public;
select plan(46);

create temporary view counts as
select
    (select count(*) from pgbox.message) as messages,
    (select count(*) from pgbox.message_chunk) as chunks,
    (select count(*) from pgbox.message_part) as parts,
    (select coalesce(sum(cardinality(uids)), 0) from pgbox.expunged) as tombstones;

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a');
select tap.save('a');
select tap.save('a');
select tap.copy('a', '{2}', 'b');
select tap.change('a', '{1,2}', p_expunge => true);

select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'what is young stays');
update pgbox.expunged set expunged_at = now() - interval '8 days';
select is(pgbox.purge(tap.account('bert'), '7 days', '90 days', 100), 0::bigint, 'another account is left alone');
select cmp_ok(pgbox.purge(null, '7 days', '90 days', 100), '>', 0::bigint, 'what is old goes');
select results_eq('table counts', $$values (2::bigint, 2::bigint, 2::bigint, 2::bigint)$$,
    'the message, with chunks and parts; not one that a copy needs, and no tombstone');
select is(tap.sync('a', 0, 1, 0), 'M 3:0 T 1 2', 'a sync does not notice');
select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'then nothing is left to do');

update pgbox.expunged set expunged_at = now() - interval '91 days';
create temporary table box as select modseq::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('a');
select is(pgbox.purge(null, '7 days', '90 days', 100), 2::bigint, 'old tombstones go');
select is((select tombstones from counts), 0::bigint, 'all of them');
select is((select history_floor from pgbox.mailbox where mailbox_id = tap.mailbox('a')), (select modseq from box),
    'the mailbox says how far its history reaches back');
select is((select modseq::bigint from pgbox.mailbox where mailbox_id = tap.mailbox('a')), (select modseq from box),
    'HIGHESTMODSEQ stays');
select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'then nothing is left to do');

-- Batches, and a deleted mailbox
select tap.new_mailbox('d');
select tap.save('d', 5, p_keyword => 'k');
select pgbox.attribute_set(tap.account(), tap.mailbox('d'), array[''], array['k'], array['v'::bytea], array[null::bigint]);
select pgbox.mailbox_delete(tap.account(), tap.mailbox('d'), 'd');
select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'a deleted mailbox stays for a while');
update pgbox.mailbox set deleted_at = now() - interval '8 days' where name = 'd';
select is(pgbox.purge(null, '7 days', '90 days', 3), 3::bigint, 'a batch is not larger than asked for');
select is((select count(*) from pgbox.mailbox where name = 'd'), 1::bigint, 'the mailbox goes last');
select cmp_ok((select sum(pgbox.purge(null, '7 days', '90 days', 3)) from generate_series(1, 10)), '>', 0::numeric,
    'the rest follows');
select is((select count(*) from pgbox.mailbox where name = 'd'), 0::bigint, 'the mailbox is gone');
select is(
    (select count(*) from pgbox.mail where mailbox_id not in (select mailbox_id from pgbox.mailbox))
    + (select count(*) from pgbox.expunged where mailbox_id not in (select mailbox_id from pgbox.mailbox))
    + (select count(*) from pgbox.mailbox_keyword where mailbox_id not in (select mailbox_id from pgbox.mailbox))
    + (select count(*) from pgbox.mail_change where mailbox_id not in (select mailbox_id from pgbox.mailbox)),
    0::bigint, 'with all its rows');
select is((select messages from counts), 2::bigint, 'and its messages');
select throws_ok($$select pgbox.purge(null, '7 days', '90 days', 0)$$, 'PB400', null, 'a batch of nothing is refused');

-- Rows of tombstones, of which a batch may need more than one
select tap.new_mailbox('rows');
select tap.save('rows', 300);
select tap.change('rows', array(select generate_series(1, 300)), p_expunge => true);
update pgbox.expunged set expunged_at = now() - interval '8 days';
create temporary table batch as select pgbox.purge(null, '7 days', '90 days', 128) as mails;
select is((select mails between 128 and 255 from batch), true, 'a batch ends with the row that has enough');
select is(pgbox.purge(null, '7 days', '90 days', 300), 300 - mails, 'the next one has the rest') from batch;
select is((select messages from counts), 2::bigint, 'and no message is left over');

-- A message with an old and a young tombstone
select tap.new_mailbox('old');
select tap.new_mailbox('young');
select tap.save('old', 2);
select tap.copy('old', '{2}', 'young', p_move => true);
update pgbox.expunged set expunged_at = now() - interval '8 days';
select tap.change('old', '{1}', p_expunge => true);
select tap.change('young', '{1}', p_expunge => true);
select is(pgbox.purge(null, '7 days', '90 days', 100), 1::bigint, 'the old tombstone is looked at');
select is((select messages from counts), 4::bigint, 'the young one keeps the message');
update pgbox.expunged set expunged_at = now() - interval '8 days';
select is(pgbox.purge(null, '7 days', '90 days', 100), 2::bigint, 'until it is old, too');
select is((select messages from counts), 2::bigint, 'then the message goes');

-- Uploads
select tap.upload(null, 0, 'x');
select pgbox.purge(null, '7 days', '90 days', 100);
select is((select count(*) from pgbox.message_upload), 1::bigint, 'a young upload stays');
update pgbox.message_upload set started_at = now() - interval '2 days';
select pgbox.purge(null, '7 days', '90 days', 100);
select is((select count(*) from pgbox.message_upload) + (select chunks from counts), 2::bigint, 'an old one goes');

-- A clock that was, or is, wrong
create function tap.set_clock(p_clock timestamptz, p_leapt timestamptz default '-infinity') returns void language sql as $$
    update pgbox.epoch set clock_at = p_clock, leapt_at = p_leapt
$$;
create temporary view clock as select now() - clock_at as behind, leapt_at from pgbox.epoch;
create function tap.new_tombstone() returns timestamptz language sql as $$
    select tap.save('clock');
    select tap.change('clock', array(select uid from pgbox.mail where mailbox_id = tap.mailbox('clock')), p_expunge => true);
    select expunged_at from pgbox.expunged where mailbox_id = tap.mailbox('clock') order by modseq desc limit 1;
$$;
select tap.new_mailbox('clock');

select tap.set_clock(now() - interval '1 hour');
select is(tap.new_tombstone(), now(), 'an expunge counts from what the clock shows');
select is((select behind from clock), interval '1 hour', 'which is written down once an hour');
select tap.set_clock(now() - interval '61 minutes');
select is(tap.new_tombstone(), now(), 'an expunge after more than an hour');
select results_eq('table clock', $$values (interval '0', timestamptz '-infinity')$$, 'writes it down');

select tap.set_clock(now() + interval '400 days');
select is(tap.new_tombstone(), now() + interval '400 days', 'if the clock fell behind, an expunge counts from what is known');
select is((select behind from clock), interval '-400 days', 'which stays known');
select tap.new_mailbox('behind');
select pgbox.mailbox_delete(tap.account(), tap.mailbox('behind'), 'behind');
select is((select deleted_at from pgbox.mailbox where name = 'behind'), now() + interval '400 days', 'so does a DELETE');
select tap.upload(null, 0, 'x');
select is((select max(started_at) from pgbox.message_upload), now() + interval '400 days', 'and an upload');
select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'all of it is kept');

select is(pgbox.clock_is_right(), 3::bigint, 'if the clock was ahead before, the admin says so');
select is((select behind from clock), interval '0', 'then nothing later is known');
select is((select max(expunged_at) from pgbox.expunged), now(), 'and what was expunged');
select is((select deleted_at from pgbox.mailbox where name = 'behind'), now(), 'or deleted since counts from now on');

update pgbox.expunged set expunged_at = now() - interval '400 days';
update pgbox.mailbox set deleted_at = now() - interval '400 days' where name = 'behind';
select tap.set_clock(now() - interval '41 days');
select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'after a leap of the clock nothing is purged');
select is((select leapt_at from clock), now(), 'and the leap is written down');
select tap.set_clock(now(), now() - interval '7 days' + interval '1 second');
select is(pgbox.purge(null, '7 days', '90 days', 100), 0::bigint, 'until the retention is over');
select tap.set_clock(now() - interval '39 days', now() - interval '7 days');
select cmp_ok(pgbox.purge(null, '7 days', '90 days', 100), '>', 0::bigint, 'then it is');
select is((select leapt_at from clock), now() - interval '7 days', 'a time in which nobody expunges is no leap');

select * from finish();
rollback;
