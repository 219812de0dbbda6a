-- Sets what dsync and "doveadm mailbox update" may set. Numbers only go up,
-- but for UIDVALIDITY. Null leaves a value as it is.
-- Parameters: account; mailbox; UIDVALIDITY; lowest UIDNEXT; lowest first
--   recent UID; lowest HIGHESTMODSEQ; GUID.
-- Returns nothing. Errors: PB404, 23505 the GUID is in use.
-- Locks: account row if UIDVALIDITY is set, mailbox row. Writes: account, mailbox.
create or replace function pgbox.mailbox_update(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_uid_validity bigint,
    p_min_uid_next bigint,
    p_min_first_recent_uid bigint,
    p_min_modseq bigint,
    p_guid uuid
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_uid_validity is not null then
        perform pgbox.account_lock(p_account_id);
        perform pgbox.uid_validity_next(p_account_id, p_uid_validity);
    end if;
    if p_uid_validity is distinct from (pgbox.mailbox_lock(p_account_id, p_mailbox_id)).uid_validity
        and p_uid_validity is not null
    then
        -- Local indexes begin anew, and need MODSEQs above what they had.
        perform pgbox.mailbox_restart(p_account_id, p_mailbox_id);
    end if;
    update pgbox.mailbox b
    set uid_validity = coalesce(p_uid_validity, b.uid_validity),
        uid_next = greatest(b.uid_next, p_min_uid_next),
        first_recent_uid = greatest(b.first_recent_uid, p_min_first_recent_uid),
        modseq = greatest(b.modseq, pgbox.modseq_ceiling(p_min_modseq)),
        guid = coalesce(p_guid, b.guid)
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
end
$$;

comment on function pgbox.mailbox_update(bigint, bigint, bigint, bigint, bigint, bigint, uuid) is
    'Sets UIDVALIDITY, lower bounds and GUID of a mailbox.';
