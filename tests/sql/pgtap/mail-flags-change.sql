-- mail_flags_change(): whatever it is asked, it does and answers as mail_change()
begin;
set local search_path = tap, public;
select plan(7);

-- Two mailboxes that are and stay the same
select tap.new_mailbox(b) from unnest('{a,b}'::text[]) b;
select tap.save(b, 4) from unnest('{a,b}'::text[]) b;
select tap.change(b, '{2,3}', p_add => 8) from unnest('{a,b}'::text[]) b;
select tap.change(b, '{3}', p_add => 4, p_keyword_add => 'Label') from unnest('{a,b}'::text[]) b;
update pgbox.mailbox set uid_validity = 1 where account_id = tap.account();

create function pg_temp.general(p_max_modseq bigint, p_uid bigint, p_add int, p_remove int)
returns text
language sql
as $$
    select c::text
    from pgbox.mail_change(
        tap.account(), tap.mailbox('a'), p_max_modseq, array[p_uid], array[p_uid],
        array[p_add]::smallint[], array[p_remove]::smallint[], '{f}', '{}', '{}', '{}', '{}', 0::smallint, null, 7
    ) c
$$;

create function pg_temp.short(p_max_modseq bigint, p_uid bigint, p_add int, p_remove int)
returns text
language sql
as $$
    select c::text
    from pgbox.mail_flags_change(
        tap.account(), tap.mailbox('b'), p_max_modseq, p_uid, p_add::smallint, p_remove::smallint, 7
    ) c
$$;

create function pg_temp.state(p_mailbox text)
returns text
language sql
as $$
    select concat_ws(
        ' / ',
        tap.counters(p_mailbox),
        tap.modseq(p_mailbox),
        (
            select string_agg(concat_ws(' ', m.uid, m.modseq, m.flags), ', ' order by m.uid)
            from pgbox.mail m
            where m.mailbox_id = tap.mailbox(p_mailbox)
        ),
        (
            select string_agg(concat_ws(' ', c.modseq, c.operation, c.uids), ', ' order by c.modseq)
            from pgbox.mail_change c
            where c.mailbox_id = tap.mailbox(p_mailbox)
        )
    )
$$;

-- All old flags of interest, all ways to change them; UID 99 does not exist.
create temporary table ask as
select row_number() over () as number, m.max_modseq, u.uid, f.flag_add, f.flag_remove
from (values (null), (0), (tap.modseq('a')), (tap.modseq('a') + 65536 * 5)) m (max_modseq)
cross join (values (1), (2), (3), (99)) u (uid)
cross join (values (8, 0), (8, 0), (0, 8), (0, 8), (2, 29), (8, 23), (1, 0), (0, 1), (0, 31)) f (flag_add, flag_remove);

create temporary table answer as
select
    a.number,
    pg_temp.general(a.max_modseq, a.uid, a.flag_add, a.flag_remove) as general,
    pg_temp.short(a.max_modseq, a.uid, a.flag_add, a.flag_remove) as short
from ask a;

select ok(count(*) filter (where x.general like '%,t,%') > 10, 'some are changed') from answer x;
select ok(count(*) filter (where x.general like '%{1}%') > 1, 'some are conflicts') from answer x;
select ok(count(*) filter (where x.general like '%,f,%') > 10, 'some change nothing') from answer x;
select is_empty(
    'select * from answer where general <> short',
    'the answers are the same'
);
select is(pg_temp.state('b'), pg_temp.state('a'), 'and so is what is stored');

-- After a restart all mails are as new as the mailbox.
select pgbox.mailbox_restart(tap.account(), tap.mailbox('b'));
select is(
    (select c.r_conflict_uids from pgbox.mail_flags_change(
        tap.account(), tap.mailbox('b'), tap.modseq('b') - 1, 1, 16::smallint, 0::smallint, 7) c),
    '{1}', 'modseq_floor counts for UNCHANGEDSINCE'
);
select throws_ok(
    'select pgbox.mail_flags_change(tap.account(), 0, null, 1, 8::smallint, 0::smallint, 7)',
    'PB404', null, 'a mailbox that is gone'
);

select * from finish();
rollback;
