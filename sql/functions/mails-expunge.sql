-- Removes mails of a mailbox and leaves tombstones. UIDs that do not exist
-- are ignored.
-- Parameters: account; mailbox; UIDs; MODSEQ of the change;
--   p_flags: flags without which a mail stays, 0 for no such condition;
--   p_max_modseq: mails stay that were changed after it, but for those that
--     have p_modseq; null for no such condition.
-- Returns UIDs and GUIDs of the mails that were removed, parallel and in no
--   order. If there are none, nothing was written.
-- Locks: the caller holds the mailbox row; as clock().
-- Writes: mail, expunged, mailbox (counters, modseq); as clock().
create or replace function pgbox.mails_expunge(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_uid bigint[],
    p_modseq bigint,
    p_flags smallint,
    p_max_modseq bigint,
    out r_uids bigint[],
    out r_guids text[]
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_time timestamptz := pgbox.clock();
    v_messages int;
    v_unseen int;
    v_bytes bigint;
begin
    with gone as (
        -- By keys that the planner does not know before it has a UID: it has to look
        -- up each of them. With constants it may read the whole mailbox, and by
        -- ctid it would delete from other partitions, too.
        delete from pgbox.mail m
        using (
            select p_account_id as account_id, p_mailbox_id as mailbox_id, d.uid
            from unnest(p_uid) d (uid)
            offset 0
        ) u
        where m.account_id = u.account_id
            and m.mailbox_id = u.mailbox_id
            and m.uid = u.uid
            and m.flags & p_flags = p_flags
            and (p_max_modseq is null or m.modseq <= p_max_modseq or m.modseq = p_modseq)
        returning m.uid, m.message_id, m.flags
    ), message as (
        select g.uid, g.message_id, g.flags, f.guid, f.size
        from gone g
        cross join lateral (
            select x.guid, x.size
            from pgbox.message x
            where x.account_id = p_account_id
                and x.message_id = g.message_id
            limit 1
        ) f
    ), tombstone as (
        insert into pgbox.expunged (account_id, mailbox_id, modseq, uid_block, expunged_at, uids, message_ids, guids)
        select
            p_account_id, p_mailbox_id, p_modseq, s.uid / 128, v_time,
            array_agg(s.uid), array_agg(s.message_id), array_agg(s.guid)
        from message s
        group by s.uid / 128
    )
    select
        coalesce(array_agg(s.uid), '{}'), coalesce(array_agg(s.guid), '{}'),
        count(*), count(*) filter (where s.flags & pgbox.flag_seen() = 0), sum(s.size)
    into r_uids, r_guids, v_messages, v_unseen, v_bytes
    from message s;
    if v_messages > 0 then
        update pgbox.mailbox b
        set modseq = p_modseq,
            messages = b.messages - v_messages,
            unseen = b.unseen - v_unseen,
            bytes = b.bytes - v_bytes
        where b.account_id = p_account_id
            and b.mailbox_id = p_mailbox_id;
    end if;
end
$$;

comment on function pgbox.mails_expunge(bigint, bigint, bigint[], bigint, smallint, bigint) is
    'Removes mails of a mailbox and leaves tombstones.';
