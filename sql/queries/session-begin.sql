-- Asked once per connection.
-- Columns: schema version, process that answers.
select
    pgbox.session_begin(),
    pg_backend_pid()
