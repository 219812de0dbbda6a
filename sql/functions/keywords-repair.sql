-- Numbers a mailbox's keywords without gaps: what was lost gets a name that says so.
-- Parameters: account; mailbox; how many keywords there are.
-- Returns nothing. Locks: the caller holds the mailbox row. Writes: mailbox_keyword.
create or replace function pgbox.keywords_repair(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_keywords int
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from pgbox.mailbox_keyword k
    where k.account_id = p_account_id
        and k.mailbox_id = p_mailbox_id
        and (k.keyword_id not between 1 and p_keywords or k.name !~ '^[^[:cntrl:][:space:](){"\\]+$');
    insert into pgbox.mailbox_keyword (account_id, mailbox_id, keyword_id, name)
    select p_account_id, p_mailbox_id, i.id, format('Lost-%s-%s', i.id, left(md5(random()::text), 6))
    from generate_series(1, p_keywords) i (id)
    on conflict (account_id, mailbox_id, keyword_id) do nothing;
end
$$;

comment on function pgbox.keywords_repair(bigint, bigint, int) is 'Numbers a mailbox''s keywords without gaps.';
