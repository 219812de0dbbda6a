-- Deletes a mailbox: marks its row. Its mails stay until the purge. A mailbox
-- with children leaves a \Noselect node, as on a file system; such a node
-- itself can be deleted only when it has no children any more.
-- Parameters: account; mailbox; the name it is known by: who deletes "a" does
--   not mean the mailbox that another session has just renamed to "b".
-- Returns nothing. Errors: PB404 none of this name, PB409 a \Noselect node
--   with children.
-- Locks: account row, mailbox row; as clock(). Writes: mailbox; as clock().
create or replace function pgbox.mailbox_delete(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_name text
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_selectable boolean;
begin
    perform pgbox.account_lock(p_account_id);
    update pgbox.mailbox b
    set deleted_at = pgbox.clock()
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
        and b.name = p_name
        and b.deleted_at is null
    returning b.selectable into v_selectable;
    if not found then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %L of account %s does not exist', p_name, p_account_id);
    end if;
    if exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and starts_with(b.name, p_name || '/')
            and b.deleted_at is null
    ) then
        if not v_selectable then
            raise exception using
                errcode = 'PB409',
                message = format('mailbox %L has children', p_name);
        end if;
        perform pgbox.mailbox_create(p_account_id, p_name, gen_random_uuid(), false, null, null);
    end if;
end
$$;

comment on function pgbox.mailbox_delete(bigint, bigint, text) is
    'Marks a mailbox deleted; leaves a \Noselect node if it has children.';
