-- Asked once per connection.
-- Columns: schema version.
select pgbox.session_begin()
