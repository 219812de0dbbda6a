-- The epoch of the database, raised first if it was raised elsewhere: on another
-- timeline, in another cluster, or for a table that was loaded from a dump.
-- Parameters: none. Returns the epoch.
-- Locks and writes: the row of epoch, only when it is raised.
create or replace function pgbox.current_epoch()
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_here pgbox.server_history;
    v_epoch pgbox.epoch;
begin
    select h.* into v_here
    from pgbox.server_history h;
    if v_here.fits then
        return v_here.epoch;
    end if;
    -- Several sessions notice at once: only the first one raises.
    perform 1 from pgbox.epoch for update;
    select h.* into v_here
    from pgbox.server_history h;
    if v_here.fits then
        return v_here.epoch;
    end if;
    select e.* into v_epoch
    from pgbox.epoch e;
    -- A promotion takes the next timeline. It may skip some, but that also means
    -- that others have been there.
    return pgbox.epoch_begin(coalesce(
        v_here.timeline = v_epoch.timeline + 1
            and v_here.system_identifier = v_epoch.system_identifier
            and v_epoch.relation_oid = 'pgbox.epoch'::regclass,
        false
    ));
end
$$;

comment on function pgbox.current_epoch() is 'Epoch of the database; raised when it was raised elsewhere.';
