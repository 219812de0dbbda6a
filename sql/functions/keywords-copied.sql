-- Keywords that copies of mails get: those of their sources, but for what is
-- added and removed.
-- Parameters: p_source_account_id, p_source_mailbox_id, p_source_uid: parallel;
--   the sources; p_keyword_message, p_keyword, p_keyword_add: parallel; the place
--   of a mail, from 1, a keyword, and whether it is added.
-- Returns places and names, parallel, in the order in which they came.
-- Locks and writes: none. The caller holds the mailbox rows.
create or replace function pgbox.keywords_copied(
    p_source_account_id bigint[],
    p_source_mailbox_id bigint[],
    p_source_uid bigint[],
    p_keyword_message int[],
    p_keyword text[],
    p_keyword_add boolean[],
    out r_place int[],
    out r_name text[]
)
language sql
stable
set search_path = pg_catalog, pg_temp
-- Rows are found by key, see mail_copy().
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set jit = off
as $$
    select
        array_agg(c.place order by c.place, c.keyword_id),
        array_agg(c.name order by c.place, c.keyword_id)
    from (
        select s.place, k.keyword_id, k.name
        from unnest(p_source_account_id, p_source_mailbox_id, p_source_uid)
            with ordinality s (account_id, mailbox_id, uid, place)
        cross join lateral (
            select x.keyword_ids
            from pgbox.mail x
            where x.account_id = s.account_id
                and x.mailbox_id = s.mailbox_id
                and x.uid = s.uid
            limit 1
        ) m
        cross join unnest(m.keyword_ids) i (keyword_id)
        cross join lateral (
            select x.keyword_id, x.name
            from pgbox.mailbox_keyword x
            where x.account_id = s.account_id
                and x.mailbox_id = s.mailbox_id
                and x.keyword_id = i.keyword_id
            limit 1
        ) k
        where not exists (
            select from unnest(p_keyword_message, p_keyword) r (place, name)
            where r.place = s.place
                and lower(r.name) = lower(k.name)
        )
        union all
        select a.place, 32767, a.name
        from unnest(p_keyword_message, p_keyword, p_keyword_add) a (place, name, add)
        where a.add
    ) c
$$;

comment on function pgbox.keywords_copied(bigint[], bigint[], bigint[], int[], text[], boolean[]) is
    'Keywords that copies of mails get.';
