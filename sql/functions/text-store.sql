-- Stores text of messages and takes them off the queue. One that was purged
-- meanwhile is not on the queue any more, and its text is dropped.
-- Parameters: parallel arrays: accounts, messages, their text (see
--   message_text; the header is null if there is no text at all, the body if it
--   was not extracted), and why something is missing that must not be tried
--   again, or null; folding of all texts.
-- Returns how many were stored.
-- Locks: rows of message_text_queue. Writes: message_text, message_text_queue.
create or replace function pgbox.text_store(
    p_account_id bigint[],
    p_message_id bigint[],
    p_header text[],
    p_from_field text[],
    p_to_field text[],
    p_cc_field text[],
    p_bcc_field text[],
    p_subject_field text[],
    p_message_id_field text[],
    p_body text[],
    p_error text[],
    p_folding int default 0
)
returns int
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_queued bigint[];
    v_count int;
begin
    -- What a crash takes back is done again.
    perform set_config('synchronous_commit', 'off', true);
    v_queued := array(
        select q.message_id
        from pgbox.message_text_queue q
        join unnest(p_account_id, p_message_id) t (account_id, id)
            on t.account_id = q.account_id
            and t.id = q.message_id
        order by q.message_id
        for update of q
    );
    insert into pgbox.message_text as old (
        account_id, message_id, folding, header, from_field, to_field, cc_field, bcc_field, subject_field, message_id_field,
        body
    )
    select
        t.account_id, t.id, p_folding, t.header, t.from_field, t.to_field, t.cc_field, t.bcc_field, t.subject_field,
        t.message_id_field, t.body
    from unnest(
        p_account_id, p_message_id, p_header, p_from_field, p_to_field, p_cc_field, p_bcc_field,
        p_subject_field, p_message_id_field, p_body
    ) t (account_id, id, header, from_field, to_field, cc_field, bcc_field, subject_field, message_id_field, body)
    where t.id = any (v_queued)
        and t.header is not null
    on conflict (account_id, message_id) do update
    set folding = excluded.folding,
        header = excluded.header,
        from_field = excluded.from_field,
        to_field = excluded.to_field,
        cc_field = excluded.cc_field,
        bcc_field = excluded.bcc_field,
        subject_field = excluded.subject_field,
        message_id_field = excluded.message_id_field,
        body = excluded.body
    -- what is there stays if another process was faster with all of it
    where old.body is null
        or old.folding <> excluded.folding;
    get diagnostics v_count = row_count;
    delete from pgbox.message_text_queue q
    using unnest(p_account_id, p_message_id, p_header, p_body) t (account_id, id, header, body)
    where q.account_id = t.account_id
        and q.message_id = t.id
        and t.header is not null
        and t.body is not null;
    update pgbox.message_text_queue q
    set has_header = q.has_header or t.header is not null,
        attempts = 0,
        leased_until = null,
        -- a body that was not wanted here may be wanted from the service
        wanted = case when t.error is null and q.wanted = 2 then 2 else 0 end,
        error = t.error
    from unnest(p_account_id, p_message_id, p_header, p_body, p_error) t (account_id, id, header, body, error)
    where q.account_id = t.account_id
        and q.message_id = t.id
        and (t.header is null or t.body is null);
    return v_count;
end
$$;

comment on function pgbox.text_store is 'Stores text of messages and takes them off the queue.';
