-- Chooses UIDs for mails that are added, in their order: a wanted UID if it
-- is free (not below UIDNEXT), otherwise the next one.
-- Parameters: UIDNEXT; wanted UIDs, 0 for none.
-- Returns the UIDs. Errors: PB413 the UID space is used up.
create or replace function pgbox.uids_assign(
    p_uid_next bigint,
    p_wanted bigint[]
)
returns bigint[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wanted bigint;
    v_next bigint := p_uid_next;
    v_uids bigint[];
begin
    if 0 = all (p_wanted) then
        v_next := p_uid_next + cardinality(p_wanted);
        v_uids := array(select generate_series(p_uid_next, v_next - 1));
    else
        foreach v_wanted in array p_wanted loop
            v_next := greatest(v_next, v_wanted);
            v_uids := v_uids || v_next;
            v_next := v_next + 1;
        end loop;
    end if;
    -- UIDNEXT has 32 bits, too.
    if v_next > 4294967295 then
        raise exception using
            errcode = 'PB413',
            message = 'the mailbox has used all of its UIDs';
    end if;
    return v_uids;
end
$$;

comment on function pgbox.uids_assign(bigint, bigint[]) is 'Chooses UIDs for mails that are added.';
