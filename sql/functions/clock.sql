-- What time it is, for what is kept for a while from now on: not before the latest
-- time that is known here, so that retention does not count from a day long past
-- because the clock fell behind.
-- Parameters: none. Returns the time.
-- Locks: the row of epoch, once an hour; if it is locked, nothing is waited for.
-- Writes: epoch (clock_at, leapt_at).
create or replace function pgbox.clock()
returns timestamptz
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_clock_at timestamptz;
begin
    select e.clock_at into v_clock_at
    from pgbox.epoch e;
    if now() > v_clock_at + interval '1 hour' then
        update pgbox.epoch e
        set clock_at = now(),
            -- longer than purges are apart, where nobody expunges
            leapt_at = case when now() > e.clock_at + interval '40 days' then now() else e.leapt_at end
        where e.only_row in (
            select o.only_row
            from pgbox.epoch o
            where o.clock_at = v_clock_at
            for no key update skip locked
        );
    end if;
    return greatest(now(), v_clock_at);
end
$$;

comment on function pgbox.clock() is 'What time it is: not before the latest time that is known here.';
