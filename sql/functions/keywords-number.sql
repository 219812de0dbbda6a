-- How many keywords a mailbox has. Names that are lost leave gaps; a number far above
-- all names is not believed.
-- Parameters: account; mailbox; mailbox.keywords.
-- Returns the number. Locks and writes: none.
create or replace function pgbox.keywords_number(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_keywords smallint
)
returns int
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select case when p_keywords between x.highest and x.highest + 100 then p_keywords else x.highest end
    from (
        select coalesce(max(k.keyword_id) filter (where k.keyword_id between 1 and least(k.names + 100, 32000)), 0) as highest
        from (
            select y.keyword_id, count(*) over () as names
            from pgbox.mailbox_keyword y
            where y.account_id = p_account_id
                and y.mailbox_id = p_mailbox_id
        ) k
    ) x
$$;

comment on function pgbox.keywords_number(bigint, bigint, smallint) is 'How many keywords a mailbox has.';
