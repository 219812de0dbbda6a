-- Tells all frontends that something has changed.
-- $1 payloads, of less than 8000 bytes each: names of wake-up files
-- Losing one in a crash does no harm, so it doesn't wait for the disk.
select set_config('synchronous_commit', 'off', true)
union all
select pg_notify('pgbox', payload)::text
from unnest($1::text[]) as payload
