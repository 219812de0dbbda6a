-- Starts another epoch that goes on from the last one: for the admin who has moved
-- the database as it was to another cluster, which looks like a restore.
-- Parameters: none. Returns the new epoch.
-- Locks and writes: as epoch_begin().
create or replace function pgbox.continue_epoch()
returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    select pgbox.epoch_begin(true)
$$;

comment on function pgbox.continue_epoch() is
    'Starts another epoch that goes on from the last one; call it after moving the database as it was.';
