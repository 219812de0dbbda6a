-- text_claim(), text_next(), text_store(), text_lease()
begin;
set local search_path = tap, public;
select plan(45);

create function tap.claim(p_box text, p_limit int default 10, p_bodies boolean default true, p_max_uid bigint default 100,
    p_max_bytes bigint default 1000000)
returns text language sql as $$
    select coalesce(string_agg(uid::text, ',' order by uid), '')
    from pgbox.text_claim(tap.account(), tap.mailbox(p_box), p_max_uid, p_bodies, p_limit, p_max_bytes)
$$;
create function tap.store(p_box text, p_uid bigint, p_header text, p_body text, p_error text default null)
returns int language sql as $$
    select pgbox.text_store(array[tap.account()], array[message_id], array[p_header], array['F'], array['T'], array['C'],
        array['B'], array['S'], array['I'], array[p_body], array[p_error])
    from pgbox.mail
    where mailbox_id = tap.mailbox(p_box)
        and uid = p_uid
$$;
create function tap.queued() returns text language sql as $$
    select coalesce(string_agg(m.uid::text, ',' order by m.uid), '')
    from pgbox.message_text_queue q
    join pgbox.mail m using (account_id, message_id)
    where m.mailbox_id = tap.mailbox('a')
$$;

select tap.new_mailbox('a');
select tap.new_mailbox('b');
select tap.save('a') from generate_series(1, 5);
select is(tap.queued(), '1,2,3,4,5', 'a new message is queued');
select tap.copy('a', '{1}', 'b');
select is((select count(*) from pgbox.message_text_queue), 5::bigint, 'a copy is no new message');

select is(tap.claim('a', p_max_bytes => 1), '1', 'however large it is, one is taken');
update pgbox.message_text_queue set leased_until = null, attempts = 0;
select is(tap.claim('a', p_max_bytes => 3 * max(size) - 1), '1,2', 'others only as far as the octets go')
from pgbox.message;
update pgbox.message_text_queue set leased_until = null, attempts = 0;
select is(tap.claim('a', 2), '1,2', 'as many as wanted are taken');
select is(tap.claim('b', 2), '', 'nobody else gets them, from wherever');
select is(tap.claim('a', 10, p_max_uid => 4), '3,4', 'none above the highest UID wanted');
select is(tap.store('a', 1, 'H', 'B'), 1, 'text is stored');
select is((select (t.header, from_field, to_field, cc_field, bcc_field, subject_field, message_id_field, body)::text from pgbox.message_text t),
    '(H,F,T,C,B,S,I,B)', 'each in its column');
select is(tap.store('a', 1, 'other', 'other'), 0, 'but not twice');
update pgbox.message_text set folding = 1;
select is(tap.store('a', 1, 'H', 'B'), 0, 'one that is not queued is not replaced');
insert into pgbox.message_text_queue (account_id, message_id)
select account_id, message_id from pgbox.message_text;
select is(tap.store('a', 1, 'H', 'B'), 1, 'one of another folding is');
select is(tap.store('a', 2, 'H', null), 1, 'text without body is stored');
select is(tap.store('a', 3, null, null, 'broken'), 0, 'a message can be marked');
select is(tap.queued(), '2,3,4,5', 'what is not complete stays queued');

update pgbox.message_text_queue set leased_until = now() - interval '1 second' where leased_until is not null;
select is(tap.claim('a', 10, false), '5', 'one with all but its body is not taken without need; new ones come first');
select is(tap.claim('a', 10), '2', 'with need it is');
select is(tap.claim('a', 10), '4', 'one that was begun before comes alone');
update pgbox.message_text_queue set leased_until = now() + interval '400 days', attempts = 1;
select is(tap.claim('a', 10), '2', 'one that was begun while the clock was ahead is as good as any other');
select is(concat_ws(',', tap.claim('a', 10), tap.claim('a', 10)), '4,5', 'so are all others');
select is(tap.claim('a', 10), '', 'each once');
update pgbox.message_text_queue set leased_until = null, attempts = 3;
select is(tap.claim('a', 10), '', 'after three attempts none any more');
select is(tap.store('a', 4, 'H', 'B'), 1, 'who comes late is still heard');

