-- Asked once per connection: what session_begin() does when it finds nothing to
-- do, for which a new connection would have to load PL/pgSQL.
-- $1 system identifier, $2 timeline, $3 position, $4 epoch and $5 when it was
-- raised, of the server that this frontend has seen last; 0 if it has seen none
-- Columns: schema version, then $1 to $5 of this server, as an array; process that
-- answers.
select
    case
        when current_setting('transaction_isolation') = 'read committed'
            and current_setting('synchronous_commit') <> 'off'
            and h.fits
            and (
                $4::bigint = 0
                or (
                    h.system_identifier = $1::bigint
                    and h.timeline = $2::int
                    and h.position >= $3::bigint
                    and h.epoch = $4
                )
            )
            then array[
                (select max(v.version) from pgbox.schema_version v),
                h.system_identifier,
                h.timeline,
                h.position,
                h.epoch,
                extract(epoch from h.raised_at) * 1000000
            ]::bigint[]
        else pgbox.session_begin($1, $2, $3, $4, $5::bigint)
    end,
    pg_backend_pid()
from pgbox.server_history h
