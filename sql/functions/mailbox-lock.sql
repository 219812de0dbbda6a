-- Takes the lock of a mailbox's mails and brings it into the current epoch.
-- Parameters: account; mailbox. Returns the row as it is then.
-- Errors: PB404 the mailbox does not exist (any more).
-- Locks: the mailbox row. Writes: mailbox, when an epoch begins.
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
    v_epoch bigint;
begin
    select * into v_box
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
        and b.deleted_at is null
    for no key update;
    if not found then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s of account %s does not exist', p_mailbox_id, p_account_id);
    end if;
    -- As current_epoch(), which is called only when it has something to do:
    -- this runs in every change.
    select e.epoch into v_epoch
    from pgbox.epoch e
    where e.timeline = ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int;
    if not found then
        v_epoch := pgbox.current_epoch();
    end if;
    if v_box.epoch <> v_epoch then
        -- Commits of the last epoch may be lost: jump far over every UID and
        -- MODSEQ that a client can have seen, and make all flags look changed.
        update pgbox.mailbox b
        set epoch = v_epoch,
            uid_next = least(b.uid_next + 1000000, 4294967295),
            modseq = b.modseq + (1::bigint << 40),
            modseq_floor = b.modseq + (1::bigint << 40),
            history_floor = b.modseq + (1::bigint << 40)
        where b.account_id = p_account_id
            and b.mailbox_id = p_mailbox_id
        returning * into v_box;
    end if;
    return v_box;
end
$$;

comment on function pgbox.mailbox_lock(bigint, bigint) is
    'Takes the lock of a mailbox''s mails; jumps UIDNEXT and MODSEQ in a new epoch.';
