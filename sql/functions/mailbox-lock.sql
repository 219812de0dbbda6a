-- Takes the lock of a mailbox's mails and brings it into the current epoch.
-- Parameters: account; mailbox. Returns the row as it is then.
-- Errors: PB404 the mailbox does not exist (any more).
-- Locks: the mailbox row; as mailbox_begin_epoch(), when an epoch begins.
-- Writes: mailbox, account, when an epoch begins.
create or replace function pgbox.mailbox_lock(
    p_account_id bigint,
    p_mailbox_id bigint
)
returns pgbox.mailbox
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_box pgbox.mailbox;
begin
    select b.* into v_box
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
        and b.deleted_at is null
        and b.epoch = (select h.epoch from pgbox.epoch_here h)
    for no key update;
    if not found then
        v_box := pgbox.mailbox_begin_epoch(p_account_id, p_mailbox_id);
    end if;
    return v_box;
end
$$;

comment on function pgbox.mailbox_lock(bigint, bigint) is
    'Takes the lock of a mailbox''s mails; brings it into the current epoch.';
