-- Tells all frontends that something has changed.
-- $1 payloads, of less than 8000 bytes each: names of wake-up files
-- Columns: end of the WAL that is on the disk.
-- Losing one in a crash does no harm, so it doesn't wait for the disk.
select pg_current_wal_flush_lsn()
from (
    select set_config('synchronous_commit', 'off', true) as setting
) s
cross join lateral (
    select count(pg_notify('pgbox', payload)::text) as sent
    from unnest($1::text[]) as payload
) n
where s.setting is not null
    and n.sent >= 0
