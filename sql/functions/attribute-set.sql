-- Sets or removes one METADATA entry.
-- Parameters: account; mailbox; whose private entry, or '' for a shared one;
--   key; octets, or null to remove it.
-- Returns nothing. Errors: PB404. Locks: mailbox row (key share).
-- Writes: mailbox_attribute.
create or replace function pgbox.attribute_set(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_user_name text,
    p_key text,
    p_value bytea
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
    if p_value is null then
        delete from pgbox.mailbox_attribute a
        where a.account_id = p_account_id
            and a.mailbox_id = p_mailbox_id
            and a.user_name = p_user_name
            and a.key = p_key;
    else
        insert into pgbox.mailbox_attribute (account_id, mailbox_id, user_name, key, value)
        values (p_account_id, p_mailbox_id, p_user_name, p_key, p_value)
        on conflict (account_id, mailbox_id, user_name, key) do update
        set value = excluded.value,
            changed_at = now();
    end if;
end
$$;

comment on function pgbox.attribute_set(bigint, bigint, text, text, bytea) is 'Sets or removes one METADATA entry.';
