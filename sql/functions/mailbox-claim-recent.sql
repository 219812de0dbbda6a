-- Gives \Recent of the newest mails to the calling session, and to no other.
-- Parameters: account; mailbox; the UIDNEXT that the session has synced to.
-- Returns the first UID that is \Recent for this session.
-- Errors: PB404. Locks: mailbox row. Writes: mailbox.
create or replace function pgbox.mailbox_claim_recent(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_uid_next bigint
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_box pgbox.mailbox := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
begin
    if v_box.first_recent_uid >= p_uid_next then
        return p_uid_next;
    end if;
    -- \Recent is a courtesy: a crash may give it out again.
    perform set_config('synchronous_commit', 'off', true);
    update pgbox.mailbox b
    set first_recent_uid = least(p_uid_next, b.uid_next)
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
    return v_box.first_recent_uid;
end
$$;

comment on function pgbox.mailbox_claim_recent(bigint, bigint, bigint) is
    'Gives \Recent of the newest mails to one session.';
