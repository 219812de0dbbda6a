-- Asked once per connection: what session_begin() does when it finds nothing to
-- do, for which a new connection would have to load PL/pgSQL. It should name few
-- functions and no view: each costs a new connection 0.1 ms.
-- The parameters are of the server that this frontend has seen last; 0 if it has
-- seen none.
-- Parameters:
--   system_identifier bigint
--   timeline integer
--   position pg_lsn
--   epoch bigint
--   raised_at bigint: when it was, microseconds since 1970
-- Columns:
--   history bigint[] or null: what session_begin() says; null if nothing but the
--         position has changed
--   schema_version integer
--   position pg_lsn
--   backend_pid integer: process that answers
select
    case
        when current_setting('transaction_isolation') <> 'read committed'
            or current_setting('synchronous_commit') = 'off'
            or pg_current_wal_flush_lsn() < :position
            or not exists (
                select
                from pgbox.epoch e
                cross join pg_control_system() s
                where e.epoch = :epoch
                    and e.system_identifier = s.system_identifier
                    -- as epoch_here, which is asked soon
                    and e.timeline = ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
                    and e.relation_oid = e.tableoid
            )
            then pgbox.session_begin(:parameters)
    end as history,
    (select max(v.version) from pgbox.schema_version v) as schema_version,
    pg_current_wal_flush_lsn() as position,
    pg_backend_pid() as backend_pid
