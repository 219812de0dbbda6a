-- A frontend has seen more of this epoch than there is: starts another one, which
-- has nothing to do with what clients have seen.
-- Parameters: the epoch, which somebody else may have ended meanwhile; a time that
--   the new one has to be later than, or null.
-- Returns the epoch that there is then.
-- Locks and writes: as epoch_begin().
create or replace function pgbox.history_lost(
    p_epoch bigint,
    p_after timestamptz default null
)
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
    for update;
    if v_epoch = p_epoch then
        raise log 'pgbox: commits that clients have seen are lost, a new epoch begins';
        v_epoch := pgbox.epoch_begin(false, p_after);
    end if;
    return v_epoch;
end
$$;

comment on function pgbox.history_lost(bigint, timestamptz) is
    'Starts another epoch when commits of this one are lost.';
