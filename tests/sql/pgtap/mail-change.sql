-- mail_change(), keywords_change(), mails_expunge()
begin;
set local search_path = tap, public;
select plan(64);

select tap.new_mailbox('a');
select tap.save('a', 5);

-- Flags; unseen is what is easy to get wrong.
select is((tap.change('a', '{1,2}', p_add => 8)).r_changed, true, '\Seen is added');
select is(tap.counters('a'), '5/3/20 6', 'and unseen goes down');
select is((tap.change('a', '{1}', p_add => 8)).r_changed, false, 'twice changes nothing');
select is(tap.counters('a'), '5/3/20 6', 'not even the counter');
select is((tap.change('a', '{1}', p_add => 1)).r_changed, true, '\Answered is added to a seen mail');
select is(tap.counters('a'), '5/3/20 6', 'which does not count');
select is((tap.change('a', '{1}', p_add => 2, p_remove => 8)).r_changed, true, '\Seen is replaced');
select is(tap.counters('a'), '5/4/20 6', 'and unseen goes up');
select is((tap.change('a', '{1,2,3}', p_remove => 31, p_add => 8)).r_changed, true, 'flags are replaced, seen stays or comes');
select is(tap.counters('a'), '5/2/20 6', 'and unseen is right');
select is(tap.mails('a'), '1:8 2:8 3:8 4:0 5:0', 'so are the flags');
select tap.change('a', '{1,2,3}', p_remove => 31);
select is(tap.counters('a'), '5/5/20 6', 'all removed');

-- MODSEQ
create temporary table old as select tap.modseq('a') as modseq;
select is((tap.change('a', '{1,2,99}', p_add => 4)).r_modseq, (select modseq + 65536 from old), 'one change, one MODSEQ');
select is((select array_agg(uid order by uid) from pgbox.mail where modseq = tap.modseq('a')), '{1,2}'::bigint[],
    'for the mails that changed');
select is((select uids from pgbox.mail_change where modseq = tap.modseq('a')), '{[1,3)}'::int8multirange, 'which are listed');
update old set modseq = tap.modseq('a');
select is((tap.change('a', '{1,2,99}', p_add => 4)).r_modseq, (select modseq from old), 'no change, no MODSEQ');
select is(tap.modseq('a'), (select modseq from old), 'in the mailbox either');
select is((tap.change('a', '{2,3}', p_add => 1)).r_changed, true, 'a partial change');
select is((select array_agg(uid order by uid) from pgbox.mail where modseq > (select modseq from old)), '{2,3}'::bigint[],
    'gives its MODSEQ only to its mails');

-- UNCHANGEDSINCE
select is((tap.change('a', '{1,2,3}', p_add => 2, p_max_modseq => (select modseq from old))).r_conflict_uids, '{2,3}'::bigint[],
    'mails changed since are conflicts');
select is(tap.mails('a'), '1:6 2:5 3:1 4:0 5:0', 'and are left alone');
select is((tap.change('a', '{2}', p_keyword_add => 'k', p_max_modseq => (select modseq from old))).r_conflict_uids, '{2}'::bigint[],
    'for keywords too');
select is((tap.change('a', '{2}', p_expunge => true, p_max_modseq => (select modseq from old))).r_conflict_uids, '{2}'::bigint[],
    'and for expunges');
select is(tap.mails('a'), '1:6 2:5 3:1 4:0 5:0', 'nothing happened to it');

-- Keywords
select is((tap.change('a', '{1,2}', p_keyword_add => 'Work')).r_changed, true, 'a keyword is added');
select is((tap.change('a', '{1,2}', p_keyword_add => 'WORK')).r_changed, false, 'in any case it is the same');
select is((tap.change('a', '{2,3}', p_keyword_add => 'home')).r_changed, true, 'another one');
select is(tap.mails('a'), '1:6[Work] 2:5[Work,home] 3:1[home] 4:0 5:0', 'both are there');
select is((tap.change('a', '{1,3}', p_keyword_remove => 'work')).r_changed, true, 'one is removed');
select is((select array_agg(uid order by uid) from pgbox.mail where modseq = tap.modseq('a')), '{1}'::bigint[],
    'which changes only the mail that had it');
select is((tap.change('a', '{1}', p_keyword_remove => 'nobody has it')).r_changed, false, 'an unknown keyword is not removed');
select is((select count(*) from pgbox.mailbox_keyword where name = 'nobody has it'), 0::bigint, 'nor made');
select is((tap.change('a', '{2}', p_keyword_add => 'work', p_keyword_clear => true)).r_changed, true, 'keywords are replaced');
select is(tap.mails('a'), '1:6 2:5[Work] 3:1[home] 4:0 5:0', 'by those given');

select is((tap.change('a', '{2}', p_keyword_add => 'work', p_keyword_clear => true)).r_changed, false, 'or not, if they are the same');
select is((tap.change('a', '{1,2,3}', p_add => 8, p_keyword_add => 'home')).r_changed, true, 'flags and a keyword at once');
select is(tap.mails('a'), '1:14[home] 2:13[Work,home] 3:9[home] 4:0 5:0', 'are added to those that lack either');
select is(tap.counters('a'), '5/2/20 6', 'and unseen follows');
select is((tap.change('a', '{1,2,3,4}', p_remove => 8, p_keyword_clear => true)).r_changed_uids, '{1,3}'::bigint[],
    'both go');
