-- Asked once per connection: what session_begin() does when it finds nothing to
-- do, for which a new connection would have to load PL/pgSQL. It should name few
-- functions and no view: each costs a new connection 0.1 ms.
-- $1 system identifier, $2 timeline, $3 position, $4 epoch and $5 when it was
-- raised, of the server that this frontend has seen last; 0 if it has seen none
-- Columns: what session_begin() says; null if nothing but the position has
-- changed; schema version; position; process that answers.
select
    case
        when current_setting('transaction_isolation') <> 'read committed'
            or current_setting('synchronous_commit') = 'off'
            or pg_current_wal_flush_lsn() < $3
            or not exists (
                select
                from pgbox.epoch e
                cross join pg_control_system() s
                where e.epoch = $4
                    and e.system_identifier = s.system_identifier
                    -- as epoch_here, which is asked soon
                    and e.timeline = ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
                    and e.relation_oid = e.tableoid
            )
            then pgbox.session_begin($1, $2, $3, $4, $5)
    end,
    (select max(v.version) from pgbox.schema_version v),
    pg_current_wal_flush_lsn(),
    pg_backend_pid()
