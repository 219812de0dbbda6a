-- Mends all that mailbox_problems() finds. What was mended gets a new MODSEQ, what
-- frontends or clients may have remembered in another way a new UID, and UIDVALIDITY is
-- new if the mailbox can't tell which UIDs or MODSEQs it has given. Nothing is removed:
-- messages that lose their mail get a tombstone, and are purged when that is old.
-- Parameters: account; mailbox, which may be deleted; whether to compare checksums of all
--   octets.
-- Returns what was wrong, as mailbox_problems().
-- Errors: PB404.
-- Locks: none if nothing is wrong; otherwise account row, mailbox row, as
--   mailbox_lock().
-- Writes: mail, mailbox_keyword, mail_change, expunged, mailbox, account, and what
--   message_mended() and message_notice() write.
create or replace function pgbox.mailbox_repair(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_bodies boolean default false
)
returns table (kind text, uid bigint, problem text)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_max_uid constant bigint := 2147483647;
    v_max_modseq constant bigint := 2305843009213693951;
    v_box pgbox.mailbox;
    v_kinds text[];
    v_uids bigint[];
    v_modseqs bigint[];
    v_blocks bigint[];
    v_problems text[];
    v_mail_uids bigint[];
    v_moved_uids bigint[];
    v_message_uids bigint[];
    v_keywords int;
    v_keyword_ids smallint[];
    v_uid_limit bigint;
    v_uid_next bigint;
    v_uid_validity bigint;
    v_modseq bigint;
    v_row record;
    v_id bigint;
