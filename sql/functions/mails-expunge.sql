-- Removes mails of a mailbox and leaves tombstones. UIDs that do not exist
-- are ignored.
-- Parameters: account; mailbox; UIDs; MODSEQ of the change.
-- Returns how many mails were removed. If it was none, nothing was written.
-- Locks: the caller holds the mailbox row.
-- Writes: mail, expunged, mailbox (counters, modseq).
create or replace function pgbox.mails_expunge(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_uid bigint[],
    p_modseq bigint
)
returns int
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
    select count(*), count(*) filter (where s.flags & 8 = 0), coalesce(sum(s.size), 0)
    into v_messages, v_unseen, v_bytes
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
    return v_messages;
end
$$;

comment on function pgbox.mails_expunge(bigint, bigint, bigint[], bigint) is
    'Removes mails of a mailbox and leaves tombstones.';
