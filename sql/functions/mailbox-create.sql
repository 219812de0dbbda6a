-- Creates a mailbox, or makes an existing \Noselect node selectable. Missing
-- parents are created as \Noselect nodes. An INBOX that nobody has used yet is
-- made too if UIDVALIDITY is given, as dsync does.
-- Parameters: account; name; GUID to give; false for a \Noselect node;
--   UIDVALIDITY or null; lowest MODSEQ or null.
-- Returns the mailbox's id.
-- Errors: PB404 no such account, PB409 it exists.
-- Locks: account row; epoch row if it is raised. Writes: account, mailbox, epoch.
create or replace function pgbox.mailbox_create(
    p_account_id bigint,
    p_name text,
    p_guid uuid,
    p_selectable boolean,
    p_uid_validity bigint,
    p_min_modseq bigint
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_mailbox_id bigint;
    v_parent text := regexp_replace(p_name, '/[^/]*$', '');
    v_modseq bigint := greatest(1, pgbox.modseq_ceiling(coalesce(p_min_modseq, 0)));
begin
    perform pgbox.account_lock(p_account_id);
    -- A UIDVALIDITY is of an epoch.
    perform pgbox.current_epoch();
    if p_uid_validity is not null then
        -- dsync brings a mailbox back: clients have seen MODSEQs of the deleted one.
        v_modseq := greatest(v_modseq, (
            select pgbox.modseq_next(max(b.modseq))
            from pgbox.mailbox b
            where b.account_id = p_account_id
                and b.uid_validity = p_uid_validity
                and b.deleted_at is not null
        ));
    end if;
    select b.mailbox_id into v_mailbox_id
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.name = p_name
        and b.deleted_at is null;
    if found then
        update pgbox.mailbox b
        set selectable = true,
            guid = p_guid,
            uid_validity = pgbox.uid_validity_next(p_account_id, p_uid_validity),
            -- and now it has been used
            modseq = greatest(pgbox.modseq_next(b.modseq), v_modseq)
        where b.account_id = p_account_id
            and b.mailbox_id = v_mailbox_id
            and p_selectable
            and (
                not b.selectable
                or (p_name = 'INBOX' and p_uid_validity is not null and b.modseq = 1 and b.uid_next = 1)
            );
        if not found then
            raise exception using
                errcode = 'PB409',
                message = format('mailbox %L exists already', p_name);
        end if;
        return v_mailbox_id;
    end if;
    if v_parent <> p_name and not exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and b.name = v_parent
            and b.deleted_at is null
    ) then
        perform pgbox.mailbox_create(p_account_id, v_parent, gen_random_uuid(), false, null, null);
    end if;
    insert into pgbox.mailbox (account_id, name, guid, selectable, uid_validity, modseq, epoch)
    values (
        p_account_id,
        p_name,
        p_guid,
        p_selectable,
        pgbox.uid_validity_next(p_account_id, p_uid_validity),
        v_modseq,
        pgbox.current_epoch()
    )
    returning mailbox_id into v_mailbox_id;
    return v_mailbox_id;
end
$$;

comment on function pgbox.mailbox_create(bigint, text, uuid, boolean, bigint, bigint) is
    'Creates a mailbox, or makes a \Noselect node selectable.';
