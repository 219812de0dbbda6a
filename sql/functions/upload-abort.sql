-- Removes an upload that will not be saved.
-- Parameters: account; message id from upload_chunks(). Returns nothing.
-- Locks: the upload's row. Writes: message_upload, message_chunk.
create or replace function pgbox.upload_abort(
    p_account_id bigint,
    p_message_id bigint
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from pgbox.message_upload u
    where u.account_id = p_account_id
        and u.message_id = p_message_id;
    if found then
        delete from pgbox.message_chunk c
        where c.account_id = p_account_id
            and c.message_id = p_message_id;
    end if;
end
$$;

comment on function pgbox.upload_abort(bigint, bigint) is 'Removes an upload that will not be saved.';
