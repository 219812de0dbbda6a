-- Starts another epoch: for the admin after loading a dump, and for
-- current_epoch() when the server has changed its timeline.
-- Parameters: none. Returns the new epoch.
-- Locks and writes: the row of epoch.
create or replace function pgbox.raise_epoch()
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_epoch bigint := ('x' || replace(gen_random_uuid()::text, '-', ''))::bit(63)::bigint;
begin
    insert into pgbox.epoch as e (epoch, system_identifier, timeline)
    select v_epoch, s.system_identifier, pgbox.current_timeline()
    from pg_control_system() s
    on conflict (only_row) do update
    set epoch = excluded.epoch,
        system_identifier = excluded.system_identifier,
        timeline = excluded.timeline,
        raised_at = now();
    return v_epoch;
end
$$;

comment on function pgbox.raise_epoch() is
    'Starts another epoch; call it after loading a dump of a database that clients have used since.';
