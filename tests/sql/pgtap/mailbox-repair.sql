-- mailbox_problems(), mailbox_repair(), message_values(), chunk_octets(). tool/repair.sh has
-- all kinds of damage.
begin;
set local search_path = tap, public;
select plan(32);

select tap.new_mailbox('a');
select tap.save('a', 3, p_keyword => 'k');
create temporary table box as
select b.ctid as place, b.*
from pgbox.mailbox b
where b.mailbox_id = tap.mailbox('a');
create function pg_temp.repair(p_mailbox text default 'a', p_bodies boolean default true)
returns text
language sql
as $$
    select string_agg(concat_ws(' ', r.kind, r.uid), ', ' order by r.kind, r.uid)
    from pgbox.mailbox_repair(tap.account(), tap.mailbox(p_mailbox), p_bodies) r
$$;
create function pg_temp.sync()
returns text
language sql
as $$
    select tap.sync('a', modseq, uid_next)
    from box
$$;

select is(pg_temp.repair(), null, 'a sound mailbox has no problem');
select is(ctid, (select place from box), 'and is not written to')
from pgbox.mailbox
where mailbox_id = tap.mailbox('a');
select is(modseq, (select modseq from box), 'nor has it another MODSEQ')
from pgbox.mailbox
where mailbox_id = tap.mailbox('a');

update pgbox.mailbox set unseen = 0, messages = 7, bytes = 3, first_recent_uid = 0;
select is(pg_temp.repair(), 'counters, counters', 'wrong counters');
select is(tap.counters('a'), '3/3/12 4', 'are counted anew');
select is(modseq::bigint, (select modseq::bigint from box), 'of which frontends have nothing')
from pgbox.mailbox
where mailbox_id = tap.mailbox('a');

update pgbox.mail set flags = 40, keyword_ids = '{1,null,9}' where uid = 2;
select is(pg_temp.repair(), 'counters, mail 2', 'impossible flags and keywords');
select is(tap.mails('a'), '1:0[k] 2:8[k] 3:0[k]', 'go, the others stay');
select is(pg_temp.sync(), 'M 2:8', 'and frontends hear of it');
select is(tap.counters('a'), '3/2/12 4', 'the flag that is left counts');

-- Octets
update pgbox.message_chunk set data = 'mael'
where message_id = (select message_id from pgbox.mail where uid = 1);
select is(pg_temp.repair(p_bodies => false), null, 'octets are not compared unless it is wanted');
select is(pg_temp.repair(), 'octets 1', 'damaged octets');
select is(tap.mails('a'), '2:8[k] 3:0[k] 4:0[k]', 'another mail is there instead, with flags and keywords');
select is(pg_temp.sync(), 'M 2:8 4:0 T 1', 'which frontends take for another');
select alike(convert_from(k.data, 'UTF8'), E'From: %\r\n\r\nThe mail store has lost %subject%UID 1 of mailbox a%', 'it says what was lost')
from pgbox.mail m
join pgbox.message_chunk k using (account_id, message_id)
where m.mailbox_id = tap.mailbox('a')
    and m.uid = 4;
select is(
    format('%s %s %s %s', g.size, g.header_size, p.body_size, p.body_lines),
    format('%s %s %s %s', length(t.text), h.size, length(t.text) - h.size,
        cardinality(string_to_array(substr(t.text, h.size + 1), E'\n')) - 1),
    'and its sizes are right')
from pgbox.mail m
join pgbox.message g using (account_id, message_id)
join pgbox.message_part p using (account_id, message_id)
join pgbox.message_chunk k using (account_id, message_id)
cross join lateral (select convert_from(k.data, 'LATIN1') as text) t
cross join lateral (select position(E'\r\n\r\n' in t.text) + 3 as size) h
where m.mailbox_id = tap.mailbox('a')
    and m.uid = 4;
select is((select count(*) from pgbox.message), 4::bigint, 'the damaged message is kept');
select pgbox.purge(null, interval '-1 minute', '90 days', 100);
select is((select count(*) from pgbox.message), 3::bigint, 'as long as one that was expunged');
select is(pg_temp.repair(), null, 'then all is well');

-- A copy of the message in another mailbox
select tap.new_mailbox('b');
select tap.copy('a', '{3}', 'b');
update pgbox.message set received_at = 'infinity'
where message_id = (select message_id from pgbox.mail where mailbox_id = tap.mailbox('b'));
select is(pg_temp.repair(), 'message 3', 'an impossible date');
select is(tap.mails('a'), '2:8[k] 4:0[k] 5:0[k]', 'gives the mail another UID');
select is(pg_temp.repair('b'), 'message 1', 'its copy in another mailbox, too');

-- UIDs that nobody can believe
update pgbox.mail set uid = 4294967300 where uid = 4;
select is(pg_temp.repair(), 'uid 4294967300', 'an impossible UID');
select cmp_ok(uid_validity::bigint, '>', (select uid_validity::bigint from box), 'is another one in another UIDVALIDITY')
from pgbox.mailbox
where mailbox_id = tap.mailbox('a');
select is(tap.mails('a'), '2:8[k] 5:0[k] 6:0[k]', 'the next one');

-- A deleted mailbox, which the purge has to come to
select tap.save('b', 5);
select pgbox.mailbox_delete(tap.account(), tap.mailbox('b'), 'b');
update pgbox.mailbox set messages = 0, unseen = 0 where name = 'b';
select is(count(*), 1::bigint, 'counters of a deleted mailbox')
from pgbox.mailbox b
cross join lateral pgbox.mailbox_repair(b.account_id, b.mailbox_id, false)
where b.name = 'b';

-- Frames
select is(pgbox.chunk_octets('\x28b52ffd64e406050100c85375626a6563743a206672616d65'), 2020::bigint, 'octets of a frame');
select is(pgbox.chunk_octets('\x28b52ffd60e406050100c85375626a6563743a206672616d65'), null, 'not without a checksum');
select is(pgbox.chunk_octets('\x28b52ffda400000400'), 262144::bigint, 'a number of four bytes');
select is(pgbox.chunk_octets('Subject: frame'), null, 'what is no frame');
select is(pgbox.chunk_octets('\x502a4d180400000000000400' || '\x28b52ffda400000400'::bytea), 262144::bigint, 'of packed ones their number before they were');
select is(pgbox.chunk_octets('\x502a4d1804000000000004002020202020'), null, 'not of a mark without a frame');

select * from finish();
rollback;
