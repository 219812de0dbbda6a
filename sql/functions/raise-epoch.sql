-- Starts another epoch, which has nothing to do with what clients have seen: for
-- the admin who has gone back to an older state.
-- Parameters: none. Returns the new epoch.
-- Locks and writes: as epoch_begin().
create or replace function pgbox.raise_epoch()
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select pgbox.epoch_begin(false)
$$;

comment on function pgbox.raise_epoch() is
    'Starts another epoch; call it after going back to an older state of the database.';
