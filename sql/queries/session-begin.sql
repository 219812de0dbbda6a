-- Asked once per connection: what session_begin() does when it finds nothing to
-- do, for which a new connection would have to load PL/pgSQL.
-- Columns: schema version, process that answers.
select
    case
        when current_setting('transaction_isolation') = 'read committed'
            and exists (
                select
                from pgbox.epoch e
                cross join pg_control_system() s
                where e.system_identifier = s.system_identifier
            )
            then (select max(v.version) from pgbox.schema_version v)
        else pgbox.session_begin()
    end,
    pg_backend_pid()
