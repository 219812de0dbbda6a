-- Makes messages of other accounts the account's own, with their octets, parts
-- and text.
-- Parameters: account; p_source_account_id, p_message_id: parallel; the messages.
-- Returns their ids in the account, parallel; those that are its own stay.
-- Locks: the caller holds the mailboxes that keep the messages from the purge.
-- Writes: message, message_chunk, message_part, message_text, message_text_queue.
create or replace function pgbox.messages_copy(
    p_account_id bigint,
    p_source_account_id bigint[],
    p_message_id bigint[]
)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids bigint[] := array(
        select case when s.account_id = p_account_id then s.message_id else nextval('pgbox.message_id_seq') end
        from unnest(p_source_account_id, p_message_id) with ordinality s (account_id, message_id, place)
        order by s.place
    );
begin
    insert into pgbox.message (
        account_id, message_id, guid, sha256, size, header_size,
        received_at, sent_at, sent_zone_minutes,
        subject, from_header, to_header, cc_header, message_id_header,
        mime_parts, envelope, bodystructure,
        sort_folding, sort_subject, sort_from, sort_to, sort_cc, sort_display_from, sort_display_to
    )
    select
        p_account_id, s.id, m.guid, m.sha256, m.size, m.header_size,
        m.received_at, m.sent_at, m.sent_zone_minutes,
        m.subject, m.from_header, m.to_header, m.cc_header, m.message_id_header,
        m.mime_parts, m.envelope, m.bodystructure,
        m.sort_folding, m.sort_subject, m.sort_from, m.sort_to, m.sort_cc, m.sort_display_from, m.sort_display_to
    from unnest(v_ids, p_source_account_id, p_message_id) s (id, account_id, message_id)
    join pgbox.message m
        on m.account_id = s.account_id
        and m.message_id = s.message_id
    where s.account_id <> p_account_id;
    insert into pgbox.message_chunk (account_id, message_id, n, size, data)
    select p_account_id, s.id, c.n, c.size, c.data
    from unnest(v_ids, p_source_account_id, p_message_id) s (id, account_id, message_id)
    join pgbox.message_chunk c
        on c.account_id = s.account_id
        and c.message_id = s.message_id
    where s.account_id <> p_account_id;
    insert into pgbox.message_part (
        account_id, message_id, section, media_type, charset, encoding,
        disposition, filename, header_offset, header_size, body_size, body_lines
    )
    select
        p_account_id, s.id, p.section, p.media_type, p.charset, p.encoding,
        p.disposition, p.filename, p.header_offset, p.header_size, p.body_size, p.body_lines
    from unnest(v_ids, p_source_account_id, p_message_id) s (id, account_id, message_id)
    join pgbox.message_part p
        on p.account_id = s.account_id
        and p.message_id = s.message_id
    where s.account_id <> p_account_id;
    insert into pgbox.message_text (
        account_id, message_id, folding, header, from_field, to_field, cc_field,
        bcc_field, subject_field, message_id_field, body
    )
    select
        p_account_id, s.id, t.folding, t.header, t.from_field, t.to_field, t.cc_field,
        t.bcc_field, t.subject_field, t.message_id_field, t.body
    from unnest(v_ids, p_source_account_id, p_message_id) s (id, account_id, message_id)
    join pgbox.message_text t
        on t.account_id = s.account_id
        and t.message_id = s.message_id
    where s.account_id <> p_account_id;
    -- Not who is at work on it there.
    insert into pgbox.message_text_queue (account_id, message_id, wanted, has_header)
    select p_account_id, s.id, q.wanted, q.has_header
    from unnest(v_ids, p_source_account_id, p_message_id) s (id, account_id, message_id)
    join pgbox.message_text_queue q
        on q.account_id = s.account_id
        and q.message_id = s.message_id
    where s.account_id <> p_account_id;
    return v_ids;
end
$$;

comment on function pgbox.messages_copy(bigint, bigint[], bigint[]) is
    'Makes messages of other accounts the account''s own.';
