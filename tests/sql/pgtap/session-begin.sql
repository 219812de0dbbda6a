-- session_begin()
begin;
set local search_path = tap, public;
select plan(26);

create temporary table here as select * from pgbox.server_history;
create temporary table said (numbers bigint[]);
-- What a frontend has seen: the server as it is, but for what is given.
create function pg_temp.begin(
    system_identifier bigint default null, timeline int default null, place pg_lsn default null, epoch bigint default null,
    raised_at timestamptz default null
) returns bigint[] language sql as $$
    select pgbox.session_begin(
        coalesce($1, h.system_identifier), coalesce($2, h.timeline), coalesce($3, h.position), coalesce($4, h.epoch),
        (extract(epoch from coalesce($5, h.raised_at)) * 1000000)::bigint
    ) from here h
$$;
create function pg_temp.again() returns void language sql as $$
    delete from here;
    insert into here select * from pgbox.server_history;
$$;

insert into said select pgbox.session_begin(0, 0, '0/0', 0, 0);
select is(numbers[1:2], array[system_identifier, timeline], 'a session is told the server') from said cross join here;
select is(numbers[3], epoch, 'its epoch') from said cross join here;
select is(numbers[4], (extract(epoch from raised_at) * 1000000)::bigint, 'and when that was raised') from said cross join here;
select is(array_length(numbers, 1), 4, 'and no more') from said;
select is((pg_temp.begin())[3], epoch, 'who has seen it goes on') from here;

-- The same server, but not all that was seen
select isnt((pg_temp.begin(place => h.position + 1000000000))[3], h.epoch, 'a lower position is a lost history') from here h;
select is((select continued_from from pgbox.epoch), '{}', 'that begins anew');
select is((pg_temp.begin(place => h.position + 1000000000))[3], (select epoch from pgbox.epoch), 'once') from here h;
select pg_temp.again();
select isnt((pg_temp.begin(epoch => 1, raised_at => h.raised_at + interval '1 day'))[3], h.epoch, 'so does an epoch that is gone') from here h;
select cmp_ok((select raised_at from pgbox.epoch), '>', (select raised_at + interval '1 day' from here), 'which was before');
select pg_temp.again();
select isnt((pg_temp.begin(epoch => 1, timeline => h.timeline - 1, raised_at => h.raised_at + interval '1 hour'))[3], h.epoch,
    'also after a promotion by a server whose clock is late') from here h;

-- A server that was left behind
select pg_temp.again();
select throws_matching('select pg_temp.begin(epoch => 1, timeline => h.timeline + 1, raised_at => h.raised_at + interval ''1 hour'') from here h',
    'the server is behind', 'an older epoch on a lower timeline is refused');
select throws_matching('select pg_temp.begin(epoch => 1, system_identifier => 1, raised_at => h.raised_at + interval ''1 hour'') from here h',
    'the server is behind', 'an older epoch in another cluster, too');
select is((select epoch from pgbox.epoch), epoch, 'which changes nothing there') from here;
select is((pg_temp.begin(epoch => 1, timeline => h.timeline + 1, raised_at => h.raised_at - interval '1 second'))[3], h.epoch,
    'what the admin has raised since is right') from here h;
update pgbox.epoch set timeline = timeline + 3;
select throws_matching('select pg_temp.begin(timeline => h.timeline + 1) from here h', 'the server is behind',
    'nor is an epoch raised there');
select is((select epoch from pgbox.epoch), epoch, 'if the timeline is lower') from here;
update pgbox.epoch set timeline = timeline - 3;

-- A promotion
update pgbox.epoch set timeline = timeline - 1;
select isnt((pg_temp.begin(timeline => h.timeline - 1))[3], h.epoch, 'a promotion') from here h;
select is((select continued_from from pgbox.epoch), array[h.epoch], 'continues the epoch') from here h;
select is((pg_temp.begin(timeline => h.timeline - 1))[3], (select epoch from pgbox.epoch), 'for all who were there') from here h;
select isnt((pg_temp.begin(timeline => h.timeline - 1, epoch => 1))[3], e.epoch, 'who was elsewhere since')
from pgbox.epoch e cross join here h;
select is((select continued_from from pgbox.epoch), '{}', 'does not go on');
select is((pg_temp.begin(timeline => h.timeline - 1, epoch => 1))[3], (select epoch from pgbox.epoch), 'and begins anew once') from here h;

-- Settings
set local synchronous_commit = off;
select throws_ok('select pg_temp.begin()', 'F0000', 'pgbox needs synchronous_commit to be on, not off', 'synchronous_commit is checked');
set local synchronous_commit = local;
select lives_ok('select pg_temp.begin()', 'its other values are as good');
select is((select count(*) from pgbox.server_history), 1::bigint, 'there is one history');

select * from finish();
rollback;
