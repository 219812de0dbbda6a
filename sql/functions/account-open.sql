-- Finds an account by its name and, if allowed, creates it with its INBOX.
-- Parameters: name; whether to create it; whether it has an INBOX, which a
--   public tree of mailboxes has not.
-- Returns the account's id. Errors: PB404 no such account.
-- Locks: none if it exists. Writes: account, mailbox.
create or replace function pgbox.account_open(
    p_name text,
    p_create boolean,
    p_inbox boolean default true
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_account_id bigint;
begin
    select a.account_id into v_account_id
    from pgbox.account a
    where a.name = p_name;
    if found then
        return v_account_id;
    end if;
    if not p_create then
        raise exception using
            errcode = 'PB404',
            message = format('account %L does not exist', p_name),
            hint = 'Set pgbox_account_create = yes, or create it with select pgbox.account_open(name, true).';
    end if;
    insert into pgbox.account (name)
    values (p_name)
    on conflict (name) do nothing
    returning account_id into v_account_id;
    if not found then
        -- Another frontend was faster.
        select a.account_id into strict v_account_id
        from pgbox.account a
        where a.name = p_name;
        return v_account_id;
    end if;
    if p_inbox then
        perform pgbox.mailbox_create(v_account_id, 'INBOX', gen_random_uuid(), true, null, null);
    end if;
    return v_account_id;
end
$$;

comment on function pgbox.account_open(text, boolean, boolean) is 'Finds an account by name, or creates it with its INBOX.';
