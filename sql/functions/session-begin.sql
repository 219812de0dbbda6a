-- What a frontend asks once per connection: whether the server is one that it can
-- work with, and goes on where the last one was that this frontend has seen. A
-- history that lost commits gets a new epoch; a server that was left behind is
-- refused, and nothing is written there.
-- Parameters: system identifier, timeline, position, epoch and the time when that
--   was raised that the frontend has seen last; 0 if it has seen none.
-- Returns these of the server, but for the position. Times are microseconds since
--   1970.
-- Errors: F0000 settings that mail cannot be kept with; a server that was left
--   behind.
-- Locks and writes: as epoch_begin(), only when the epoch is raised.
create or replace function pgbox.session_begin(
    p_system_identifier bigint,
    p_timeline int,
    p_position pg_lsn,
    p_epoch bigint,
    p_raised_at bigint
)
returns bigint[]
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_here pgbox.server_history;
    v_seen timestamptz := timestamptz '1970-01-01 00:00:00+00' + p_raised_at * interval '1 microsecond';
    v_lost boolean := false;
    v_left_behind boolean := false;
begin
    -- Functions wait for a lock, then read what the others have committed.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using
            errcode = 'F0000',
            message = format(
                'pgbox needs default_transaction_isolation to be read committed, not %s',
                current_setting('transaction_isolation')
            ),
            hint = format('ALTER ROLE %I SET default_transaction_isolation = %L', session_user, 'read committed');
    end if;
    -- What clients were told is there after a crash.
    if current_setting('synchronous_commit') = 'off' then
        raise exception using
            errcode = 'F0000',
            message = 'pgbox needs synchronous_commit to be on, not off',
            hint = format('ALTER ROLE %I SET synchronous_commit = on', session_user);
    end if;

    select h.* into v_here
    from pgbox.server_history h;
    if not v_here.fits then
        v_left_behind := v_here.system_identifier = p_system_identifier and v_here.timeline < p_timeline;
        if not v_left_behind then
            perform pgbox.current_epoch();
            select h.* into v_here
            from pgbox.server_history h;
        end if;
    end if;
    if v_left_behind or p_epoch = 0 then
        null;
    elsif v_here.epoch = p_epoch then
        v_lost := v_here.system_identifier = p_system_identifier
            and v_here.timeline = p_timeline
            and v_here.position < p_position;
    elsif v_here.raised_at > v_seen then
        -- Another promotion from the same state: it gives numbers that the
        -- one we have seen gave, too.
        v_lost := p_epoch <> all (v_here.continued_from) and v_here.fresh_at <= v_seen;
    else
        v_left_behind := v_here.system_identifier <> p_system_identifier or v_here.timeline < p_timeline;
        v_lost := not v_left_behind;
    end if;
    if v_left_behind then
        raise exception using
            errcode = 'F0000',
            message = format(
                'the server is behind: on timeline %s in epoch %s, but epoch %s on timeline %s has been there',
                v_here.timeline, v_here.epoch, p_epoch, p_timeline
            ),
            hint = 'If it is to be used all the same, without what came after: pgbox-schema raise-epoch';
    elsif v_lost then
        perform pgbox.history_lost(v_here.epoch, v_seen);
        select h.* into v_here
        from pgbox.server_history h;
    end if;
    return array[
        v_here.system_identifier,
        v_here.timeline,
        v_here.epoch,
        extract(epoch from v_here.raised_at) * 1000000
    ]::bigint[];
end
$$;

comment on function pgbox.session_begin(bigint, int, pg_lsn, bigint, bigint) is
    'Asked once per connection: whether the server goes on where the last one was.';
