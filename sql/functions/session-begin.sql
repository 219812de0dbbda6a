-- What a frontend asks once per connection. Notices a database that was moved
-- to another cluster (a loaded dump), which the timeline alone does not tell.
-- Parameters: none. Returns the schema version.
-- Locks and writes: the row of epoch, only when it is raised.
create or replace function pgbox.session_begin()
returns int
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
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
