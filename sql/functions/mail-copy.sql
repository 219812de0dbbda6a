-- Copies mails of the account into a mailbox without touching their bytes,
-- all or none; those with p_move are expunged at their source in the same
-- transaction (RFC 6851).
-- Parameters: account; destination mailbox; parallel arrays of source mailbox,
--   source UID, whether to expunge it there, flags, save date (seconds since
--   1970), wanted UID or 0, POP3 UIDL and order; lowest MODSEQ or 0; keywords
--   as in mail_save(); random number of the command; p_mailbox_name: the name
--   that the destination must still have, or null.
-- Returns UIDVALIDITY, the MODSEQ and the UIDs in the order of the mails.
-- Errors: PB404 mailbox (of this name) does not exist, PB410 a source mail is expunged.
-- Locks: all concerned mailbox rows in the order of mailbox_id.
-- Writes: mail, mailbox_keyword, mail_change, expunged, mailbox.
create or replace function pgbox.mail_copy(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_source_mailbox_id bigint[],
    p_source_uid bigint[],
    p_move boolean[],
    p_flags smallint[],
    p_saved_at bigint[],
    p_uid bigint[],
    p_pop3_uidl text[],
    p_pop3_order bigint[],
    p_min_modseq bigint,
    p_keyword_message int[],
    p_keyword text[],
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
    v_source_id bigint;
    v_message_ids bigint[];
    v_bytes bigint;
    v_keyword_ids text[];
    v_expunge_uids bigint[];
    v_modseq bigint;
begin
    -- The sources too if they are only read: their mails keep the messages
    -- from the purge until our own do.
    for v_source_id in
        select distinct s.id
        from unnest(p_source_mailbox_id || p_mailbox_id) s (id)
        order by s.id
    loop
        if v_source_id = p_mailbox_id then
            v_box := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
        else
            perform pgbox.mailbox_lock(p_account_id, v_source_id);
        end if;
    end loop;
    if v_box.name <> p_mailbox_name then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s is not %L any more', p_mailbox_id, p_mailbox_name);
    end if;

    select array_agg(m.message_id order by s.place), sum(x.size)
    into v_message_ids, v_bytes
    from unnest(p_source_mailbox_id, p_source_uid) with ordinality s (mailbox_id, uid, place)
    cross join lateral (
        select y.message_id
        from pgbox.mail y
        where y.account_id = p_account_id
            and y.mailbox_id = s.mailbox_id
            and y.uid = s.uid
        limit 1
    ) m
    cross join lateral (
        select y.size
        from pgbox.message y
        where y.account_id = p_account_id
            and y.message_id = m.message_id
        limit 1
    ) x;
    if coalesce(cardinality(v_message_ids), 0) <> v_count then
        raise exception using
            errcode = 'PB410',
            message = 'a mail to be copied was expunged';
    end if;

    r_uid_validity := v_box.uid_validity;
    r_modseq := greatest(v_box.modseq + 65536, (p_min_modseq + 65535) / 65536 * 65536);
    r_uids := pgbox.uids_assign(v_box.uid_next, p_uid);
    if cardinality(p_keyword) > 0 then
        v_keyword_ids := pgbox.mail_keyword_ids(
            p_account_id, p_mailbox_id, v_count, p_keyword_message, p_keyword
        );
    end if;
    insert into pgbox.mail (
        account_id, mailbox_id, uid, modseq, message_id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl
    )
    select
        p_account_id, p_mailbox_id, m.uid, r_modseq, m.message_id, to_timestamp(m.saved_at),
        m.flags, m.keyword_ids::smallint[], m.pop3_order, m.pop3_uidl
    from unnest(r_uids, v_message_ids, p_saved_at, p_flags, v_keyword_ids, p_pop3_order, p_pop3_uidl)
        m (uid, message_id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl);
    insert into pgbox.mail_change (account_id, mailbox_id, modseq, operation, uids)
    values (p_account_id, p_mailbox_id, r_modseq, p_operation, pgbox.uids_compress(r_uids));
    update pgbox.mailbox b
    set uid_next = r_uids[v_count] + 1,
        modseq = r_modseq,
        messages = b.messages + v_count,
        unseen = b.unseen + (select count(*)::int from unnest(p_flags) f (flags) where f.flags & 8 = 0),
        bytes = b.bytes + v_bytes,
        pop3_values = b.pop3_values or num_nonnulls(variadic p_pop3_uidl) + num_nonnulls(variadic p_pop3_order) > 0
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;

    if not true = any (p_move) then
        return;
    end if;
    for v_source_id, v_expunge_uids in
        select s.mailbox_id, array_agg(s.uid)
        from unnest(p_source_mailbox_id, p_source_uid, p_move) s (mailbox_id, uid, move)
        where s.move
        group by s.mailbox_id
    loop
        select b.modseq + 65536 into v_modseq
        from pgbox.mailbox b
        where b.account_id = p_account_id
            and b.mailbox_id = v_source_id;
        perform pgbox.mails_expunge(p_account_id, v_source_id, v_expunge_uids, v_modseq);
    end loop;
end
$$;

comment on function pgbox.mail_copy is 'Copies or moves mails of the account into a mailbox, all or none.';
