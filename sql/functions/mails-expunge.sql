-- Removes mails of a mailbox and leaves tombstones. UIDs that do not exist
-- are ignored.
-- Parameters: account; mailbox; UIDs; MODSEQ of the change;
--   p_flags: flags without which a mail stays, 0 for no such condition;
--   p_max_modseq: mails stay that were changed after it, but for those that
--     have p_modseq; null for no such condition.
-- Returns UIDs and GUIDs of the mails that were removed, parallel and in no
--   order. If there are none, nothing was written.
-- Locks: the caller holds the mailbox row.
-- Writes: mail, expunged, mailbox (counters, modseq).
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
    v_messages int;
    v_unseen int;
    v_bytes bigint;
begin
    with gone as (
        delete from pgbox.mail m
        -- By their place, as in mail_change(): with keys the planner may read
        -- the whole mailbox.
        where m.ctid = any (
            array(
                select f.place
                from (select distinct d.uid from unnest(p_uid) d (uid)) u
                cross join lateral (
                    select x.ctid as place
                    from pgbox.mail x
                    where x.account_id = p_account_id
                        and x.mailbox_id = p_mailbox_id
                        and x.uid = u.uid
                        and x.flags & p_flags = p_flags
                        and (p_max_modseq is null or x.modseq <= p_max_modseq or x.modseq = p_modseq)
                    limit 1
                ) f
            )
        )
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
        insert into pgbox.expunged (account_id, mailbox_id, modseq, uid_block, uids, message_ids, guids)
        select
            p_account_id, p_mailbox_id, p_modseq, s.uid / 128,
            array_agg(s.uid), array_agg(s.message_id), array_agg(s.guid)
        from message s
        group by s.uid / 128
    )
    select
        coalesce(array_agg(s.uid), '{}'), coalesce(array_agg(s.guid), '{}'),
        count(*), count(*) filter (where s.flags & 8 = 0), sum(s.size)
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
