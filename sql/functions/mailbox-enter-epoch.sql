-- What a sync calls when it reads a mailbox whose epoch is not the current one.
-- Parameters: account; mailbox. Returns the epoch.
-- Errors: PB404. Locks and writes: see mailbox_lock().
create or replace function pgbox.mailbox_enter_epoch(
    p_account_id bigint,
    p_mailbox_id bigint
)
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select (pgbox.mailbox_lock(p_account_id, p_mailbox_id)).epoch
$$;

comment on function pgbox.mailbox_enter_epoch(bigint, bigint) is
    'Brings a mailbox into the current epoch.';