select tap.change('a', '{1,2,3,4,5}', p_expunge => true);
update pgbox.expunged set expunged_at = now() - interval '8 days';
select pgbox.purge(null, '7 days', '90 days', 100);
select is((select count(*) from pgbox.message_text_queue), 0::bigint, 'with a message it leaves the queue');
select is((select count(*) from pgbox.message_text), 1::bigint, 'and its text goes; that of the copy stays');

-- text_next(): of all accounts
create function tap.next(p_limit int default 10, p_bytes bigint default 1000)
returns text language sql as $$
    select coalesce(string_agg(m.uid || case when n.bodies then 'b' else '' end || case when n.failed then '!' else '' end, ','
        order by m.uid), '')
    from pgbox.text_next(p_limit, p_bytes) n
    join pgbox.mail m using (account_id, message_id)
$$;
create function tap.expire() returns void language sql as $$
    update pgbox.message_text_queue set leased_until = now() - interval '1 second' where leased_until is not null
$$;
delete from pgbox.message_text_queue;
select tap.new_mailbox('n');
select tap.save('n') from generate_series(1, 6);
update pgbox.message_text_queue set wanted = 0 where message_id = (select message_id from pgbox.mail where mailbox_id = tap.mailbox('n') and uid = 1);
update pgbox.message_text_queue set wanted = 1 where message_id = (select message_id from pgbox.mail where mailbox_id = tap.mailbox('n') and uid = 2);
select is((select string_agg(encode(data, 'escape'), ',') from pgbox.text_next(1, 1000)), 'mail', 'a small message comes with its octets');
select is(current_setting('synchronous_commit'), 'off', 'nobody waits for the disk');
select is(tap.next(2), '3b,4b', 'the oldest first, as many as wanted, and without those of which nothing is wanted');
select is(tap.next(10, 1), '5b', 'and as many bytes as wanted');
select is(tap.claim('n', 10), '1,6', 'sessions get what is left, even if it is not wanted from the service');
select is(tap.next(), '', 'nobody gets what others are at work on');
select is(tap.store('n', 2, 'H', null), 1, 'text of a header is stored');
select is((select wanted::int from pgbox.message_text_queue where has_header), 0, 'no more was wanted');
select tap.expire();
select is(tap.next(), '3b', 'one that was begun before comes alone');
select is((select leased_until > now() + interval '59 seconds' from pgbox.message_text_queue where attempts = 2), true, 'for a minute');
select is(tap.store('n', 3, 'H', null), 1, 'a session without bodies is faster');
select is((select (wanted, attempts)::text from pgbox.message_text_queue where has_header and wanted > 0), '(2,0)',
    'the service will get it again for its body');
select is(tap.store('n', 3, 'H', 'B'), 1, 'and stores it');
update pgbox.message_text_queue set attempts = 3, leased_until = now() - interval '1 second' where attempts > 0 and wanted > 0;
select is(tap.next(), '4!,5!,6!', 'those that three processes did not get through are marked');
select is((select count(*) from pgbox.message_text_queue where error like 'Three%'), 3::bigint, 'and say so');

-- A lease is as long as its message is large, and never longer.
select is((select pgbox.text_lease(account_id, message_id) from pgbox.mail where mailbox_id = tap.mailbox('n') and uid = 1),
    interval '60.000004 seconds', 'a message of four octets is leased for a minute and 4 us');
delete from pgbox.message_text_queue;
select tap.save('n');
update pgbox.message set size = 300000000 where message_id = (select message_id from pgbox.mail where mailbox_id = tap.mailbox('n') and uid = 7);
update pgbox.message_text_queue set attempts = 1, leased_until = now() + interval '6 minutes';
select is(tap.next() || tap.claim('n'), '', 'one of 300 MB may be at work on for six minutes');
update pgbox.message_text_queue set leased_until = now() + interval '6 minutes 1 second';
select is(tap.next(), '7b', 'more is the clock''s fault');
select is((select leased_until - now() from pgbox.message_text_queue), interval '6 minutes', 'then it has its own time');
update pgbox.message_text_queue set attempts = 3, leased_until = now() + interval '400 days';
select is(tap.next(), '7!', 'and one that three processes did not get through is marked');

select * from finish();
rollback;
