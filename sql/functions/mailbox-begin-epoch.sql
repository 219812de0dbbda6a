-- What mailbox_lock() does when the mailbox is not of the current epoch: gives it
-- numbers that no client can have seen, and makes all flags look changed.
-- Parameters: account; mailbox. Returns the row as it is then.
-- Errors: PB404 the mailbox does not exist (any more).
-- Locks: account row, epoch row if it is raised, mailbox row.
-- Writes: mailbox, account, epoch.
create or replace function pgbox.mailbox_begin_epoch(
    p_account_id bigint,
    p_mailbox_id bigint
)
returns pgbox.mailbox
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_box pgbox.mailbox;
    v_epoch pgbox.epoch;
    v_seconds numeric := extract(epoch from now() - timestamptz '2026-01-01 00:00:00+00');
    v_uid_next bigint;
    v_uid_validity bigint;
    v_modseq bigint;
begin
    perform pgbox.account_lock(p_account_id);
    perform pgbox.current_epoch();
    select b.* into v_box
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
    -- Not before the lock: nobody takes the mailbox into a newer one meanwhile.
    select e.* into v_epoch
    from pgbox.epoch e;
    if v_box.epoch = v_epoch.epoch then
        -- Somebody else was faster.
        return v_box;
    end if;
    -- What is lost may have been as long as it likes, and may have had jumps of
    -- its own. So numbers do not only go far from what is left: they rise with
    -- time, faster than mail comes.
    v_modseq := greatest(v_box.modseq + (1::bigint << 40), floor(v_seconds * 1000)::bigint << 17);
    v_uid_next := greatest(v_box.uid_next + 1000000, floor(v_seconds)::bigint);
    v_uid_validity := v_box.uid_validity;
    if v_uid_next > 4294967295 or v_box.epoch <> all (v_epoch.continued_from) then
        -- Not only the last commits of this history are lost: old UIDs mean
        -- nothing any more.
        v_uid_validity := pgbox.uid_validity_next(p_account_id, null);
        v_uid_next := v_box.uid_next;
    end if;
    update pgbox.mailbox b
    set epoch = v_epoch.epoch,
        uid_validity = v_uid_validity,
        uid_next = v_uid_next,
        modseq = v_modseq,
        modseq_floor = v_modseq,
        history_floor = v_modseq
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id
    returning * into v_box;
    return v_box;
end
$$;

comment on function pgbox.mailbox_begin_epoch(bigint, bigint) is
    'Brings a mailbox into a new epoch: UIDNEXT or UIDVALIDITY, and MODSEQ, jump.';
