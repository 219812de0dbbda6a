-- How long a process may be at work on the text of a message: a minute, and a
-- second more for each megabyte. What is leased for longer than that was taken while
-- the clock was ahead.
-- Parameters: account; message. Returns the time. Locks: none.
create or replace function pgbox.text_lease(
    p_account_id bigint,
    p_message_id bigint
)
returns interval
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select interval '1 minute' + g.size * interval '1 microsecond'
    from pgbox.message g
    where g.account_id = p_account_id
        and g.message_id = p_message_id
    limit 1
$$;

comment on function pgbox.text_lease(bigint, bigint) is 'How long a process may be at work on the text of a message.';
