-- Looks for what makes no sense in accounts, one after the other, until some time has
-- passed: all of it from one snapshot, which is not held for longer.
-- Parameters: where the last call has stopped: account, and mailbox or null; an
--   account to look at only, or null; the last account to look at, or null; how many percent of the accounts and mailboxes to
--   look at; seconds; whether to compare checksums of all octets.
-- Returns a row for each problem: its kind, ids and names of account and mailbox, and
--   what is wrong; and in the end one row of the kind "next", with names that are where it
--   has stopped, empty at the end, and how many accounts it has looked at; and how many
--   mailboxes as the problem.
-- Locks and writes: none.
create or replace function pgbox.verify_next(
    p_after_account_id bigint,
    p_after_mailbox_id bigint,
    p_account_id bigint,
    p_last_account_id bigint,
    p_percent int,
    p_seconds int,
    p_bodies boolean
)
returns table (kind text, account_id bigint, account text, mailbox_id bigint, mailbox text, problem text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
    v_end timestamptz := clock_timestamp() + p_seconds * interval '1 second';
    v_account_id bigint := p_after_account_id;
    v_mailbox_id bigint := p_after_mailbox_id;
    v_name text;
    v_box record;
    v_accounts bigint := 0;
    v_mailboxes bigint := 0;
begin
    <<accounts>>
    loop
        exit when v_mailbox_id is null and v_account_id = p_account_id;
        select a.account_id, a.name into v_box
        from pgbox.account a
        where a.account_id >= coalesce(p_account_id, v_account_id + (v_mailbox_id is null)::int)
        order by a.account_id
        limit 1;
        if v_mailbox_id is null and p_account_id is null then
            return query
            select 'missing-account', g.account_id, null::text, null::bigint, null::text, g.problem
            from pgbox.accounts_missing(v_account_id, v_box.account_id, false) g;
        end if;
        v_account_id := case when v_box.account_id <= p_last_account_id or p_last_account_id is null then v_box.account_id end;
        v_name := v_box.name;
        exit when v_account_id is null;
        if v_mailbox_id is null and random() * 100 < p_percent then
            v_accounts := v_accounts + 1;
            return query
            select p.kind, v_account_id, v_name, p.mailbox_id, null::text, p.problem
            from pgbox.account_problems(v_account_id) p;
        end if;
        for v_box in
            select b.mailbox_id, b.name
            from pgbox.mailbox b
            where b.account_id = v_account_id
                and (v_mailbox_id is null or b.mailbox_id > v_mailbox_id)
            order by b.mailbox_id
        loop
            v_mailbox_id := v_box.mailbox_id;
            continue when random() * 100 >= p_percent;
            v_mailboxes := v_mailboxes + 1;
            return query
            select p.kind, v_account_id, v_name, v_mailbox_id, v_box.name::text, p.problem
            from pgbox.mailbox_problems(v_account_id, v_mailbox_id, p_bodies) p;
            exit accounts when clock_timestamp() > v_end;
        end loop;
        v_mailbox_id := null;
        exit when clock_timestamp() > v_end;
    end loop;
    return query
    select 'next', null::bigint,
        case when v_mailbox_id is not null or v_account_id is distinct from p_account_id
            then concat_ws(' ', v_account_id, v_mailbox_id) end,
        null::bigint, v_accounts::text, v_mailboxes::text;
end
$$;

comment on function pgbox.verify_next(bigint, bigint, bigint, bigint, int, int, boolean) is
    'Looks for what makes no sense in accounts, until some time has passed.';
