-- Removes messages of a mailbox's tombstones that no mail and no newer
-- tombstone needs.
-- Parameters: account; mailbox; the time before which the mails were expunged;
--   the most tombstones to look at.
-- Returns how many tombstones were looked at.
-- Locks: the tombstones. Writes: message, message_chunk, message_part,
--   message_text, message_text_queue, expunged.
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
        select x.modseq, x.uid, x.message_id
        from pgbox.expunged x
        where x.account_id = p_account_id
            and x.mailbox_id = p_mailbox_id
            and x.message_id is not null
            and x.expunged_at < p_before
        order by x.modseq, x.uid
        limit p_limit
        for update
    ), done as (
        update pgbox.expunged x
        set message_id = null
        from batch b
        where x.account_id = p_account_id
            and x.mailbox_id = p_mailbox_id
            and x.modseq = b.modseq
            and x.uid = b.uid
    )
    select count(*), array_agg(distinct b.message_id)
    into v_count, v_message_ids
    from batch b;
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
        and not exists (
            select from pgbox.expunged x
            where x.account_id = p_account_id
                and x.message_id = i.id
        )
    );
    delete from pgbox.message_chunk c
    where c.account_id = p_account_id
        and c.message_id = any (v_message_ids);
    delete from pgbox.message_part p
    where p.account_id = p_account_id
        and p.message_id = any (v_message_ids);
    delete from pgbox.message_text_queue q
    where q.account_id = p_account_id
        and q.message_id = any (v_message_ids);
    delete from pgbox.message_text t
    where t.account_id = p_account_id
        and t.message_id = any (v_message_ids);
    delete from pgbox.message s
    where s.account_id = p_account_id
        and s.message_id = any (v_message_ids);
    return v_count;
end
$$;

comment on function pgbox.messages_remove(bigint, bigint, timestamptz, int) is
    'Removes messages of tombstones that nothing else needs.';
