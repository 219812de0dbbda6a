-- Starts another epoch.
-- Parameters: whether it goes on from the last one, of which only the last commits
--   can be lost; a time that it has to be later than, or null.
-- Returns the new epoch.
-- Locks: the row of epoch. Writes: epoch, sequences.
create or replace function pgbox.epoch_begin(
    p_continues boolean,
    p_after timestamptz default null
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_old pgbox.epoch;
    v_epoch bigint := ('x' || replace(gen_random_uuid()::text, '-', ''))::bit(63)::bigint;
    v_time timestamptz;
    v_uid_validity numeric;
    v_sequence regclass;
begin
    select e.* into v_old
    from pgbox.epoch e
    for update;
    -- Later than any that it may follow, whatever the clock says.
    v_time := greatest(
        clock_timestamp(),
        v_old.raised_at + interval '1 microsecond',
        p_after + interval '1 microsecond'
    );
    if v_old.epoch is null then
        v_uid_validity := extract(epoch from v_time);
    else
        -- One a second, and 131072 more than folders made at once can have
        -- used. How many times, is random: two histories that part here have
        -- to part.
        v_uid_validity := v_old.uid_validity + extract(epoch from v_time - v_old.raised_at)
            + 131072 * (1 + floor(random() * 64));
        -- What is lost had accounts, mailboxes and messages of its own.
        foreach v_sequence in array array[
            pg_get_serial_sequence('pgbox.account', 'account_id'),
            pg_get_serial_sequence('pgbox.mailbox', 'mailbox_id'),
            'pgbox.message_id_seq'
        ]::regclass[] loop
            perform setval(v_sequence, greatest(
                nextval(v_sequence),
                (extract(epoch from v_time - timestamptz '2026-01-01 00:00:00+00') * 1000000)::bigint
            ));
        end loop;
    end if;
    insert into pgbox.epoch as e (
        epoch, system_identifier, timeline, relation_oid, raised_at, fresh_at, continued_from, uid_validity
    )
    select
        v_epoch,
        h.system_identifier,
        h.timeline,
        'pgbox.epoch'::regclass,
        v_time,
        case when p_continues then v_old.fresh_at else v_time end,
        case when p_continues then v_old.continued_from || v_old.epoch else '{}' end,
        least(floor(v_uid_validity), 4294967295)
    from pgbox.server_history h
    on conflict (only_row) do update
    set epoch = excluded.epoch,
        system_identifier = excluded.system_identifier,
        timeline = excluded.timeline,
        relation_oid = excluded.relation_oid,
        raised_at = excluded.raised_at,
        fresh_at = excluded.fresh_at,
        continued_from = excluded.continued_from,
        uid_validity = excluded.uid_validity;
    return v_epoch;
end
$$;

comment on function pgbox.epoch_begin(boolean, timestamptz) is 'Starts another epoch.';
