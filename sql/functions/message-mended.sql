-- Makes another message of one whose octets are there, with what they say about
-- it, and without what makes no sense. A message itself never changes: frontends and
-- clients have remembered things of it.
-- Parameters: account; message; message_values().
-- Returns the new message.
-- Locks: the caller holds a mailbox that has the message.
-- Writes: message, message_chunk, message_part, message_text_queue.
create or replace function pgbox.message_mended(
    p_account_id bigint,
    p_message_id bigint,
    p_size bigint,
    p_header_size bigint
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint := nextval('pgbox.message_id_seq');
begin
    insert into pgbox.message_chunk (account_id, message_id, n, size, data)
    select p_account_id, v_id, k.n, least(p_size - k.n::bigint * 262144, 262144), k.data
    from pgbox.message_chunk k
    where k.account_id = p_account_id
        and k.message_id = p_message_id
        and k.n >= 0;
    insert into pgbox.message (
        account_id, message_id, guid, sha256, size, header_size,
        received_at, sent_at, sent_zone_minutes,
        subject, from_header, to_header, cc_header, message_id_header,
        mime_parts, envelope, bodystructure,
        sort_folding, sort_subject, sort_from, sort_to, sort_cc, sort_display_from, sort_display_to
    )
    select
        p_account_id, v_id,
        case when g.guid ~ '^[^[:cntrl:]]+$' then g.guid else replace(gen_random_uuid()::text, '-', '') end,
        (
            select sha256(coalesce(string_agg(k.data, ''::bytea order by k.n), ''::bytea))
            from pgbox.message_chunk k
            where k.account_id = p_account_id
                and k.message_id = v_id
        ),
        p_size, p_header_size,
        case when g.received_at between '0001-01-01 BC' and '10000-01-01' then g.received_at else now() end,
        d.sent_at, case when d.sent_at is not null then g.sent_zone_minutes end,
        g.subject, g.from_header, g.to_header, g.cc_header, g.message_id_header,
        case
            when r.header_size = p_header_size and r.header_size + r.body_size = p_size then g.mime_parts
            -- Dovecot reads the message instead
            else ''
        end,
        case when position('\x00'::bytea in g.envelope) = 0 then nullif(g.envelope, '') end,
        case when position('\x00'::bytea in g.bodystructure) = 0 then nullif(g.bodystructure, '') end,
        g.sort_folding, g.sort_subject, g.sort_from, g.sort_to, g.sort_cc, g.sort_display_from, g.sort_display_to
    from pgbox.message g
    cross join lateral (
        select case
            when g.sent_at between '0001-01-01 BC' and '10000-01-01'
                and coalesce(g.sent_zone_minutes, 0) between -6039 and 6039
                then g.sent_at
        end as sent_at
    ) d
    cross join pgbox.mime_parts_sizes(g.mime_parts) r
    where g.account_id = p_account_id
        and g.message_id = p_message_id;
    insert into pgbox.message_part (
        account_id, message_id, section, media_type, charset, encoding,
        disposition, filename, header_offset, header_size, body_size, body_lines
    )
    select
        p_account_id, v_id, p.section, p.media_type, p.charset, p.encoding,
        p.disposition, p.filename, p.header_offset, p.header_size, p.body_size, p.body_lines
    from pgbox.message_part p
    where p.account_id = p_account_id
        and p.message_id = p_message_id
        and least(p.header_offset, p.header_size, p.body_size, p.body_lines) >= 0
        and p.header_offset::numeric + p.header_size + p.body_size <= p_size;
    insert into pgbox.message_text_queue (account_id, message_id)
    values (p_account_id, v_id);
    return v_id;
end
$$;

comment on function pgbox.message_mended(bigint, bigint, bigint, bigint) is
    'Makes another message of one whose octets are there.';
