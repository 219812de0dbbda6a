-- What has changed in a mailbox since a frontend last looked: everything from
-- one snapshot, and only what has changed.
-- Parameters: account; mailbox;
--   p_modseq, p_uid_next, p_keywords: HIGHESTMODSEQ, UIDNEXT and number of
--     keywords that the frontend has; 0, 1 and 0 for a frontend that has nothing;
--   p_epoch: the epoch these are from.
-- Returns rows of three kinds, in this order:
--   0  one row: numbers = {uid_validity, uid_next, modseq, first_recent_uid,
--      epoch, full, tombstones_after, pop3_values}, keyword_names = the keywords
--      after p_keywords. full is 1 if the rows are the whole mailbox: what they do
--      not name is gone; tombstones up to tombstones_after are left out then.
--      epoch is -1 while mailbox_enter_epoch() has to be
--      called first; then nothing follows.
--   1  a mail: uid, modseq, flags, keyword_ids; ascending UIDs.
--   2  a tombstone: uid, modseq, guid; ascending modseq and UID.
-- No row at all if the mailbox does not exist.
-- Locks and writes: none. Stable, so that all parts see one snapshot.
create or replace function pgbox.mailbox_sync(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_modseq bigint,
    p_uid_next bigint,
    p_keywords int,
    p_epoch bigint
)
returns table (
    kind smallint,
    uid bigint,
    modseq bigint,
    flags smallint,
    keyword_ids smallint[],
    guid text,
    numbers bigint[],
    keyword_names text[]
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- How many mails are in the ranges is not known to the planner: it would compile
-- a query for many in 70 ms, to read a few.
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_box pgbox.mailbox;
    v_epoch bigint;
    v_full boolean;
    v_names text[] := '{}'::text[];
    v_ranges int8multirange;
    v_tombstones_after bigint;
    v_row record;
    v_count bigint := 0;
begin
    select b.* into v_box
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
        and b.deleted_at is null;
    if not found then
        return;
    end if;
    select h.epoch into v_epoch
    from pgbox.epoch_here h
    where h.epoch = v_box.epoch;
    if not found then
        v_epoch := -1;
    end if;
    v_full := v_epoch <> p_epoch or p_modseq < v_box.history_floor or p_modseq = 0;
    if v_box.keywords > p_keywords or v_full then
        v_names := array(
            select k.name
            from pgbox.mailbox_keyword k
            where k.account_id = p_account_id
                and k.mailbox_id = p_mailbox_id
                and k.keyword_id > p_keywords
            order by k.keyword_id
        );
    end if;
    if v_full then
        -- A new frontend replays the newest tombstones exactly; about older
        -- ones it tells clients a superset.
        v_tombstones_after := v_box.history_floor;
        for v_row in
            select x.modseq, cardinality(x.uids) as mails
            from pgbox.expunged x
            where x.account_id = p_account_id
                and x.mailbox_id = p_mailbox_id
                and x.modseq > v_box.history_floor
            order by x.modseq desc
            limit 50001
        loop
            v_count := v_count + v_row.mails;
            if v_count > 50000 then
                v_tombstones_after := v_row.modseq;
                exit;
            end if;
        end loop;
    else
        v_tombstones_after := p_modseq;
    end if;
    return query
    select
        0::smallint, 0::bigint, 0::bigint, 0::smallint, null::smallint[], null::text,
        array[
            v_box.uid_validity, v_box.uid_next, v_box.modseq, v_box.first_recent_uid,
            v_epoch, v_full::int, v_tombstones_after, v_box.pop3_values::int
        ],
        v_names;
    if v_epoch = -1 or (v_box.modseq <= p_modseq and v_box.uid_next <= p_uid_next and not v_full) then
        return;
    end if;

    if v_full then
        return query
        select
            1::smallint, m.uid, greatest(m.modseq, v_box.modseq_floor), m.flags,
            m.keyword_ids,
            null::text, null::bigint[], null::text[]
        from pgbox.mail m
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
        order by m.uid;
    else
        -- Two steps, and "offset 0": joined, the planner may read the whole mailbox.
        v_ranges := (
            select range_agg(r.uids)
            from pgbox.mail_change c
            cross join unnest(c.uids) r (uids)
            where c.account_id = p_account_id
                and c.mailbox_id = p_mailbox_id
                and c.modseq > p_modseq
        );
        return query
        select
            1::smallint, m.uid, greatest(m.modseq, v_box.modseq_floor), m.flags,
            m.keyword_ids,
            null::text, null::bigint[], null::text[]
        from (
            select c.uid, c.modseq, c.flags, c.keyword_ids
            from unnest(v_ranges) r (uids)
            cross join lateral (
                select x.uid, x.modseq, x.flags, x.keyword_ids
                from pgbox.mail x
                where x.account_id = p_account_id
                    and x.mailbox_id = p_mailbox_id
                    and x.uid between lower(r.uids) and upper(r.uids) - 1
                offset 0
            ) c
            where c.uid < p_uid_next
            union all
            select n.uid, n.modseq, n.flags, n.keyword_ids
            from pgbox.mail n
            where n.account_id = p_account_id
                and n.mailbox_id = p_mailbox_id
                and n.uid >= p_uid_next
        ) m
        order by m.uid;
    end if;
    return query
    select
        2::smallint, t.uid, t.modseq, 0::smallint, null::smallint[], t.guid,
        null::bigint[], null::text[]
    from (
        select x.modseq, unnest(x.uids) as uid, unnest(x.guids) as guid
        from pgbox.expunged x
        where x.account_id = p_account_id
            and x.mailbox_id = p_mailbox_id
            and x.modseq > v_tombstones_after
    ) t
    order by t.modseq, t.uid;
end
$$;

comment on function pgbox.mailbox_sync(bigint, bigint, bigint, bigint, int, bigint) is
    'What has changed in a mailbox since a frontend last looked.';
