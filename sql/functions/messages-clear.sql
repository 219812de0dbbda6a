-- Removes what belongs to messages: octets, parts, text, the place on the queue.
-- Parameters: account, messages.
-- Locks: rows that are removed. Writes: message_chunk, message_part, message_text,
--   message_text_queue.
create or replace function pgbox.messages_clear(
    p_account_id bigint,
    p_message_ids bigint[]
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from pgbox.message_chunk c
    where c.account_id = p_account_id
        and c.message_id = any (p_message_ids);
    delete from pgbox.message_part p
    where p.account_id = p_account_id
        and p.message_id = any (p_message_ids);
    delete from pgbox.message_text_queue q
    where q.account_id = p_account_id
        and q.message_id = any (p_message_ids);
    delete from pgbox.message_text t
    where t.account_id = p_account_id
        and t.message_id = any (p_message_ids);
end
$$;

comment on function pgbox.messages_clear(bigint, bigint[]) is 'Removes what belongs to messages.';
