-- Starts the upload of a large message.
-- Parameters: account. Returns the id of the message to be.
-- Locks: none. Writes: message_upload.
create or replace function pgbox.upload_begin(p_account_id bigint)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message_id bigint := nextval('pgbox.message_id_seq');
begin
    -- Durable together with the save that makes it permanent.
    perform set_config('synchronous_commit', 'off', true);
    insert into pgbox.message_upload (account_id, message_id)
    values (p_account_id, v_message_id);
    return v_message_id;
end
$$;

comment on function pgbox.upload_begin(bigint) is 'Starts the upload of a large message.';
