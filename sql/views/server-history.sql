-- Where the server's history is: what a frontend compares with what it has seen.
create or replace view pgbox.server_history as
select
    s.system_identifier,
    t.timeline,
    pg_current_wal_flush_lsn() as position,
    coalesce(e.epoch, 0) as epoch,
    e.raised_at,
    e.fresh_at,
    e.continued_from,
    coalesce(
        e.system_identifier = s.system_identifier
            and e.timeline = t.timeline
            and e.relation_oid = e.tableoid,
        false
    ) as fits
from pg_control_system() s
cross join (
    select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline
) t
left join pgbox.epoch e on true;

comment on view pgbox.server_history is 'Where the server''s history is. One row.';
comment on column pgbox.server_history.system_identifier is 'Of the cluster (pg_control_system).';
comment on column pgbox.server_history.timeline is 'WAL timeline that the server writes on.';
comment on column pgbox.server_history.position is 'End of the WAL that is on the disk.';
comment on column pgbox.server_history.epoch is 'The epoch.';
comment on column pgbox.server_history.raised_at is 'When the epoch began.';
comment on column pgbox.server_history.fresh_at is 'When the first of the epochs began that were only continued since.';
comment on column pgbox.server_history.continued_from is 'The epochs since then, but for this one.';
comment on column pgbox.server_history.fits is
    'False while the epoch has to be raised: it was raised elsewhere.';
