-- Removes what nobody can see any more, about p_limit messages per call: call it
-- again until it returns 0.
-- Parameters: account, or null for all; how long the messages of expunged
--   mails and deleted mailboxes are kept; how long tombstones and changes are
--   kept; how many messages to remove, at most 127 more.
-- Returns the number of messages, tombstones and mails removed. Nothing is, with a
--   warning, for the first time after the clock has leapt forward.
-- Locks: an advisory lock, one purge at a time; mailbox rows whose history is
--   trimmed (skipped if they are busy); deleted mailbox rows; as clock().
-- Writes: everything but account and subscription.
create or replace function pgbox.purge(
    p_account_id bigint,
    p_retention interval,
    p_history interval,
    p_limit int
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Rows are found by key, one by one. Without statistics, as after a bulk load,
-- the planner believes that reading the whole mailbox is cheaper. What is off adds
-- to the estimate so much that each statement would be compiled.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set enable_material = off
set jit = off
as $$
declare
    v_box pgbox.mailbox;
    v_uids bigint[];
    v_account_id bigint;
    v_account_ids bigint[];
    v_message_ids bigint[];
    v_modseq bigint;
    v_count bigint;
    v_removed bigint := 0;
begin
    if p_limit < 1 then
        raise exception using errcode = 'PB400', message = 'the limit must be at least 1';
    end if;
    -- One purge at a time: two that remove the last two tombstones of a message
    -- would each see the other's, and the message would stay for ever.
    perform pg_advisory_xact_lock(hashtext('pgbox.purge'));

    -- How old something is, only a clock can tell that was right then and is now.
    if pgbox.clock() > now() + interval '1 hour' then
        raise warning using
            message = format('the clock says %s, but was at %s before: what is expunged now counts from then', now(), pgbox.clock()),
            hint = 'If it is right now: select pgbox.clock_is_right()';
    end if;
    if exists (
        select from pgbox.epoch e
        where now() >= e.leapt_at
            and now() < e.leapt_at + p_retention
    ) then
        raise warning using
            message = format(
                'the clock has leapt to %s: nothing is purged until that is %s ago',
                (select e.leapt_at from pgbox.epoch e), p_retention
            );
        return 0;
    end if;

    -- Uploads that were never saved; first, because a save locks its upload
    -- before its mailbox.
    -- Two statements: a chunk that came while this waited for its upload's row
    -- is seen by the second one only.
    with gone as (
        delete from pgbox.message_upload u
        where u.started_at < now() - interval '1 day'
            and (p_account_id is null or u.account_id = p_account_id)
        returning u.account_id, u.message_id
    )
    select array_agg(g.account_id), array_agg(g.message_id)
    into v_account_ids, v_message_ids
    from gone g;
    delete from pgbox.message_chunk c
    using unnest(v_account_ids, v_message_ids) g (account_id, message_id)
    where c.account_id = g.account_id
        and c.message_id = g.message_id;

    -- Mails of deleted mailboxes become tombstones, then the mailbox goes.
    for v_box in
        select *
        from pgbox.mailbox b
        where b.deleted_at < now() - p_retention
            and (p_account_id is null or b.account_id = p_account_id)
        order by b.mailbox_id
        for no key update skip locked
    loop
        v_uids := array(
            select m.uid
            from pgbox.mail m
            where m.account_id = v_box.account_id
                and m.mailbox_id = v_box.mailbox_id
            limit p_limit - v_removed
        );
        -- A MODSEQ for each batch, as for each command.
        v_count := (
            select cardinality(e.r_uids)
            from pgbox.mails_expunge(
                v_box.account_id, v_box.mailbox_id, v_uids, pgbox.modseq_next(v_box.modseq), 0::smallint, null
            ) e
        );
        v_removed := v_removed + v_count;
        exit when v_removed >= p_limit;
        v_count := pgbox.messages_remove(v_box.account_id, v_box.mailbox_id, 'infinity', (p_limit - v_removed)::int);
        v_removed := v_removed + v_count;
        exit when v_removed >= p_limit;
        delete from pgbox.mailbox_keyword k
        where k.account_id = v_box.account_id
            and k.mailbox_id = v_box.mailbox_id;
        delete from pgbox.mail_change c
        where c.account_id = v_box.account_id
            and c.mailbox_id = v_box.mailbox_id;
        delete from pgbox.expunged x
        where x.account_id = v_box.account_id
            and x.mailbox_id = v_box.mailbox_id;
        delete from pgbox.mailbox b
        where b.account_id = v_box.account_id
            and b.mailbox_id = v_box.mailbox_id;
    end loop;

    -- Messages of expunged mails, and history that is too old.
    for v_account_id in
        select a.account_id
        from pgbox.account a
        where v_removed < p_limit
            and (p_account_id is null or a.account_id = p_account_id)
            and exists (
                select from pgbox.expunged x
                where x.account_id = a.account_id
                    and x.message_ids is not null
                    and x.expunged_at < now() - p_retention
            )
        order by a.account_id
    loop
        v_count := pgbox.messages_remove(v_account_id, null, now() - p_retention, (p_limit - v_removed)::int);
        v_removed := v_removed + v_count;
        exit when v_removed >= p_limit;
    end loop;
    for v_box in
        select *
        from pgbox.mailbox b
        where v_removed < p_limit
            and b.deleted_at is null
            and (p_account_id is null or b.account_id = p_account_id)
            and (
                exists (
                    select from pgbox.mail_change c
                    where c.account_id = b.account_id
                        and c.mailbox_id = b.mailbox_id
                        and c.changed_at < now() - p_history
                )
                or exists (
                    select from pgbox.expunged x
                    where x.account_id = b.account_id
                        and x.mailbox_id = b.mailbox_id
                        and x.message_ids is null
                        and x.expunged_at < now() - p_history
                )
            )
        order by b.mailbox_id
        for no key update skip locked
    loop
        select greatest(
            (
                select max(c.modseq)
                from pgbox.mail_change c
                where c.account_id = v_box.account_id
                    and c.mailbox_id = v_box.mailbox_id
                    and c.changed_at < now() - p_history
            ),
            (
                select max(x.modseq)
                from pgbox.expunged x
                where x.account_id = v_box.account_id
                    and x.mailbox_id = v_box.mailbox_id
                    and x.expunged_at < now() - p_history
            )
        ) into v_modseq;
        update pgbox.mailbox b
        set history_floor = greatest(b.history_floor, v_modseq)
        where b.account_id = v_box.account_id
            and b.mailbox_id = v_box.mailbox_id;
        delete from pgbox.mail_change c
        where c.account_id = v_box.account_id
            and c.mailbox_id = v_box.mailbox_id
            and c.modseq <= v_modseq;
        with gone as (
            delete from pgbox.expunged x
            where x.account_id = v_box.account_id
                and x.mailbox_id = v_box.mailbox_id
                and x.modseq <= v_modseq
                and x.message_ids is null
            returning cardinality(x.uids) as mails
        )
        select coalesce(sum(g.mails), 0) into v_count
        from gone g;
        v_removed := v_removed + v_count;
    end loop;
    return v_removed;
end
$$;

comment on function pgbox.purge(bigint, interval, interval, int) is 'Removes what nobody can see any more, in batches.';
