-- Stores one chunk of an upload.
-- Parameters: account; message id from upload_begin(); chunk number from 0; octets.
-- Returns nothing. Errors: PB404 the upload was purged.
-- Locks: the upload's row. Writes: message_chunk.
create or replace function pgbox.upload_chunk(
    p_account_id bigint,
    p_message_id bigint,
    p_n int,
    p_data bytea
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Durable together with the save that makes it permanent.
    perform set_config('synchronous_commit', 'off', true);
    perform 1
    from pgbox.message_upload u
    where u.account_id = p_account_id
        and u.message_id = p_message_id
    for key share;
    if not found then
        raise exception using
            errcode = 'PB404',
            message = format('upload %s of account %s does not exist', p_message_id, p_account_id);
    end if;
    insert into pgbox.message_chunk (account_id, message_id, n, data)
    values (p_account_id, p_message_id, p_n, p_data);
end
$$;

comment on function pgbox.upload_chunk(bigint, bigint, int, bytea) is 'Stores one chunk of an upload.';
