-- The epoch of the database, raised first if the server is on another
-- timeline than before.
-- Parameters: none. Returns the epoch.
-- Locks and writes: the row of epoch, only when it is raised.
create or replace function pgbox.current_epoch()
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_epoch bigint;
begin
    select e.epoch into v_epoch
    from pgbox.epoch e
    where e.timeline = pgbox.current_timeline();
    if found then
        return v_epoch;
    end if;
    -- Several sessions notice at once: only the first one raises.
    perform 1 from pgbox.epoch for update;
    select e.epoch into v_epoch
    from pgbox.epoch e
    where e.timeline = pgbox.current_timeline();
    if found then
        return v_epoch;
    end if;
    return pgbox.raise_epoch();
end
$$;

comment on function pgbox.current_epoch() is 'Epoch of the database; raised when the server''s timeline has changed.';
