-- UIDs as ranges.
-- Parameters: UIDs in any order. Returns the ranges.
create or replace function pgbox.uids_compress(p_uid bigint[])
returns int8multirange
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(range_agg(int8range(r.first, r.last, '[]')), '{}')
    from (
        select min(u.uid), max(u.uid)
        from (
            select d.uid, d.uid - row_number() over (order by d.uid) as island
            from (select distinct x.uid from unnest(p_uid) x (uid)) d
        ) u
        group by u.island
    ) r (first, last)
$$;

comment on function pgbox.uids_compress(bigint[]) is 'UIDs as ranges.';
