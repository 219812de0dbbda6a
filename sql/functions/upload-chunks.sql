-- Stores the next chunks of a large message before the message is saved.
-- Parameters: account; id of the message to be, or null for its first chunks;
--   number of the first of these chunks, from 0; for each the octets in it and
--   what message_chunk stores, null for those that are fewer than four. They are
--   no arrays, which the server would copy three times more.
-- Returns the id. Errors: PB404 the upload was purged.
-- Locks: the upload's row; as clock(). Writes: message_upload, message_chunk; as
--   clock().
create or replace function pgbox.upload_chunks(
    p_account_id bigint,
    p_message_id bigint,
    p_n int,
    p_size0 int,
    p_data0 bytea,
    p_size1 int default null,
    p_data1 bytea default null,
    p_size2 int default null,
    p_data2 bytea default null,
    p_size3 int default null,
    p_data3 bytea default null
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
        insert into pgbox.message_upload (account_id, message_id, started_at)
        values (p_account_id, v_message_id, pgbox.clock());
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
    select p_account_id, v_message_id, p_n + c.place, c.size, c.data
    from (values
        (0, p_size0, p_data0),
        (1, p_size1, p_data1),
        (2, p_size2, p_data2),
        (3, p_size3, p_data3)
    ) c (place, size, data)
    where c.data is not null;
    return v_message_id;
end
$$;

comment on function pgbox.upload_chunks(bigint, bigint, int, int, bytea, int, bytea, int, bytea, int, bytea) is
    'Stores the next chunks of a large message before the message is saved.';
