-- The keyword half of mail_change().
-- Parameters: account; mailbox; MODSEQ of the change; UIDs to leave alone;
--   ranges and keyword parameters of mail_change().
-- Returns the UIDs of the mails that changed.
-- Locks: the caller holds the mailbox row.
-- Writes: mail, mail_keyword, mailbox_keyword, mailbox (keywords).
create or replace function pgbox.mail_keywords_change(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_modseq bigint,
    p_conflict_uid bigint[],
    p_first bigint[],
    p_last bigint[],
    p_clear boolean[],
    p_range int[],
    p_keyword text[],
    p_add boolean[]
)
returns int8multirange
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_add smallint[];
    v_remove smallint[];
    v_uids bigint[];
    v_changed bigint[] := '{}';
begin
    -- Only keywords that are added come into being.
    perform pgbox.keyword_ids(
        p_account_id,
        p_mailbox_id,
        array(
            select k.name
            from unnest(p_keyword, p_add) with ordinality k (name, add, place)
            where k.add
            group by k.name
            order by min(k.place)
        )
    );
    for i in 1 .. cardinality(p_first) loop
        continue when not p_clear[i] and i <> all (p_range);
        select
            coalesce(array_agg(k.keyword_id) filter (where w.add), '{}'),
            coalesce(array_agg(k.keyword_id) filter (where not w.add), '{}')
        into v_add, v_remove
        from unnest(p_range, p_keyword, p_add) w (range, name, add)
        join pgbox.mailbox_keyword k
            on k.account_id = p_account_id
            and k.mailbox_id = p_mailbox_id
            and lower(k.name) = lower(w.name)
        where w.range = i;
        with gone as (
            delete from pgbox.mail_keyword k
            where k.account_id = p_account_id
                and k.mailbox_id = p_mailbox_id
                and k.uid between p_first[i] and p_last[i]
                and k.uid <> all (p_conflict_uid)
                and (p_clear[i] and k.keyword_id <> all (v_add) or k.keyword_id = any (v_remove))
            returning k.uid
        ), come as (
            insert into pgbox.mail_keyword (account_id, mailbox_id, uid, keyword_id)
            select p_account_id, p_mailbox_id, m.uid, k.id
            from pgbox.mail m
            cross join unnest(v_add) k (id)
            where m.account_id = p_account_id
                and m.mailbox_id = p_mailbox_id
                and m.uid between p_first[i] and p_last[i]
                and m.uid <> all (p_conflict_uid)
            on conflict do nothing
            returning uid
        )
        select array_agg(distinct c.uid) into v_uids
        from (
            select uid from gone
            union all
            select uid from come
        ) c;
        -- By key: a list of many UIDs would be searched for each mail.
        update pgbox.mail m
        set modseq = p_modseq
        from (
            select x.place
            from unnest(v_uids) u (uid)
            cross join lateral (
                select y.ctid as place
                from pgbox.mail y
                where y.account_id = p_account_id
                    and y.mailbox_id = p_mailbox_id
                    and y.uid = u.uid
                limit 1
            ) x
        ) c
        where m.ctid = c.place
            and m.modseq <> p_modseq;
        v_changed := v_changed || v_uids;
    end loop;
    return pgbox.uids_compress(v_changed);
end
$$;

comment on function
    pgbox.mail_keywords_change(bigint, bigint, bigint, bigint[], bigint[], bigint[], boolean[], int[], text[], boolean[]) is
    'The keyword half of mail_change().';
