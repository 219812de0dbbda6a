-- Subscribes or unsubscribes a name, which need not exist.
-- Parameters: account; subscriber; name; true to subscribe.
-- Returns whether anything changed. Locks: none. Writes: subscription.
create or replace function pgbox.subscription_set(
    p_account_id bigint,
    p_user_name text,
    p_name text,
    p_subscribe boolean
)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_subscribe then
        insert into pgbox.subscription (account_id, user_name, name)
        values (p_account_id, p_user_name, p_name)
        on conflict do nothing;
    else
        delete from pgbox.subscription s
        where s.account_id = p_account_id
            and s.user_name = p_user_name
            and s.name = p_name;
    end if;
    return found;
end
$$;

comment on function pgbox.subscription_set(bigint, text, text, boolean) is 'Subscribes or unsubscribes a name.';
