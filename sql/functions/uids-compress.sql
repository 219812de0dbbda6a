-- UIDs as ranges.
-- Parameters: UIDs in any order. Returns the ranges.
create or replace function pgbox.uids_compress(p_uid bigint[])
returns int8multirange
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The everyday click.
    if cardinality(p_uid) = 1 then
        return int8multirange(int8range(p_uid[1], p_uid[1], '[]'));
    end if;
    return (
        select coalesce(range_agg(int8range(u.uid, u.uid, '[]')), '{}')
        from unnest(p_uid) u (uid)
    );
end
$$;

comment on function pgbox.uids_compress(bigint[]) is 'UIDs as ranges.';
