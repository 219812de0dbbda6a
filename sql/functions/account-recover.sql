-- Makes what account_problems() calls lost visible again: mails whose mailbox is gone are
-- in "Recovered mailbox N", messages that nobody expunged in "Recovered mails". What
-- else is wrong with them mailbox_repair() mends.
-- Parameters: account.
-- Returns what was lost, and the mailbox in which it is now.
-- Errors: PB404.
-- Locks: account row, mailbox row. Writes: account, mailbox, mail, message_text_queue.
create or replace function pgbox.account_recover(p_account_id bigint)
returns table (kind text, mailbox_id bigint, problem text)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
    v_name constant text := 'Recovered mails';
    v_epoch bigint;
    v_kinds text[];
    v_mailbox_ids bigint[];
    v_message_ids bigint[];
    v_problems text[];
    v_box pgbox.mailbox;
    v_id bigint;
begin
    perform pgbox.account_lock(p_account_id);
    select array_agg(p.kind), array_agg(p.mailbox_id), array_agg(p.message_id), array_agg(p.problem)
    into v_kinds, v_mailbox_ids, v_message_ids, v_problems
    from pgbox.account_problems(p_account_id) p
    where p.kind in ('account', 'lost-mailbox', 'lost-message');
    if v_kinds is null then
        return;
    end if;
    update pgbox.account a
    set last_uid_validity = greatest(
            case when a.last_uid_validity <= 4294967295 then a.last_uid_validity end,
            (
                select max(b.uid_validity)
                from pgbox.mailbox b
                where b.account_id = p_account_id
            ),
            0
        ),
        created_at = case when isfinite(a.created_at) then a.created_at else now() end
    where a.account_id = p_account_id;
    v_epoch := pgbox.current_epoch();
    insert into pgbox.mailbox (account_id, mailbox_id, name, guid, uid_validity, epoch)
    overriding system value
    select
        p_account_id, l.id, format('Recovered mailbox %s', l.id), gen_random_uuid(),
        pgbox.uid_validity_next(p_account_id, null), v_epoch
    from unnest(v_kinds, v_mailbox_ids) l (kind, id)
    where l.kind = 'lost-mailbox';
    if 'lost-message' = any (v_kinds) then
        select b.mailbox_id into v_id
        from pgbox.mailbox b
        where b.account_id = p_account_id
            and b.name = v_name
            and b.deleted_at is null
            and b.selectable;
        if not found then
            v_id := pgbox.mailbox_create(p_account_id, v_name, gen_random_uuid(), true, null, null);
        end if;
        v_box := pgbox.mailbox_lock(p_account_id, v_id);
        insert into pgbox.mail (account_id, mailbox_id, uid, message_id, saved_at, modseq, flags)
        select
            p_account_id, v_id, v_box.uid_next - 1 + row_number() over (order by l.id), l.id, now(), v_box.modseq + 65536, 0
        from unnest(v_kinds, v_message_ids) l (kind, id)
        where l.kind = 'lost-message';
        update pgbox.mailbox b
        set uid_next = v_box.uid_next + s.messages,
            modseq = v_box.modseq + 65536,
            messages = b.messages + s.messages,
            unseen = b.unseen + s.messages,
            bytes = greatest(b.bytes + s.bytes, 0)
        from (
            -- a size may be what mailbox_repair() mends
            select count(*) as messages, sum(least(greatest(g.size, 0), 2147483647)) as bytes
            from unnest(v_kinds, v_message_ids) l (kind, id)
            join pgbox.message g
                on g.account_id = p_account_id
                and g.message_id = l.id
            where l.kind = 'lost-message'
        ) s
        where b.account_id = p_account_id
            and b.mailbox_id = v_id;
    end if;
    return query
    select p.kind, case p.kind when 'lost-message' then v_id else p.mailbox_id end, p.problem
    from unnest(v_kinds, v_mailbox_ids, v_problems) p (kind, mailbox_id, problem);
end
$$;

comment on function pgbox.account_recover(bigint) is 'Makes mails visible again whose mailbox, or place in it, is lost.';
