-- The WAL timeline that the server writes on. A promotion or a point-in-time
-- recovery always starts another one.
-- Parameters: none. Returns the timeline. Locks and tables: none.
-- Errors: 55000 on a standby.
create or replace function pgbox.current_timeline()
returns int
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- PL/pgSQL keeps the expression prepared; this is called by every change.
    return ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int;
end
$$;

comment on function pgbox.current_timeline() is 'WAL timeline that the server writes on.';
