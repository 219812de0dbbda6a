-- Saves new messages into a mailbox, all or none. Arrays of messages are
-- parallel; p_keyword and p_part arrays name the message by its place, from 1.
-- Parameters: account; mailbox;
--   p_guid, p_message_id (of an upload, or null), p_data (what message_chunk
--   stores, at most one chunk, or null if uploaded), p_size, p_header_size,
--   p_sha256,
--   p_received_at, p_saved_at, p_sent_at (seconds since 1970), p_sent_zone
--   (minutes), p_subject ... p_message_id_header (decoded headers),
--   p_mime_parts, p_envelope, p_bodystructure (Dovecot's byte strings),
--   p_flags, p_uid (wanted, or 0), p_pop3_uidl, p_pop3_order;
--   p_min_modseq, lowest MODSEQ of the change, or 0;
--   p_keyword_message, p_keyword: keywords of messages;
--   p_part_message ... p_part_lines: rows of message_part;
--   p_mailbox_name: the name that the mailbox must still have, or null;
--   p_text_wanted: message_text_queue.wanted;
--   p_sort_folding; p_sort_subject ... p_sort_display_to: see message.
-- Returns UIDVALIDITY, the MODSEQ and the UIDs in the order of the messages.
-- Errors: PB404 mailbox (of this name) or upload does not exist, PB413 no UIDs left.
-- Locks: rows of message_upload, mailbox row.
-- Writes: message, message_chunk, message_part, message_upload, mail,
--   mailbox_keyword, mailbox, message_text_queue.
create or replace function pgbox.mail_save(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_guid text[],
    p_message_id bigint[],
    p_data bytea[],
    p_size bigint[],
    p_header_size bigint[],
    p_sha256 bytea[],
    p_received_at bigint[],
    p_saved_at bigint[],
    p_sent_at bigint[],
    p_sent_zone smallint[],
    p_subject text[],
    p_from_header text[],
    p_to_header text[],
    p_cc_header text[],
    p_message_id_header text[],
    p_mime_parts bytea[],
    p_envelope bytea[],
    p_bodystructure bytea[],
    p_flags smallint[],
    p_uid bigint[],
    p_pop3_uidl text[],
    p_pop3_order bigint[],
    p_min_modseq bigint,
    p_keyword_message int[],
    p_keyword text[],
    p_part_message int[],
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
    p_mailbox_name text default null,
    p_text_wanted int default 2,
    p_sort_folding int default 0,
    p_sort_subject bytea[] default null,
    p_sort_from bytea[] default null,
    p_sort_to bytea[] default null,
    p_sort_cc bytea[] default null,
    p_sort_display_from bytea[] default null,
    p_sort_display_to bytea[] default null,
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
    v_count int := cardinality(p_guid);
    v_uploads int;
    v_ids bigint[];
    v_box pgbox.mailbox;
    v_keyword_ids text[];
begin
    -- The mailbox row is locked last: others wait for it until our commit.
    v_uploads := cardinality(array_remove(p_message_id, null));
    if v_uploads > 0 then
        delete from pgbox.message_upload u
        where u.account_id = p_account_id
            and u.message_id = any (p_message_id);
        get diagnostics r_modseq = row_count;
        if r_modseq <> v_uploads then
            raise exception using
                errcode = 'PB404',
                message = 'an uploaded message was purged before it was saved';
        end if;
    end if;
    v_ids := array(
        select coalesce(u.id, nextval('pgbox.message_id_seq'))
        from unnest(p_message_id) with ordinality u (id, place)
        order by u.place
    );
    insert into pgbox.message_chunk (account_id, message_id, n, size, data)
    select p_account_id, c.id, 0, c.size, c.data
    from unnest(v_ids, p_size, p_data) c (id, size, data)
    where c.data is not null;
    insert into pgbox.message (
        account_id, message_id, guid, sha256, size, header_size,
        received_at, sent_at, sent_zone_minutes,
        subject, from_header, to_header, cc_header, message_id_header,
        mime_parts, envelope, bodystructure,
        sort_folding, sort_subject, sort_from, sort_to, sort_cc, sort_display_from, sort_display_to
    )
    select
        p_account_id, m.id, m.guid, m.sha256, m.size, m.header_size,
        to_timestamp(m.received_at), to_timestamp(m.sent_at), m.sent_zone,
        m.subject, m.from_header, m.to_header, m.cc_header, m.message_id_header,
        m.mime_parts, m.envelope, m.bodystructure,
        p_sort_folding, m.sort_subject, m.sort_from, m.sort_to, m.sort_cc, m.sort_display_from, m.sort_display_to
    from unnest(
        v_ids, p_guid, p_sha256, p_size, p_header_size,
        p_received_at, p_sent_at, p_sent_zone,
        p_subject, p_from_header, p_to_header, p_cc_header, p_message_id_header,
        p_mime_parts, p_envelope, p_bodystructure,
        p_sort_subject, p_sort_from, p_sort_to, p_sort_cc, p_sort_display_from, p_sort_display_to
    ) m (
        id, guid, sha256, size, header_size,
        received_at, sent_at, sent_zone,
        subject, from_header, to_header, cc_header, message_id_header,
        mime_parts, envelope, bodystructure,
        sort_subject, sort_from, sort_to, sort_cc, sort_display_from, sort_display_to
    );
    insert into pgbox.message_part (
        account_id, message_id, section, media_type, charset, encoding,
        disposition, filename, header_offset, header_size, body_size, body_lines
    )
    select
        p_account_id, v_ids[p.place], p.section, p.media_type, p.charset, p.encoding,
        p.disposition, p.filename, p.header_offset, p.header_size, p.body_size, p.body_lines
    from unnest(
        p_part_message, p_part_section, p_part_media_type, p_part_charset, p_part_encoding,
        p_part_disposition, p_part_filename, p_part_header_offset, p_part_header_size,
        p_part_body_size, p_part_body_lines
    ) p (
        place, section, media_type, charset, encoding,
        disposition, filename, header_offset, header_size,
        body_size, body_lines
    );
    insert into pgbox.message_text_queue (account_id, message_id, wanted)
    select p_account_id, m.id, p_text_wanted
    from unnest(v_ids) m (id);

    v_box := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
    if v_box.name <> p_mailbox_name then
        raise exception using
            errcode = 'PB404',
            message = format('mailbox %s is not %L any more', p_mailbox_id, p_mailbox_name);
    end if;
    r_uid_validity := v_box.uid_validity;
    r_modseq := greatest(pgbox.modseq_next(v_box.modseq), pgbox.modseq_ceiling(p_min_modseq));
    r_uids := pgbox.uids_assign(v_box.uid_next, p_uid);
    if cardinality(p_keyword) > 0 then
        v_keyword_ids := pgbox.mail_keyword_ids(
            p_account_id, p_mailbox_id, v_count, p_keyword_message, p_keyword
        );
    end if;
    insert into pgbox.mail (
        account_id, mailbox_id, uid, modseq, message_id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl
    )
    select
        p_account_id, p_mailbox_id, m.uid, r_modseq, m.id, to_timestamp(m.saved_at),
        m.flags, m.keyword_ids::smallint[], m.pop3_order, m.pop3_uidl
    from unnest(r_uids, v_ids, p_saved_at, p_flags, v_keyword_ids, p_pop3_order, p_pop3_uidl)
        m (uid, id, saved_at, flags, keyword_ids, pop3_order, pop3_uidl);
    update pgbox.mailbox b
    set uid_next = r_uids[v_count] + 1,
        modseq = r_modseq,
        messages = b.messages + v_count,
        unseen = b.unseen + (select count(*)::int from unnest(p_flags) f (flags) where f.flags & pgbox.flag_seen() = 0),
        bytes = b.bytes + (select sum(s.size)::bigint from unnest(p_size) s (size)),
        pop3_values = b.pop3_values or num_nonnulls(variadic p_pop3_uidl) + num_nonnulls(variadic p_pop3_order) > 0
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
end
$$;

comment on function pgbox.mail_save is 'Saves new messages into a mailbox, all or none.';