begin
    perform
    from pgbox.mailbox_problems(p_account_id, p_mailbox_id, p_bodies);
    if not found then
        return;
    end if;
    perform pgbox.account_lock(p_account_id);
    select b.* into v_box
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
    if v_box.deleted_at is null and v_box.modseq <= v_max_modseq then
        v_box := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
    else
        -- No epoch begins in it: nobody uses it, or it gets a new UIDVALIDITY.
        select b.* into v_box
        from pgbox.mailbox b
        where b.account_id = p_account_id
            and b.mailbox_id = p_mailbox_id
        for no key update;
    end if;
    select
        array_agg(p.kind), array_agg(p.uid), array_agg(p.modseq), array_agg(p.uid_block), array_agg(p.problem),
        coalesce(array_agg(p.uid) filter (where p.kind = 'mail'), '{}'),
        coalesce(array_agg(p.uid) filter (where p.kind = 'uid'), '{}'),
        coalesce(array_agg(p.uid) filter (where p.kind in ('message', 'octets')), '{}')
    into v_kinds, v_uids, v_modseqs, v_blocks, v_problems, v_mail_uids, v_moved_uids, v_message_uids
    from pgbox.mailbox_problems(p_account_id, p_mailbox_id, p_bodies) p;
    if v_kinds is null then
        return;
    end if;

    -- The numbers to go on from
    v_uid_limit := case v_box.uid_next when 4294967295 then v_max_uid + 1 else greatest(v_box.uid_next, v_max_uid + 1) end;
    select max(s.uid) filter (where s.uid < v_uid_limit), max(s.modseq) filter (where s.modseq <= v_max_modseq)
    into v_uid_next, v_modseq
    from (
        select m.uid, m.modseq
        from pgbox.mail m
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
        union all
        select t.uid, e.modseq
        from pgbox.expunged e
        left join unnest(e.uids) t (uid) on true
        where e.account_id = p_account_id
            and e.mailbox_id = p_mailbox_id
        union all
        select null, c.modseq
        from pgbox.mail_change c
        where c.account_id = p_account_id
            and c.mailbox_id = p_mailbox_id
        union all
        select case when v_box.uid_next < 4294967295 then v_box.uid_next - 1 end, v_box.modseq
    ) s;
    v_uid_next := coalesce(v_uid_next, 0) + 1;
    v_modseq := coalesce(v_modseq, 1) + 65536;
    v_uid_validity := v_box.uid_validity;
    if v_box.modseq not between 1 and v_max_modseq then
        -- As in mailbox_begin_epoch(): more than can have been given.
        v_modseq := greatest(
            v_modseq, floor(extract(epoch from now() - timestamptz '2026-01-01 00:00:00+00') * 1000)::bigint << 17
        );
    end if;
    if v_box.modseq > v_max_modseq or v_box.uid_next = 4294967295 or exists (
        select from unnest(v_moved_uids) u (uid)
        where u.uid not between 1 and v_uid_limit - 1
    ) then
        v_uid_validity := pgbox.uid_validity_next(p_account_id, null);
    end if;

    if 'keyword' = any (v_kinds) or 'numbers' = any (v_kinds) then
        v_keywords := pgbox.keywords_number(p_account_id, p_mailbox_id, v_box.keywords);
        perform pgbox.keywords_repair(p_account_id, p_mailbox_id, v_keywords);
    end if;
    v_keywords := coalesce(v_keywords, v_box.keywords);
    v_keyword_ids := array(select generate_series(1, v_keywords));

    update pgbox.mail m
    set flags = m.flags & 31,
        keyword_ids = (
            select array_agg(distinct k.id)
            from unnest(m.keyword_ids) k (id)
            where k.id = any (v_keyword_ids)
        ),
        modseq = v_modseq,
        saved_at = case when m.saved_at between '0001-01-01 BC' and '10000-01-01' then m.saved_at else now() end,
        pop3_order = case when m.pop3_order between 0 and 4294967295 then m.pop3_order end,
        pop3_uidl = case when m.pop3_uidl ~ '^[^[:cntrl:]]+$' then m.pop3_uidl end
    where m.account_id = p_account_id
        and m.mailbox_id = p_mailbox_id
        and m.uid = any (v_mail_uids);

    for v_row in
        select m.uid, m.message_id, v.r_size, v.r_header_size, m.uid = any (v_moved_uids) as moved
        from pgbox.mail m
        cross join lateral pgbox.message_values(p_account_id, m.message_id) v
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
            and m.uid = any (v_message_uids)
        order by m.uid
    loop
        if v_row.r_size is not null then
            v_id := pgbox.message_mended(p_account_id, v_row.message_id, v_row.r_size, v_row.r_header_size);
        else
            v_id := pgbox.message_notice(
                p_account_id, v_row.message_id, format('UID %s of mailbox %s', v_row.uid, v_box.name)
            );
        end if;
        update pgbox.mail m
        set uid = v_uid_next,
            message_id = v_id,
            modseq = v_modseq,
            pop3_uidl = case when v_row.r_size is not null then m.pop3_uidl end
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
            and m.uid = v_row.uid;
        v_uid_next := v_uid_next + 1;
        insert into pgbox.expunged as x (account_id, mailbox_id, modseq, uid_block, uids, message_ids, guids)
        select
            p_account_id, p_mailbox_id, v_modseq, u.uid / 128, array[u.uid], array[v_row.message_id],
            array[coalesce((
                select nullif(g.guid, '')
                from pgbox.message g
                where g.account_id = p_account_id
                    and g.message_id = v_row.message_id
            ), md5(random()::text))]
        -- An impossible UID has no tombstone, one that has a tombstone needs no second, but
        -- the message does.
        from (select case when v_row.moved then v_uid_next else v_row.uid end as uid) u
        on conflict (account_id, mailbox_id, modseq, uid_block) do update
        set uids = x.uids || excluded.uids,
            message_ids = x.message_ids || excluded.message_ids,
            guids = x.guids || excluded.guids;
        v_uid_next := v_uid_next + v_row.moved::int;
    end loop;

    for v_row in
        select m.uid
        from pgbox.mail m
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
            and m.uid = any (v_moved_uids)
        order by m.uid
    loop
        update pgbox.mail m
        set uid = v_uid_next,
            modseq = v_modseq
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
            and m.uid = v_row.uid;
        v_uid_next := v_uid_next + 1;
    end loop;

    insert into pgbox.mail_change (account_id, mailbox_id, modseq, uids)
    select p_account_id, p_mailbox_id, v_modseq, pgbox.uids_compress(array_agg(u.uid))
    from unnest(v_mail_uids) u (uid)
    where u.uid between 1 and v_uid_limit - 1
    having count(*) > 0;
    delete from pgbox.mail_change c
    where c.account_id = p_account_id
        and c.mailbox_id = p_mailbox_id
        and c.modseq not between 1 and v_max_modseq;
    for i in 1 .. cardinality(v_kinds) loop
        if v_kinds[i] = 'change' then
            update pgbox.mail_change c
            set changed_at = case when isfinite(c.changed_at) then c.changed_at else now() end,
                uids = c.uids * '{[1,4294967295)}'
            where c.account_id = p_account_id
                and c.mailbox_id = p_mailbox_id
                and c.modseq = v_modseqs[i];
        elsif v_kinds[i] = 'tombstone' then
            v_modseq := v_modseq + 65536;
            v_uid_next := pgbox.tombstone_repair(
                p_account_id, p_mailbox_id, v_modseqs[i], v_blocks[i], v_modseq, v_uid_next, v_uid_limit
            );
        end if;
    end loop;

    update pgbox.mailbox b
    set uid_validity = v_uid_validity,
        uid_next = v_uid_next,
        modseq = case when v_kinds <@ array['counters'] then b.modseq else v_modseq end,
        -- Frontends and clients read the mailbox anew.
        modseq_floor = case when v_kinds <@ array['counters', 'mail', 'message', 'octets'] then b.modseq_floor else v_modseq end,
        history_floor = case when v_kinds <@ array['counters', 'mail', 'message', 'octets'] then b.history_floor else v_modseq end,
        messages = s.messages,
        unseen = s.unseen,
        bytes = s.bytes,
        pop3_values = b.pop3_values or s.pop3_values,
        first_recent_uid = least(greatest(b.first_recent_uid, 1), v_uid_next),
        keywords = v_keywords,
        guid = case b.guid when '00000000-0000-0000-0000-000000000000' then gen_random_uuid() else b.guid end,
        epoch = (select e.epoch from pgbox.epoch e),
        created_at = case when isfinite(b.created_at) then b.created_at else now() end,
        deleted_at = case when isfinite(b.deleted_at) then b.deleted_at when b.deleted_at is not null then now() end
    from (
        select
            count(*) as messages,
            count(*) filter (where m.flags & 8 = 0) as unseen,
            coalesce(sum(g.size), 0) as bytes,
            count(*) filter (where num_nonnulls(m.pop3_uidl, m.pop3_order) > 0) > 0 as pop3_values
        from pgbox.mail m
        left join pgbox.message g
            on g.account_id = m.account_id
            and g.message_id = m.message_id
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
    ) s
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
    return query
    select p.kind, p.uid, p.problem
    from unnest(v_kinds, v_uids, v_problems) p (kind, uid, problem);
end
$$;

comment on function pgbox.mailbox_repair(bigint, bigint, boolean) is 'Mends all that makes no sense in a mailbox.';
