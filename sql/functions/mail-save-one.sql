-- Saves one new message into a mailbox: what mail_save() does, in two thirds of
-- the time. Nearly all deliveries and APPENDs are of this kind.
-- Parameters: account; mailbox; then as those of mail_save(), each a value
--   instead of an array of them; only keywords and parts, which are all of
--   this message, are arrays. p_keyword may be null.
-- Returns what mail_save() returns. Errors: PB404, PB413, as there.
-- Locks: row of message_upload, mailbox row.
-- Writes: message, message_chunk, message_part, message_upload, mail,
--   mailbox_keyword, mailbox, message_text_queue.
create or replace function pgbox.mail_save_one(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_guid text,
    p_message_id bigint,
    p_data bytea,
    p_size bigint,
    p_header_size bigint,
    p_sha256 bytea,
    p_received_at bigint,
    p_saved_at bigint,
    p_sent_at bigint,
    p_sent_zone smallint,
    p_subject text,
    p_from_header text,
    p_to_header text,
    p_cc_header text,
    p_message_id_header text,
    p_mime_parts bytea,
    p_envelope bytea,
    p_bodystructure bytea,
    p_flags smallint,
    p_uid bigint,
    p_pop3_uidl text,
    p_pop3_order bigint,
    p_min_modseq bigint,
    p_keyword text[],
    p_part_section text[],
    p_part_media_type text[],
    p_part_charset text[],
    p_part_encoding text[],
    p_part_disposition text[],
    p_part_filename text[],
    p_part_header_offset bigint[],
    p_part_header_size bigint[],
    p_part_body_size bigint[],
    p_part_body_lines int[],
    p_mailbox_name text,
    p_text_wanted int,
    p_sort_folding int,
    p_sort_subject bytea,
    p_sort_from bytea,
    p_sort_to bytea,
    p_sort_cc bytea,
    p_sort_display_from bytea,
    p_sort_display_to bytea,
    out r_uid_validity bigint,
    out r_modseq bigint,
    out r_uids bigint[]
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
declare
    v_id bigint := p_message_id;
    v_box pgbox.mailbox;
    v_uid bigint;
    v_name text;
    v_keyword_ids smallint[];
begin
    -- The mailbox row is locked last: others wait for it until our commit.
    if v_id is null then
        v_id := nextval('pgbox.message_id_seq');
        insert into pgbox.message_chunk (account_id, message_id, n, size, data)
        values (p_account_id, v_id, 0, p_size, p_data);
    else
        delete from pgbox.message_upload u
        where u.account_id = p_account_id
            and u.message_id = v_id;
        if not found then
            raise exception using
                errcode = 'PB404',
                message = 'an uploaded message was purged before it was saved';
        end if;
    end if;
    insert into pgbox.message (
        account_id, message_id, guid, sha256, size, header_size,
        received_at, sent_at, sent_zone_minutes,
        subject, from_header, to_header, cc_header, message_id_header,
        mime_parts, envelope, bodystructure,
        sort_folding, sort_subject, sort_from, sort_to, sort_cc, sort_display_from, sort_display_to
    )
    values (
        p_account_id, v_id, p_guid, p_sha256, p_size, p_header_size,
        to_timestamp(p_received_at), to_timestamp(p_sent_at), p_sent_zone,
        p_subject, p_from_header, p_to_header, p_cc_header, p_message_id_header,
        p_mime_parts, p_envelope, p_bodystructure,
        p_sort_folding, p_sort_subject, p_sort_from, p_sort_to, p_sort_cc, p_sort_display_from, p_sort_display_to
    );
    insert into pgbox.message_part (
        account_id, message_id, section, media_type, charset, encoding,
        disposition, filename, header_offset, header_size, body_size, body_lines
    )
    select
        p_account_id, v_id, p.section, p.media_type, p.charset, p.encoding,
        p.disposition, p.filename, p.header_offset, p.header_size, p.body_size, p.body_lines
    from unnest(
        p_part_section, p_part_media_type, p_part_charset, p_part_encoding,
        p_part_disposition, p_part_filename, p_part_header_offset, p_part_header_size,
        p_part_body_size, p_part_body_lines
    ) p (
        section, media_type, charset, encoding,
        disposition, filename, header_offset, header_size,
        body_size, body_lines
    );
    insert into pgbox.message_text_queue (account_id, message_id, wanted)
    values (p_account_id, v_id, p_text_wanted);

    -- Locks the row and changes it at once, as long as there is nothing to be
    -- said about it.
    loop
        update pgbox.mailbox b
        set uid_next = greatest(b.uid_next, p_uid) + 1,
            modseq = greatest(pgbox.modseq_next(b.modseq), pgbox.modseq_ceiling(p_min_modseq)),
            messages = b.messages + 1,
            unseen = b.unseen + 1 - (p_flags & pgbox.flag_seen()) / pgbox.flag_seen(),
            bytes = b.bytes + p_size,
            pop3_values = b.pop3_values or p_pop3_uidl is not null or p_pop3_order is not null
        where b.account_id = p_account_id
            and b.mailbox_id = p_mailbox_id
            and b.deleted_at is null
            and greatest(b.uid_next, p_uid) < 4294967295
            and b.epoch = (select h.epoch from pgbox.epoch_here h)
        returning b.uid_validity, b.modseq, b.uid_next - 1, b.name
        into r_uid_validity, r_modseq, v_uid, v_name;
        exit when found;
        -- Either these say what is wrong, or the mailbox enters the epoch.
        v_box := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
        perform pgbox.uids_assign(v_box.uid_next, array[p_uid]);
    end loop;
    if v_name <> p_mailbox_name then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s is not %L any more', p_mailbox_id, p_mailbox_name);
    end if;
    r_uids := array[v_uid];
    if p_keyword is not null then
        v_keyword_ids := (pgbox.mail_keyword_ids(
            p_account_id, p_mailbox_id, 1, array_fill(1, array[cardinality(p_keyword)]), p_keyword
        ))[1]::smallint[];
    end if;
    insert into pgbox.mail (
        account_id, mailbox_id, uid, modseq, message_id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl
    )
    values (
        p_account_id, p_mailbox_id, v_uid, r_modseq, v_id, to_timestamp(p_saved_at),
        p_flags, v_keyword_ids, p_pop3_order, p_pop3_uidl
    );
end
$$;

comment on function pgbox.mail_save_one is 'Saves one new message into a mailbox.';
