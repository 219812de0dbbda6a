-- What the pgTAP files share: short ways to call functions with many
-- parameters, in a schema of their own.

create schema tap;
create extension pgtap schema tap;

alter database pgbox_template set search_path = tap, public;

create function tap.mailbox(
    p_name text,
    p_account text default 'anna'
)
returns bigint
language sql
as $$
    select b.mailbox_id
    from pgbox.mailbox b
    join pgbox.account a using (account_id)
    where a.name = p_account
        and b.name = p_name
        and b.deleted_at is null
$$;

create function tap.account(p_name text default 'anna')
returns bigint
language sql
as $$
    select pgbox.account_open(p_name, true)
$$;