select is(tap.mails('a'), '1:6 2:5 3:1 4:0 5:0', 'from all that have either');
select is(tap.counters('a'), '5/5/20 6', 'and unseen follows again');
select is((tap.change('a', '{2,4}', p_keyword_add => 'home')).r_changed_uids, '{2,2,4,4}'::bigint[], 'what lies between is not named');
select is(tap.mails('a'), '1:6 2:5[home] 3:1 4:0[home] 5:0', 'nor changed');
select is((tap.change('a', '{1}', p_last => '{5}', p_keyword_add => 'home')).r_changed_uids, '{1,1,3,3,5,5}'::bigint[],
    'of a range, those that change are named');
select is((tap.change('a', '{2}', p_last => '{4}', p_keyword_remove => 'home')).r_changed_uids, '{2,4}'::bigint[],
    'as a range if they are all');
select is(tap.mails('a'), '1:6[home] 2:5 3:1 4:0 5:0[home]', 'and no others change');
select is((select array_agg(keyword_ids order by uid) from pgbox.mail where keyword_ids is not null), '{{3},{3}}'::smallint[],
    'no keywords are null, not an empty array');

-- Expunge
select is((tap.change('a', '{2,5,77}', p_expunge => true)).r_changed, true, 'mails are expunged');
select is(tap.counters('a'), '3/3/12 6', 'the counters follow');
select is(tap.tombstones('a', tap.modseq('a')), '{2,5}'::bigint[], 'tombstones have the MODSEQ');
select is((tap.change('a', '{1}', p_last => '{4}', p_add => 16)).r_changed_uids, '{1,4}'::bigint[], 'a range may span what is gone');

-- A whole mailbox at once
create function pg_temp.index_updates()
returns bigint
language sql
as $$
    select s.n_tup_upd - s.n_tup_hot_upd
    from pg_stat_xact_user_tables s
    where s.relid = 'pgbox.mail'::regclass
$$;
select tap.new_mailbox('all');
select tap.save('all', 1000);
create temporary table before as select pg_temp.index_updates() as updates;
select is((tap.change('all', '{1}', p_last => '{1000}', p_add => 8)).r_changed_uids, '{1,1000}'::bigint[], 'all are marked as read');
select is(pg_temp.index_updates() - updates, 0::bigint, 'without an index entry: the pages have room for it') from before;

-- Tombstones of many mails, and a mail that changes before it goes
select is((tap.change('all', '{100,128,127,129,500,1000}', p_expunge => true)).r_changed, true, 'some of many are expunged');
select is(tap.tombstones('all', tap.modseq('all')), '{100,127,128,129,500,1000}'::bigint[], 'each has its tombstone');
select results_eq(
    $$select uid_block, cardinality(uids) from pgbox.expunged where modseq = tap.modseq('all') order by uid_block$$,
    $$values (0::bigint, 2), (1, 2), (3, 1), (7, 1)$$,
    'those of 128 successive UIDs are in one row');
select is(
    (
        select array_agg(s.guid order by s.uid)
        from pgbox.mailbox_sync(tap.account(), tap.mailbox('all'), tap.modseq('all') - 65536, 1001, 0, pgbox.current_epoch()) s
        where s.kind = 2
    ),
    (
        select array_agg(s.guid order by t.uid)
        from pgbox.expunged x
        cross join unnest(x.uids, x.message_ids) t (uid, message_id)
        join pgbox.message s using (account_id, message_id)
        where x.modseq = tap.modseq('all')
    ),
    'with the GUID of its own message');
select tap.new_mailbox('seen');
select tap.save('seen', 1, 8);
select is(
    (
        pgbox.mail_change(
            tap.account(), tap.mailbox('seen'), null, '{1}', '{1}', '{0}', '{8}', '{f}', '{}', '{}', '{}', '{1}', 0::smallint, null, 1
        )
    ).r_expunged_uids,
    '{1}'::bigint[], 'a mail loses \Seen and goes in one command');
select is(tap.counters('seen'), '0/0/0 2', 'and is not counted');

-- What was the reason for expunging must still hold.
select tap.new_mailbox('w');
select tap.save('w', 4, 4);
select tap.change('w', '{2}', p_remove => 4);
select is((tap.change('w', '{1,2}', p_expunge => true, p_expunge_flags => 4)).r_expunged_uids, '{1}'::bigint[],
    'a mail that has lost \Deleted stays');
select is(tap.mails('w'), '2:0 3:4 4:4', 'with what it has now');
update old set modseq = tap.modseq('w');
select tap.change('w', '{3}', p_keyword_add => 'later');
select is((tap.change('w', '{2,3}', p_expunge => true, p_expunge_max_modseq => (select modseq from old))).r_expunged_uids,
    '{2}'::bigint[], 'so does one that was changed since it was looked at');
select is((tap.change('w', '{2,3}', p_expunge => true, p_expunge_flags => 1)).r_changed, false,
    'if all stay, nothing has changed');
select pgbox.mailbox_restart(tap.account(), tap.mailbox('w'));
select is((tap.change('w', '{4}', p_expunge => true, p_expunge_max_modseq => (select modseq from old))).r_expunged_uids,
    '{}'::bigint[], 'a mailbox that begins anew has changed');

select * from finish();
rollback;
