-- Finds an account by its name and, if allowed, creates it with its INBOX.
-- Parameters: name; whether to create it; whether it has an INBOX, which a
--   public tree of mailboxes has not; whether it is for a namespace of type public.
-- Returns the account's id. Errors: PB404 no such account; F0000 it is a user's and
--   was asked for by a public namespace, or the other way round.
-- Locks: none if it exists. Writes: account, mailbox.
create or replace function pgbox.account_open(
    p_name text,
    p_create boolean,
    p_inbox boolean default true,
    p_public boolean default false
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_account pgbox.account;
begin
    select a.* into v_account
    from pgbox.account a
    where a.name = p_name;
    if not found then
        if not p_create then
            raise exception using
                errcode = 'PB404',
                message = format('account %L does not exist', p_name),
                hint = format(
                    'Set pgbox_account_create = yes, or create it with select pgbox.account_open(%L, true%s).',
                    p_name,
                    case when p_public then ', false, true' else '' end
                );
        end if;
        insert into pgbox.account (name, public)
        values (p_name, p_public)
        on conflict (name) do nothing
        returning * into v_account;
        if found then
            if p_inbox then
                perform pgbox.mailbox_create(v_account.account_id, 'INBOX', gen_random_uuid(), true, null, null);
            end if;
            return v_account.account_id;
        end if;
        -- Another frontend was faster.
        select a.* into strict v_account
        from pgbox.account a
        where a.name = p_name;
    end if;
    if v_account.public <> p_public then
        raise exception using
            errcode = 'F0000',
            message = format(
                case when p_public then 'account %L is that of a user, and no public namespace''s'
                else 'account %L is that of a public namespace, and no user''s' end,
                p_name
            ),
            hint = case when p_public then 'Give the namespace another pgbox_account.'
                else 'Give the user another pgbox_account in the userdb, or another name.' end;
    elsif v_account.public is null and p_public and not exists (
        select from pgbox.mailbox b
        where b.account_id = v_account.account_id
            and b.name = 'INBOX'
            and b.deleted_at is null
    ) then
        update pgbox.account a
        set public = true
        where a.account_id = v_account.account_id;
    end if;
    return v_account.account_id;
end
$$;

comment on function pgbox.account_open(text, boolean, boolean, boolean) is 'Finds an account by name, or creates it with its INBOX.';
