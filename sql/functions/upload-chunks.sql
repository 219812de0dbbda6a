-- Stores the next chunks of a large message before the message is saved.
-- Parameters: account; id of the message to be, or null for its first chunks;
--   number of the first of these chunks, from 0; for each the octets in it and
--   what message_chunk stores.
-- Returns the id. Errors: PB404 the upload was purged.
-- Locks: the upload's row. Writes: message_upload, message_chunk.
create or replace function pgbox.upload_chunks(
    p_account_id bigint,
    p_message_id bigint,
    p_n int,
    p_size int[],
    p_data bytea[]
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
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
    insert into pgbox.message_chunk (account_id, message_id, n, size, data)
    select p_account_id, v_message_id, p_n + c.place - 1, c.size, c.data
    from unnest(p_size, p_data) with ordinality c (size, data, place);
    return v_message_id;
end
$$;

comment on function pgbox.upload_chunks(bigint, bigint, int, int[], bytea[]) is
    'Stores the next chunks of a large message before the message is saved.';
