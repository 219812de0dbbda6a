-- A UIDVALIDITY that the account has never used, nor a history of it that was lost:
-- what is due at this time in the epoch, or one more than the last one.
-- Parameters: account; a wanted value or null. Returns the value.
-- Locks: the caller holds the account row. Writes: account.
create or replace function pgbox.uid_validity_next(
    p_account_id bigint,
    p_wanted bigint
)
returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    update pgbox.account a
    set last_uid_validity = least(
            greatest(
                coalesce(p_wanted, e.due, 0),
                a.last_uid_validity + case when p_wanted is null then 1 else 0 end
            ),
            4294967295
        )
    from (
        select x.uid_validity + greatest(extract(epoch from clock_timestamp() - x.raised_at)::bigint, 0) as due
        from pgbox.epoch x
    ) e
    where a.account_id = p_account_id
    returning coalesce(
        p_wanted,
        case
            -- dsync brought the highest one: better one that does not rise.
            when a.last_uid_validity = 4294967295 then least(e.due, 4294967295)
            else a.last_uid_validity
        end
    )
$$;

comment on function pgbox.uid_validity_next(bigint, bigint) is
    'A UIDVALIDITY that the account has never used, nor a lost history of it.';
