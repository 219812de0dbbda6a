-- uids_assign(), uids_compress(), keyword_ids()
begin;
set local search_path = tap, public;
select plan(19);

select is(pgbox.uids_assign(5, wanted), expected, format('from 5 wanting %s', wanted))
from (values
    ('{0}'::bigint[], '{5}'::bigint[]),
    ('{0,0,0}', '{5,6,7}'),
    ('{5}', '{5}'),
    ('{4}', '{5}'),
    ('{100}', '{100}'),
    ('{100,0,101}', '{100,101,102}'),
    ('{7,7}', '{7,8}'),
    ('{4294967294}', '{4294967294}')
) as v (wanted, expected);
select throws_ok($$select pgbox.uids_assign(4294967295, '{0}')$$, 'PB413', null, 'no UID above 2^32 - 2');
select throws_ok($$select pgbox.uids_assign(1, '{4294967294,0}')$$, 'PB413', null, 'nor after a wanted one');

select is(pgbox.uids_compress(uids), expected, format('%s as ranges', uids))
from (values
    ('{}'::bigint[], '{}'::int8multirange),
    ('{1}', '{[1,2)}'),
    ('{1,2,3,5}', '{[1,4),[5,6)}'),
    ('{5,3,1,2,3}', '{[1,4),[5,6)}')
) as v (uids, expected);

select tap.account();
select is(pgbox.keyword_ids(tap.account(), tap.mailbox('INBOX'), '{one,two,ONE}'), '{1,2,1}'::smallint[],
    'keywords are numbered in their order, without case');
select is(pgbox.keyword_ids(tap.account(), tap.mailbox('INBOX'), '{three,One}'), '{3,1}'::smallint[],
    'known ones keep their number');
select is((select string_agg(name, ' ' order by keyword_id) from pgbox.mailbox_keyword), 'one two three',
    'and their first spelling');
select is((select keywords from pgbox.mailbox where mailbox_id = tap.mailbox('INBOX')), 3::smallint,
    'the mailbox knows how many there are');
select is(pgbox.keyword_ids(tap.account(), tap.mailbox('INBOX'), '{}'), '{}'::smallint[], 'no keyword, no number');

select * from finish();
rollback;
