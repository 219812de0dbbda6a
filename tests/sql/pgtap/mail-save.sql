-- mail_save(), upload_chunks(), upload_abort()
begin;
set local search_path = tap, public;
select plan(23);

select tap.new_mailbox('a');
create temporary table old as select tap.modseq('a') as modseq;
select is(tap.save('a', 3), '{1,2,3}'::bigint[], 'UIDs are consecutive');
select is(tap.counters('a'), '3/3/12 4', 'counters follow');
select is(tap.modseq('a'), (select modseq + 65536 from old), 'one command takes one MODSEQ');
select is((select array_agg(distinct modseq) from pgbox.mail where mailbox_id = tap.mailbox('a')),
    array[tap.modseq('a')], 'which its mails have');
select is(tap.save('a', 1, 8), '{4}'::bigint[], 'a seen mail ...');
select is(tap.counters('a'), '4/3/16 5', '... is not unseen');
select is(tap.save('a', 2, 0, 'junk'), '{5,6}'::bigint[], 'keywords are set');
select is(tap.mails('a'), '1:0 2:0 3:0 4:8 5:0[junk] 6:0[junk]', 'on the right mails');
select is(tap.save('a', 2, p_uid => 100), '{100,101}'::bigint[], 'wanted UIDs are given');
select is(tap.save('a', 1, p_uid => 50), '{102}'::bigint[], 'if they are free');
select is((select count(*) from pgbox.message_chunk), 9::bigint, 'each message has its bytes');
select is((select count(*) from pgbox.message_part), 5::bigint, 'and parts where they were given');
select throws_ok($$select tap.save('missing')$$, 'PB404', null, 'a mailbox that does not exist is refused');
select is((select count(*) from pgbox.message), 9::bigint, 'and leaves no message');
select throws_ok($$
    select pgbox.mail_save(tap.account(), tap.mailbox('a'), '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
        '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 0, '{}', '{}', '{}', '{}', '{}', '{}',
        '{}', '{}', '{}', '{}', '{}', '{}', '{}', 'b')
    $$, 'PB404', null, 'a mailbox that has another name than expected is refused');

-- Uploads
create temporary table upload as
select tap.upload(null, 0, repeat('x', 262144)::bytea) as id;
select pgbox.upload_chunks(tap.account(), id, 1, 3, 'end', 4, '.') from upload;
select results_eq($$
    select n, size, octet_length(data) from pgbox.message_chunk c join upload u on u.id = c.message_id order by n
    $$, $$values (0, 262144, 262144), (1, 3, 3), (2, 4, 1)$$, 'chunks come one or several at once');
select throws_ok($$select tap.upload(id, 2, 'x', 'bert') from upload$$, 'PB404', null,
    'an upload belongs to its account');
create temporary table args as select array_fill(null::text, '{1}') as t, array_fill(null::bytea, '{1}') as b;
prepare save_upload as
select (pgbox.mail_save(tap.account(), tap.mailbox('a'), array['guid'], array[id], b, '{262151}', '{0}',
    array[sha256('')], '{0}', '{0}', '{null}', '{null}', t, t, t, t, t, array[''::bytea], b, b,
    '{0}', '{0}', t, '{null}', 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')).r_uids
from args, upload;
select results_eq('save_upload', $$values ('{103}'::bigint[])$$, 'an upload is saved');
select is((select count(*) from pgbox.message_upload), 0::bigint, 'and is no upload any more');
select is((select sum(octet_length(data)) from pgbox.message_chunk c join upload u on u.id = c.message_id),
    262148::bigint, 'its chunks are the message''s');
select throws_ok('execute save_upload', 'PB404', null, 'it is not saved twice');

update upload set id = tap.upload(null, 0, 'x');
select pgbox.upload_abort(tap.account(), id) from upload;
select is((select count(*) from pgbox.message_chunk c join upload u on u.id = c.message_id), 0::bigint,
    'an aborted upload is gone');
select throws_ok('execute save_upload', 'PB404', null, 'and cannot be saved');

select * from finish();
rollback;
