-- Takes the lock of an account's folder tree.
-- Parameters: account. Returns nothing. Errors: PB404 no such account.
-- Locks: the account row, first in the lock order of sql/README.md.
create or replace function pgbox.account_lock(p_account_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform 1
    from pgbox.account a
    where a.account_id = p_account_id
    for no key update;
    if not found then
        raise exception using
            errcode = 'PB404',
            message = format('account %s does not exist', p_account_id);
    end if;
end
$$;

comment on function pgbox.account_lock(bigint) is 'Takes the lock of an account''s folder tree.';
