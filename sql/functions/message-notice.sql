-- Makes the message that takes the place of one whose octets are lost, and says
-- what is known of that.
-- Parameters: account; the lost message, which need not exist; where it was.
-- Returns the new message.
-- Locks: the caller holds a mailbox that has the message.
-- Writes: message, message_chunk, message_part, message_text_queue.
create or replace function pgbox.message_notice(
    p_account_id bigint,
    p_message_id bigint,
    p_place text
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint := nextval('pgbox.message_id_seq');
    v_message pgbox.message;
    v_received_at timestamptz := now();
    v_header text;
    v_body text;
    v_size bigint;
    v_data bytea;
begin
    select g.* into v_message
    from pgbox.message g
    where g.account_id = p_account_id
        and g.message_id = p_message_id;
    if v_message.received_at between '1900-01-01' and '9999-01-01' then
        v_received_at := date_trunc('second', v_message.received_at);
    end if;
    v_header := array_to_string(array[
        'From: MAILER-DAEMON <MAILER-DAEMON>',
        'Subject: A mail that was here is damaged',
        'Date: ' || to_char(v_received_at at time zone 'UTC', 'Dy, DD Mon YYYY HH24:MI:SS') || ' +0000',
        'Message-ID: <' || gen_random_uuid() || '@pgbox.invalid>',
        'Auto-Submitted: auto-generated',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 8bit',
        '', ''
    ], E'\r\n');
    v_body := (
        select string_agg(l.line || E'\r\n', '' order by l.place)
        from (
            select x.place,
                x.label || left(regexp_replace(x.value, '[[:cntrl:]]+', ' ', 'g'), 200)
            from unnest(
                array[
                    'The mail store has lost content of the mail that was here, or the',
                    'content is not what was stored. This is what is known of it:',
                    '', 'From: ', 'To: ', 'Cc: ', 'Subject: ', 'Message-ID: ', 'Size: ', 'Place: ',
                    '', 'Your administrator may find the mail in a backup.'
                ],
                array[
                    '', '', '',
                    v_message.from_header, v_message.to_header, v_message.cc_header, v_message.subject,
                    v_message.message_id_header, v_message.size || ' bytes',
                    format('%s, message %s of account %s', p_place, p_message_id, p_account_id),
                    '', ''
                ]
            ) with ordinality x (label, value, place)
            where x.value is not null
        ) l (place, line)
    );
    v_data := convert_to(v_header || v_body, 'UTF8');
    v_size := octet_length(v_data);
    insert into pgbox.message_chunk (account_id, message_id, n, size, data)
    values (p_account_id, v_id, 0, v_size, v_data);
    insert into pgbox.message (
        account_id, message_id, guid, sha256, size, header_size, received_at, sent_at, sent_zone_minutes,
        subject, from_header, message_id_header, mime_parts, sort_folding
    )
    values (
        p_account_id, v_id, replace(gen_random_uuid()::text, '-', ''), sha256(v_data), v_size, octet_length(v_header),
        v_received_at, v_received_at, 0, 'A mail that was here is damaged', 'MAILER-DAEMON <MAILER-DAEMON>',
        substring(v_header from 'Message-ID: ([^\r]*)'), '', 0
    );
    insert into pgbox.message_part (
        account_id, message_id, section, media_type, charset, encoding, header_offset, header_size, body_size, body_lines
    )
    values (
        p_account_id, v_id, '1', 'text/plain', 'utf-8', '8bit', 0, octet_length(v_header), v_size - octet_length(v_header),
        length(v_body) - length(replace(v_body, E'\n', ''))
    );
    insert into pgbox.message_text_queue (account_id, message_id)
    values (p_account_id, v_id);
    return v_id;
end
$$;

comment on function pgbox.message_notice(bigint, bigint, text) is
    'Makes the message that takes the place of one whose octets are lost.';
