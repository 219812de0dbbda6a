-- Whether a command whose COMMIT was lost has happened. Waits for the
-- mailbox's lock, so that a command that still runs has ended.
-- Parameters: account; mailbox; lower bounds of the UIDs and MODSEQ it
--   can have given; the command's random number; GUIDs of saved messages (for mail_save(), which
--   has no such number) or an empty array.
-- Returns UIDVALIDITY and, for a copy or save that happened, its UIDs in
--   ascending order; done tells whether it happened.
-- Locks: mailbox row. Writes: nothing.
create or replace function pgbox.operation_done(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_min_uid bigint,
    p_min_modseq bigint,
    p_operation bigint,
    p_guid text[],
    out r_done boolean,
    out r_uid_validity bigint,
    out r_modseq bigint,
    out r_uids bigint[]
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_box pgbox.mailbox := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
begin
    r_done := false;
    r_uid_validity := v_box.uid_validity;
    r_uids := '{}';
    if cardinality(p_guid) > 0 then
        -- Copies that were made of them since have higher UIDs.
        r_uids := array(
            select m.uid
            from pgbox.mail m
            join pgbox.message s
                on s.account_id = p_account_id
                and s.message_id = m.message_id
            where m.account_id = p_account_id
                and m.mailbox_id = p_mailbox_id
                and m.uid >= p_min_uid
                and s.guid = any (p_guid)
            order by m.uid
            limit cardinality(p_guid)
        );
        r_done := cardinality(r_uids) = cardinality(p_guid);
        return;
    end if;
    select c.modseq, array(
        select generate_series(lower(r.uids), upper(r.uids) - 1)
        from unnest(c.uids) r (uids)
    )
    into r_modseq, r_uids
    from pgbox.mail_change c
    where c.account_id = p_account_id
        and c.mailbox_id = p_mailbox_id
        and c.modseq >= p_min_modseq
        and c.operation = p_operation;
    r_done := found;
end
$$;

comment on function pgbox.operation_done(bigint, bigint, bigint, bigint, bigint, text[]) is
    'Whether a command whose COMMIT was lost has happened.';
