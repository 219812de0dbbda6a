-- Writes a row of expunged anew, with those of its mails that make sense. A message
-- whose UID is not known gets one that nobody has seen, so that the purge finds it.
-- Parameters: account; mailbox; MODSEQ and block of the row; the MODSEQ that it
--   gets; UIDNEXT; the UID from which on none was given.
-- Returns UIDNEXT as it is then.
-- Locks: the caller holds the mailbox row. Writes: expunged.
create or replace function pgbox.tombstone_repair(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_modseq bigint,
    p_uid_block bigint,
    p_new_modseq bigint,
    p_uid_next bigint,
    p_uid_limit bigint
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_row pgbox.expunged;
    v_count bigint;
begin
    delete from pgbox.expunged e
    where e.account_id = p_account_id
        and e.mailbox_id = p_mailbox_id
        and e.modseq = p_modseq
        and e.uid_block = p_uid_block
    returning e.* into v_row;
    with entry as (
        select t.uid, t.message_id, coalesce(nullif(t.guid, ''), g.guid, md5(random()::text)) as guid
        from unnest(v_row.uids, v_row.message_ids, v_row.guids) t (uid, message_id, guid)
        left join pgbox.message g
            on g.account_id = p_account_id
            and g.message_id = t.message_id
        where t.uid between 1 and p_uid_limit - 1
            or g.message_id is not null
    ), known as (
        select
            case
                when e.uid between 1 and p_uid_limit - 1 then e.uid
                else p_uid_next - 1 + row_number() over (partition by e.uid between 1 and p_uid_limit - 1)
            end as uid,
            -- 0 is no message
            coalesce(e.message_id, 0) as message_id,
            e.guid
        from entry e
    ), written as (
        insert into pgbox.expunged (account_id, mailbox_id, modseq, uid_block, expunged_at, uids, message_ids, guids)
        select
            p_account_id, p_mailbox_id, p_new_modseq, k.uid / 128,
            case when isfinite(v_row.expunged_at) then v_row.expunged_at else now() end,
            array_agg(k.uid), case when v_row.message_ids is not null then array_agg(k.message_id) end, array_agg(k.guid)
        from known k
        group by k.uid / 128
    )
    select count(*) filter (where k.uid >= p_uid_next) into v_count
    from known k;
    return p_uid_next + v_count;
end
$$;

comment on function pgbox.tombstone_repair(bigint, bigint, bigint, bigint, bigint, bigint, bigint) is
    'Writes a row of expunged anew, with those of its mails that make sense.';
