-- Deletes a mailbox: marks its row. Its mails stay until the purge. A mailbox
-- with children leaves a \Noselect node, as on a file system; such a node
-- itself can be deleted only when it has no children any more.
-- Parameters: account; mailbox.
-- Returns nothing. Errors: PB404, PB409 a \Noselect node with children.
-- Locks: account row, mailbox row. Writes: mailbox.
create or replace function pgbox.mailbox_delete(
    p_account_id bigint,
    p_mailbox_id bigint
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
    v_selectable boolean;
begin
    perform pgbox.account_lock(p_account_id);
    update pgbox.mailbox b
    set deleted_at = now()
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
        and b.deleted_at is null
    returning b.name, b.selectable into v_name, v_selectable;
    if not found then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s of account %s does not exist', p_mailbox_id, p_account_id);
    end if;
    if exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and starts_with(b.name, v_name || '/')
            and b.deleted_at is null
    ) then
        if not v_selectable then
            raise exception using
                errcode = 'PB409',
                message = format('mailbox %L has children', v_name);
        end if;
        perform pgbox.mailbox_create(p_account_id, v_name, gen_random_uuid(), false, null, null);
    end if;
end
$$;

comment on function pgbox.mailbox_delete(bigint, bigint) is
    'Marks a mailbox deleted; leaves a \Noselect node if it has children.';
