-- Renames a mailbox together with its children. Missing parents of the new
-- name are created; \Noselect parents of the old name that have no children
-- any more go away, as on a file system.
-- Parameters: account; old and new name; whether an empty mailbox of the old name
--   is left behind, as RFC 3501 6.3.5 wants for INBOX.
-- Returns the number of renamed rows.
-- Errors: PB404 no such mailbox, PB409 the new name exists,
--   PB400 the new name lies below the old one, PB413 a name gets too long.
-- Locks: account row, all renamed mailbox rows. Writes: account, mailbox.
create or replace function pgbox.mailbox_rename(
    p_account_id bigint,
    p_old_name text,
    p_new_name text,
    p_leave_empty boolean default false
)
returns int
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count int;
    v_parent text := regexp_replace(p_new_name, '/[^/]*$', '');
    v_old_parent text := p_old_name;
begin
    perform pgbox.account_lock(p_account_id);
    if starts_with(p_new_name, p_old_name || '/') then
        raise exception using
            errcode = 'PB400',
            message = format('mailbox %L cannot be moved below itself', p_old_name);
    end if;
    if exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and (b.name = p_new_name or starts_with(b.name, p_new_name || '/'))
            and b.deleted_at is null
    ) then
        raise exception using
            errcode = 'PB409',
            message = format('mailbox %L exists already', p_new_name);
    end if;
    if exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and (b.name = p_old_name or starts_with(b.name, p_old_name || '/'))
            and b.deleted_at is null
            and octet_length(b.name) - octet_length(p_old_name) + octet_length(p_new_name) > 2048
    ) then
        raise exception using
            errcode = 'PB413',
            message = format('a name below %L gets longer than 2048 octets', p_new_name);
    end if;
    -- In the order in which everybody locks mailboxes: sql/README.md.
    perform 1
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and (b.name = p_old_name or starts_with(b.name, p_old_name || '/'))
        and b.deleted_at is null
    order by b.mailbox_id
    for no key update;
    update pgbox.mailbox b
    set name = p_new_name || substr(b.name, length(p_old_name) + 1)
    where b.account_id = p_account_id
        and (b.name = p_old_name or starts_with(b.name, p_old_name || '/'))
        and b.deleted_at is null;
    get diagnostics v_count = row_count;
    if v_count = 0 then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %L does not exist', p_old_name);
    end if;
    if v_parent <> p_new_name and not exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and b.name = v_parent
            and b.deleted_at is null
    ) then
        perform pgbox.mailbox_create(p_account_id, v_parent, gen_random_uuid(), false, null, null);
    end if;
    if p_leave_empty then
        perform pgbox.mailbox_create(p_account_id, p_old_name, gen_random_uuid(), true, null, null);
    end if;
    while strpos(v_old_parent, '/') > 0 loop
        v_old_parent := regexp_replace(v_old_parent, '/[^/]*$', '');
        exit when exists (
            select from pgbox.mailbox b
            where b.account_id = p_account_id
                and starts_with(b.name, v_old_parent || '/')
                and b.deleted_at is null
        );
        update pgbox.mailbox b
        set deleted_at = now()
        where b.account_id = p_account_id
            and b.name = v_old_parent
            and not b.selectable
            and b.deleted_at is null;
        exit when not found;
    end loop;
    return v_count;
end
$$;

comment on function pgbox.mailbox_rename(bigint, text, text, boolean) is 'Renames a mailbox together with its children.';
