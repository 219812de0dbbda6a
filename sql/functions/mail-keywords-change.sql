-- The keyword half of mail_change().
-- Parameters: account; mailbox; MODSEQ of the change; UIDs to leave alone;
--   the keyword parameters of mail_change().
-- Returns the UIDs of the mails that changed.
-- Locks: the caller holds the mailbox row.
-- Writes: mail, mail_keyword, mailbox_keyword, mailbox (keywords).
create or replace function pgbox.mail_keywords_change(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_modseq bigint,
    p_conflict_uid bigint[],
    p_clear_uid bigint[],
    p_uid bigint[],
    p_keyword text[],
    p_add boolean[]
)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_names text[];
    v_ids smallint[];
    v_uids bigint[];
begin
    -- Only keywords that are added come into being.
    v_names := array(
        select k.name
        from unnest(p_keyword, p_add) with ordinality k (name, add, place)
        where k.add
        group by k.name
        order by min(k.place)
    );
    v_ids := pgbox.keyword_ids(p_account_id, p_mailbox_id, v_names);

    -- Written for many mails at once: see the settings of mail_change().
    with wish as materialized (
        select u.uid, i.keyword_id, u.add
        from unnest(p_uid, p_keyword, p_add) u (uid, name, add)
        join pgbox.mailbox_keyword i
            on i.account_id = p_account_id
            and i.mailbox_id = p_mailbox_id
            and lower(i.name) = lower(u.name)
        where u.uid <> all (p_conflict_uid)
    ), cleared as (
        delete from pgbox.mail_keyword k
        where k.account_id = p_account_id
            and k.mailbox_id = p_mailbox_id
            and k.uid = any (p_clear_uid)
            and k.uid <> all (p_conflict_uid)
            and (k.uid, k.keyword_id) not in (select w.uid, w.keyword_id from wish w)
        returning k.uid
    ), gone as (
        delete from pgbox.mail_keyword k
        using (
            select x.place
            from wish w
            cross join lateral (
                select y.ctid as place
                from pgbox.mail_keyword y
                where y.account_id = p_account_id
                    and y.mailbox_id = p_mailbox_id
                    and y.uid = w.uid
                    and y.keyword_id = w.keyword_id
                limit 1
            ) x
            where not w.add
        ) g
        where k.ctid = g.place
        returning k.uid
    ), come as (
        insert into pgbox.mail_keyword (account_id, mailbox_id, uid, keyword_id)
        select p_account_id, p_mailbox_id, m.uid, w.keyword_id
        from wish w
        cross join lateral (
            select x.uid
            from pgbox.mail x
            where x.account_id = p_account_id
                and x.mailbox_id = p_mailbox_id
                and x.uid = w.uid
            limit 1
        ) m
        where w.add
        on conflict do nothing
        returning uid
    )
    select array_agg(distinct c.uid) into v_uids
    from (
        select uid from cleared
        union all
        select uid from gone
        union all
        select uid from come
    ) c;

    if v_uids is null then
        return '{}';
    end if;
    update pgbox.mail m
    set modseq = p_modseq
    where m.account_id = p_account_id
        and m.mailbox_id = p_mailbox_id
        and m.uid = any (v_uids);
    return v_uids;
end
$$;

comment on function pgbox.mail_keywords_change(bigint, bigint, bigint, bigint[], bigint[], bigint[], text[], boolean[]) is
    'The keyword half of mail_change().';
