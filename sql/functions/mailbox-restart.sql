-- Makes a whole mailbox look changed: every frontend and client reads it
-- anew. For force-resync, and when a local index does not fit its mailbox.
-- Parameters: account; mailbox. Returns nothing. Errors: PB404.
-- Locks: mailbox row. Writes: mailbox.
create or replace function pgbox.mailbox_restart(
    p_account_id bigint,
    p_mailbox_id bigint
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pgbox.mailbox_lock(p_account_id, p_mailbox_id);
    update pgbox.mailbox b
    set modseq = pgbox.modseq_next(b.modseq),
        modseq_floor = pgbox.modseq_next(b.modseq),
        history_floor = pgbox.modseq_next(b.modseq)
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
end
$$;

comment on function pgbox.mailbox_restart(bigint, bigint) is 'Makes a whole mailbox look changed.';
