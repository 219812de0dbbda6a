-- Stores one chunk of a large message before the message is saved.
-- Parameters: account; id of the message to be, or null for its first chunk;
--   chunk number from 0; octets.
-- Returns the id. Errors: PB404 the upload was purged.
-- Locks: the upload's row. Writes: message_upload, message_chunk.
create or replace function pgbox.upload_chunk(
    p_account_id bigint,
    p_message_id bigint,
    p_n int,
    p_data bytea
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message_id bigint := p_message_id;
begin
    -- Durable together with the save that makes it permanent.
    perform set_config('synchronous_commit', 'off', true);
    if v_message_id is null then
        v_message_id := nextval('pgbox.message_id_seq');
        insert into pgbox.message_upload (account_id, message_id)
        values (p_account_id, v_message_id);
    else
        perform 1
        from pgbox.message_upload u
        where u.account_id = p_account_id
            and u.message_id = v_message_id
        for key share;
        if not found then
            raise exception using
                errcode = 'PB404',
                message = format('upload %s of account %s does not exist', v_message_id, p_account_id);
        end if;
    end if;
    insert into pgbox.message_chunk (account_id, message_id, n, data)
    values (p_account_id, v_message_id, p_n, p_data);
    return v_message_id;
end
$$;

comment on function pgbox.upload_chunk(bigint, bigint, int, bytea) is
    'Stores one chunk of a large message before the message is saved.';
