-- The admin's word that the clock was ahead before and is right now: what is known
-- of a later time is forgotten, and what was expunged or deleted then counts from
-- now on.
-- Parameters: none. Returns how many rows had a later time.
-- Locks: rows of epoch, message_upload, mailbox, expunged. Writes: these.
create or replace function pgbox.clock_is_right()
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count bigint;
    v_rows bigint := 0;
begin
    update pgbox.message_upload u
    set started_at = now()
    where u.started_at > now();
    get diagnostics v_count = row_count;
    v_rows := v_rows + v_count;
    update pgbox.epoch e
    set clock_at = now()
    where e.clock_at > now();
    update pgbox.mailbox b
    set deleted_at = now()
    where b.deleted_at > now();
    get diagnostics v_count = row_count;
    v_rows := v_rows + v_count;
    update pgbox.expunged x
    set expunged_at = now()
    where x.expunged_at > now();
    get diagnostics v_count = row_count;
    return v_rows + v_count;
end
$$;

comment on function pgbox.clock_is_right() is
    'To be called after the server''s clock was ahead: what was expunged then counts from now on.';
