-- Sets or removes METADATA entries of one mailbox.
-- Parameters: account; mailbox; for each entry whose private entry it is, or ''
--   for a shared one; key; octets, or null to remove it; time of the change in
--   seconds since 1970, or null for now. No entry is named twice.
-- Returns nothing. Errors: PB404. Locks: mailbox row (key share).
-- Writes: mailbox_attribute.
create or replace function pgbox.attribute_set(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_user_name text[],
    p_key text[],
    p_value bytea[],
    p_changed_at bigint[]
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform 1
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
        and b.deleted_at is null
    for key share;
    if not found then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s of account %s does not exist', p_mailbox_id, p_account_id);
    end if;
    delete from pgbox.mailbox_attribute a
    using unnest(p_user_name, p_key, p_value) n (user_name, key, value)
    where a.account_id = p_account_id
        and a.mailbox_id = p_mailbox_id
        and a.user_name = n.user_name
        and a.key = n.key
        and n.value is null;
    insert into pgbox.mailbox_attribute (account_id, mailbox_id, user_name, key, value, changed_at)
    select
        p_account_id,
        p_mailbox_id,
        n.user_name,
        n.key,
        n.value,
        coalesce(to_timestamp(n.changed_at), now())
    from unnest(p_user_name, p_key, p_value, p_changed_at) n (user_name, key, value, changed_at)
    where n.value is not null
    order by n.user_name, n.key
    on conflict (account_id, mailbox_id, user_name, key) do update
    set value = excluded.value,
        changed_at = excluded.changed_at;
end
$$;

comment on function pgbox.attribute_set(bigint, bigint, text[], text[], bytea[], bigint[]) is
    'Sets or removes METADATA entries of a mailbox.';
