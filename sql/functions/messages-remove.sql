-- Removes messages of an account's tombstones that no mail and no newer
-- tombstone needs.
-- Parameters: account; mailbox, or null for all; the time before which the mails
--   were expunged; how many tombstones to look at, at most 127 more.
-- Returns how many tombstones were looked at.
-- Locks: the caller is the only purge. Writes: message, message_chunk,
--   message_part, message_text, message_text_queue, expunged.
create or replace function pgbox.messages_remove(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_before timestamptz,
    p_limit int
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count bigint;
    v_message_ids bigint[];
begin
    with batch as (
        -- As many rows as have p_limit mails.
        select y.mailbox_id, y.modseq, y.uid_block, y.message_ids
        from (
            select
                r.*,
                sum(cardinality(r.message_ids)) over (rows unbounded preceding)
                    - cardinality(r.message_ids) as mails_before
            from (
                select x.mailbox_id, x.modseq, x.uid_block, x.message_ids
                from pgbox.expunged x
                where x.account_id = p_account_id
                    and (p_mailbox_id is null or x.mailbox_id = p_mailbox_id)
                    and x.message_ids is not null
                    and x.expunged_at < p_before
                order by x.mailbox_id, x.modseq
                limit p_limit
            ) r
        ) y
        where y.mails_before < p_limit
    ), done as (
        update pgbox.expunged x
        set message_ids = null
        from batch b
        where x.account_id = p_account_id
            and x.mailbox_id = b.mailbox_id
            and x.modseq = b.modseq
            and x.uid_block = b.uid_block
    )
    select count(*), array_agg(distinct t.message_id)
    into v_count, v_message_ids
    from batch b
    cross join unnest(b.message_ids) t (message_id);
    -- A copy being made right now holds no lock on the message, but on its
    -- source mail, which keeps the message; a tombstone is not copied.
    v_message_ids := array(
        select i.id
        from unnest(v_message_ids) i (id)
        where not exists (
            select from pgbox.mail m
            where m.account_id = p_account_id
                and m.message_id = i.id
        )
    );
    -- Tombstones have no index on messages, which would cost each expunge more than
    -- the tombstone itself: the account's are read.
    if v_message_ids <> '{}' then
        v_message_ids := array(
            select i.id
            from unnest(v_message_ids) i (id)
            except
            select t.message_id
            from pgbox.expunged x
            cross join unnest(x.message_ids) t (message_id)
            where x.account_id = p_account_id
                and x.message_ids is not null
        );
    end if;
    perform pgbox.messages_clear(p_account_id, v_message_ids);
    delete from pgbox.message s
    where s.account_id = p_account_id
        and s.message_id = any (v_message_ids);
    return v_count;
end
$$;

comment on function pgbox.messages_remove(bigint, bigint, timestamptz, int) is
    'Removes messages of tombstones that nothing else needs.';
