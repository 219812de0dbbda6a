-- What a frontend asks once per connection. Notices a database that was moved
-- to another cluster (a loaded dump), which the timeline alone does not tell.
-- Parameters: none. Returns the schema version.
-- Errors: F0000 the session's transactions are not READ COMMITTED.
-- Locks and writes: the row of epoch, only when it is raised.
create or replace function pgbox.session_begin()
returns int
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Functions wait for a lock, then read what the others have committed.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using
            errcode = 'F0000',
            message = format(
                'pgbox needs default_transaction_isolation to be read committed, not %s',
                current_setting('transaction_isolation')
            ),
            hint = format('ALTER ROLE %I SET default_transaction_isolation = %L', session_user, 'read committed');
    end if;
    perform 1
    from pgbox.epoch e
    join pg_control_system() s on s.system_identifier = e.system_identifier;
    if not found then
        perform 1 from pgbox.epoch for update;
        perform 1
        from pgbox.epoch e
        join pg_control_system() s on s.system_identifier = e.system_identifier;
        if not found then
            perform pgbox.raise_epoch();
        end if;
    end if;
    return (select max(v.version) from pgbox.schema_version v);
end
$$;

comment on function pgbox.session_begin() is 'Asked once per connection: returns the schema version.';
