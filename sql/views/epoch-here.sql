-- What every change asks: the epoch, as long as it is the server's. The timeline is
-- written out, as in server_history and in queries/session-begin.sql: each view or
-- function that is named costs a new connection time.
create or replace view pgbox.epoch_here as
select e.epoch
from pgbox.epoch e
where e.timeline = ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
    and e.relation_oid = e.tableoid;

comment on view pgbox.epoch_here is
    'The epoch. No row while it has to be raised: it was raised on another timeline, or loaded from a dump.';
comment on column pgbox.epoch_here.epoch is 'The epoch.';
