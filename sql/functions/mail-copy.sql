-- Copies mails into a mailbox, all or none, with the flags and keywords that they
-- have now; those with p_move are expunged at their source in the same
-- transaction (RFC 6851). Messages of the account are shared, those of others
-- are copied.
-- Parameters: account; destination mailbox; parallel arrays of source account,
--   source mailbox, source UID, whether to expunge it there, flags to set and to
--   clear in the copy, save date (seconds since 1970), wanted UID or 0, POP3 UIDL
--   and order; lowest MODSEQ or 0;
--   p_keyword_message, p_keyword, p_keyword_add: parallel; a mail by its place, from
--     1, and a keyword that its copy has, or hasn't, whatever the source has;
--   random number of the command; p_mailbox_name: the name that the destination
--   must still have, or null.
-- Returns UIDVALIDITY, the MODSEQ and the UIDs in the order of the mails.
-- Errors: PB404 the destination (of this name) does not exist, PB410 a source mail
--   is expunged, or its mailbox deleted.
-- Locks: all concerned mailbox rows in the order of mailbox_id.
-- Writes: mail, mailbox_keyword, mail_change, expunged, mailbox, and what
--   messages_copy() writes.
create or replace function pgbox.mail_copy(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_source_account_id bigint[],
    p_source_mailbox_id bigint[],
    p_source_uid bigint[],
    p_move boolean[],
    p_flag_add smallint[],
    p_flag_remove smallint[],
    p_saved_at bigint[],
    p_uid bigint[],
    p_pop3_uidl text[],
    p_pop3_order bigint[],
    p_min_modseq bigint,
    p_keyword_message int[],
    p_keyword text[],
    p_keyword_add boolean[],
    p_operation bigint,
    p_mailbox_name text default null,
    out r_uid_validity bigint,
    out r_modseq bigint,
    out r_uids bigint[]
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Rows are found by key, one by one. Without statistics, as after a bulk load,
-- the planner believes that reading the whole mailbox is cheaper, even once for each
-- row of a list: "limit 1" keeps it from that. What is off adds to the estimate so
-- much that each statement would be compiled.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set enable_material = off
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
declare
    v_count int := cardinality(p_source_uid);
    v_box pgbox.mailbox;
    v_source_box pgbox.mailbox;
    v_source_account_id bigint;
    v_source_id bigint;
    v_message_ids bigint[];
    v_flags smallint[];
    v_has_keywords boolean;
    v_bytes bigint;
    v_keyword_ids text[];
    v_expunge_uids bigint[];
begin
    -- The sources too if they are only read: their mails keep the messages
    -- from the purge until our own do.
    for v_source_account_id, v_source_id in
        select distinct s.account_id, s.id
        from unnest(p_source_account_id || p_account_id, p_source_mailbox_id || p_mailbox_id) s (account_id, id)
        order by s.id
    loop
        if v_source_id is not distinct from p_mailbox_id then
            v_box := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
            continue;
        end if;
        perform
        from pgbox.mailbox b
        where b.account_id = v_source_account_id
            and b.mailbox_id = v_source_id
            and b.deleted_at is null
        for no key update;
        if not found then
            raise exception using
                errcode = 'PB410',
                message = 'the mailbox of a mail to be copied was deleted';
        end if;
    end loop;
    if v_box.name <> p_mailbox_name then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s is not %L any more', p_mailbox_id, p_mailbox_name);
    end if;

    select
        array_agg(m.message_id order by s.place),
        array_agg(m.flags & ~s.flag_remove | s.flag_add order by s.place),
        coalesce(bool_or(m.keyword_ids is not null), false),
        sum(x.size)
    into v_message_ids, v_flags, v_has_keywords, v_bytes
    from unnest(p_source_account_id, p_source_mailbox_id, p_source_uid, p_flag_add, p_flag_remove)
        with ordinality s (account_id, mailbox_id, uid, flag_add, flag_remove, place)
    cross join lateral (
        select y.message_id, y.flags, y.keyword_ids
        from pgbox.mail y
        where y.account_id = s.account_id
            and y.mailbox_id = s.mailbox_id
            and y.uid = s.uid
        limit 1
    ) m
    cross join lateral (
        select y.size
        from pgbox.message y
        where y.account_id = s.account_id
            and y.message_id = m.message_id
        limit 1
    ) x;
    if coalesce(cardinality(v_message_ids), 0) <> v_count then
        raise exception using
            errcode = 'PB410',
            message = 'a mail to be copied was expunged';
    end if;

    r_uid_validity := v_box.uid_validity;
    r_modseq := greatest(pgbox.modseq_next(v_box.modseq), pgbox.modseq_ceiling(p_min_modseq));
    r_uids := pgbox.uids_assign(v_box.uid_next, p_uid);
    if p_account_id <> any (p_source_account_id) then
        v_message_ids := pgbox.messages_copy(p_account_id, p_source_account_id, v_message_ids);
    end if;
    if v_has_keywords or cardinality(p_keyword) > 0 then
        v_keyword_ids := (
            select pgbox.mail_keyword_ids(p_account_id, p_mailbox_id, v_count, k.r_place, k.r_name)
            from pgbox.keywords_copied(
                p_source_account_id, p_source_mailbox_id, p_source_uid,
                p_keyword_message, p_keyword, p_keyword_add
            ) k
            where k.r_place is not null
        );
    end if;
    insert into pgbox.mail (
        account_id, mailbox_id, uid, modseq, message_id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl
    )
    select
        p_account_id, p_mailbox_id, m.uid, r_modseq, m.message_id, to_timestamp(m.saved_at),
        m.flags, m.keyword_ids::smallint[], m.pop3_order, m.pop3_uidl
    from unnest(r_uids, v_message_ids, p_saved_at, v_flags, v_keyword_ids, p_pop3_order, p_pop3_uidl)
        m (uid, message_id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl);
    insert into pgbox.mail_change (account_id, mailbox_id, modseq, operation, uids)
    values (p_account_id, p_mailbox_id, r_modseq, p_operation, pgbox.uids_compress(r_uids));
    update pgbox.mailbox b
    set uid_next = r_uids[v_count] + 1,
        modseq = r_modseq,
        messages = b.messages + v_count,
        unseen = b.unseen + (select count(*)::int from unnest(v_flags) f (flags) where f.flags & pgbox.flag_seen() = 0),
        bytes = b.bytes + v_bytes,
        pop3_values = b.pop3_values or num_nonnulls(variadic p_pop3_uidl) + num_nonnulls(variadic p_pop3_order) > 0
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;

    if not true = any (p_move) then
        return;
    end if;
    for v_source_account_id, v_source_id, v_expunge_uids in
        select s.account_id, s.mailbox_id, array_agg(s.uid)
        from unnest(p_source_account_id, p_source_mailbox_id, p_source_uid, p_move)
            s (account_id, mailbox_id, uid, move)
        where s.move
        group by s.account_id, s.mailbox_id
    loop
        v_source_box := pgbox.mailbox_lock(v_source_account_id, v_source_id);
        perform pgbox.mails_expunge(
            v_source_account_id, v_source_id, v_expunge_uids, pgbox.modseq_next(v_source_box.modseq), 0::smallint, null
        );
    end loop;
end
$$;

comment on function pgbox.mail_copy is 'Copies or moves mails into a mailbox, all or none.';
