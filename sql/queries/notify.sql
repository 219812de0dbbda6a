-- Tells all frontends that something has changed. Losing that in a crash does no
-- harm, so it doesn't wait for the disk.
-- Parameters:
--   payloads text[]: of less than 8000 bytes each: names of wake-up files
-- Columns:
--   position pg_lsn: end of the WAL that is on the disk
select pg_current_wal_flush_lsn() as position
from (
    select set_config('synchronous_commit', 'off', true) as setting
) s
cross join lateral (
    select count(pg_notify('pgbox', payload)::text) as sent
    from unnest(:payloads) as payload
) n
where s.setting is not null
    and n.sent >= 0
