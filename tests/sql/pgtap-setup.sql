-- What SQL tests share: pgTAP, and short ways to call functions that have many
-- parameters, in the schema "tap" of the test databases.

create schema tap;
create extension pgtap schema tap;

create function tap.account(p_name text default 'anna')
returns bigint
language sql
as $$
    select pgbox.account_open(p_name, true)
$$;

create function tap.mailbox(
    p_name text,
    p_account text default 'anna'
)
returns bigint
language sql
as $$
    select b.mailbox_id
    from pgbox.mailbox b
    join pgbox.account a using (account_id)
    where a.name = p_account
        and b.name = p_name
        and b.deleted_at is null
$$;

create function tap.new_mailbox(
    p_name text,
    p_account text default 'anna'
)
returns bigint
language sql
as $$
    select pgbox.mailbox_create(tap.account(p_account), p_name, gen_random_uuid(), true, null, null)
$$;

create function tap.guid(p_number int)
returns text
language sql
as $$
    select lpad(p_number::text, 32, '0')
$$;

-- Saves p_count messages whose bytes are 'mail', and returns their UIDs.
create function tap.save_many(
    p_mailbox text,
    p_count int,
    p_flags int,
    p_keyword text,
    p_uid bigint,
    p_first_guid int,
    p_account text,
    p_data bytea,
    p_pop3_uidl text,
    p_pop3_order bigint
)
returns bigint[]
language sql
as $$
    select s.r_uids
    from pgbox.mail_save(
        p_account_id => tap.account(p_account),
        p_mailbox_id => tap.mailbox(p_mailbox, p_account),
        p_guid => array(
            select coalesce(tap.guid(p_first_guid + i), md5(random()::text))
            from generate_series(0, p_count - 1) i
        ),
        p_message_id => array_fill(null::bigint, array[p_count]),
        p_data => array_fill(p_data, array[p_count]),
        p_size => array_fill(octet_length(p_data)::bigint, array[p_count]),
        p_header_size => array_fill(0::bigint, array[p_count]),
        p_sha256 => array_fill(sha256(p_data), array[p_count]),
        p_received_at => array_fill(1000000000::bigint, array[p_count]),
        p_saved_at => array_fill(1000000001::bigint, array[p_count]),
        p_sent_at => array_fill(null::bigint, array[p_count]),
        p_sent_zone => array_fill(null::smallint, array[p_count]),
        p_subject => array_fill('subject'::text, array[p_count]),
        p_from_header => array_fill(null::text, array[p_count]),
        p_to_header => array_fill(null::text, array[p_count]),
        p_cc_header => array_fill(null::text, array[p_count]),
        p_message_id_header => array_fill(null::text, array[p_count]),
        p_mime_parts => array_fill(''::bytea, array[p_count]),
        p_envelope => array_fill(null::bytea, array[p_count]),
        p_bodystructure => array_fill(null::bytea, array[p_count]),
        p_flags => array_fill(p_flags::smallint, array[p_count]),
        p_uid => array(
            select case when p_uid = 0 then 0 else p_uid + i end
            from generate_series(0, p_count - 1) i
        ),
        p_pop3_uidl => array_fill(p_pop3_uidl, array[p_count]),
        p_pop3_order => array_fill(p_pop3_order, array[p_count]),
        p_min_modseq => 0,
        p_keyword_message => case when p_keyword is null then '{}' else array(select generate_series(1, p_count)) end,
        p_keyword => case when p_keyword is null then '{}' else array_fill(p_keyword, array[p_count]) end,
        p_part_message => array[1],
        p_part_section => array['1'],
        p_part_media_type => array['text/plain'],
        p_part_charset => array[null],
        p_part_encoding => array[null],
        p_part_disposition => array[null],
        p_part_filename => array[null],
        p_part_header_offset => array[0::bigint],
        p_part_header_size => array[0::bigint],
        p_part_body_size => array[octet_length(p_data)::bigint],
        p_part_body_lines => array[1]
    ) s
$$;

-- The same with one mail
create function tap.save_one(
    p_mailbox text,
    p_flags int,
    p_keyword text,
    p_uid bigint,
    p_guid text,
    p_account text,
    p_data bytea,
    p_pop3_uidl text,
    p_pop3_order bigint
)
returns bigint[]
language sql
as $$
    select s.r_uids
    from pgbox.mail_save_one(
        p_account_id => tap.account(p_account),
        p_mailbox_id => tap.mailbox(p_mailbox, p_account),
        p_guid => coalesce(p_guid, md5(random()::text)),
        p_message_id => null,
        p_data => p_data,
        p_size => octet_length(p_data),
        p_header_size => 0,
        p_sha256 => sha256(p_data),
        p_received_at => 1000000000,
        p_saved_at => 1000000001,
        p_sent_at => null,
        p_sent_zone => null,
        p_subject => 'subject',
        p_from_header => null,
        p_to_header => null,
        p_cc_header => null,
        p_message_id_header => null,
        p_mime_parts => '',
        p_envelope => null,
        p_bodystructure => null,
        p_flags => p_flags::smallint,
        p_uid => p_uid,
        p_pop3_uidl => p_pop3_uidl,
        p_pop3_order => p_pop3_order,
        p_min_modseq => 0,
        p_keyword => case when p_keyword is not null then array[p_keyword] end,
        p_part_section => array['1'],
        p_part_media_type => array['text/plain'],
        p_part_charset => array[null],
        p_part_encoding => array[null],
        p_part_disposition => array[null],
        p_part_filename => array[null],
        p_part_header_offset => array[0],
        p_part_header_size => array[0],
        p_part_body_size => array[octet_length(p_data)],
        p_part_body_lines => array[1],
        p_mailbox_name => null,
        p_text_wanted => 2,
        p_sort_folding => 0,
        p_sort_subject => null,
        p_sort_from => null,
        p_sort_to => null,
        p_sort_cc => null,
        p_sort_display_from => null,
        p_sort_display_to => null
    ) s
$$;

-- One or several, by the function that frontends would use
create function tap.save(
    p_mailbox text,
    p_count int default 1,
    p_flags int default 0,
    p_keyword text default null,
    p_uid bigint default 0,
    p_first_guid int default null,
    p_account text default 'anna',
    p_data bytea default 'mail',
    p_pop3_uidl text default null,
    p_pop3_order bigint default null
)
returns bigint[]
language sql
as $$
    select case p_count
        when 1 then tap.save_one(
            p_mailbox, p_flags, p_keyword, p_uid, tap.guid(p_first_guid), p_account, p_data, p_pop3_uidl, p_pop3_order
        )
        else tap.save_many(
            p_mailbox, p_count, p_flags, p_keyword, p_uid, p_first_guid, p_account, p_data, p_pop3_uidl, p_pop3_order
        )
    end
$$;

-- The UIDs that a change expunged.
create function tap.tombstones(
    p_mailbox text,
    p_modseq bigint
)
returns bigint[]
language sql
as $$
    select array_agg(t.uid order by t.uid)
    from pgbox.expunged x
    cross join unnest(x.uids) t (uid)
    where x.mailbox_id = tap.mailbox(p_mailbox)
        and x.modseq = p_modseq
$$;

-- Uploads a chunk of a message, and returns the id of the upload.
create function tap.upload(
    p_message_id bigint,
    p_n int,
    p_data bytea,
    p_account text default 'anna'
)
returns bigint
language sql
as $$
    select pgbox.upload_chunks(tap.account(p_account), p_message_id, p_n, octet_length(p_data), p_data)
$$;

-- Changes flags or one keyword of mails, or expunges them.
create function tap.change(
    p_mailbox text,
    p_uid bigint[],
    p_add int default 0,
    p_remove int default 0,
    p_keyword_add text default null,
    p_keyword_remove text default null,
    p_keyword_clear boolean default false,
    p_expunge boolean default false,
    p_max_modseq bigint default null,
    p_operation bigint default 1,
    p_last bigint[] default null,
    p_expunge_flags int default 0,
    p_expunge_max_modseq bigint default null,
    out r_modseq bigint,
    out r_changed boolean,
    out r_conflict_uids bigint[],
    out r_changed_uids bigint[],
    out r_expunged_uids bigint[]
)
language sql
as $$
    select
        c.r_modseq, c.r_changed, c.r_conflict_uids, c.r_changed_uids,
        array(select u.uid from unnest(c.r_expunged_uids) u (uid) order by u.uid)
    from pgbox.mail_change(
        p_account_id => tap.account(),
        p_mailbox_id => tap.mailbox(p_mailbox),
        p_max_modseq => p_max_modseq,
        p_first => case when p_expunge then '{}' else p_uid end,
        p_last => case when p_expunge then '{}' else coalesce(p_last, p_uid) end,
        p_flag_add => array_fill(p_add::smallint, array[cardinality(p_uid)]),
        p_flag_remove => array_fill(p_remove::smallint, array[cardinality(p_uid)]),
        p_keyword_clear => array_fill(p_keyword_clear, array[cardinality(p_uid)]),
        p_keyword_range => case when p_keyword_add is null and p_keyword_remove is null then '{}'
            else array(select generate_series(1, cardinality(p_uid))) end,
        p_keyword => case when p_keyword_add is null and p_keyword_remove is null then '{}'
            else array_fill(coalesce(p_keyword_add, p_keyword_remove), array[cardinality(p_uid)]) end,
        p_keyword_add => case when p_keyword_add is null and p_keyword_remove is null then '{}'
            else array_fill(p_keyword_add is not null, array[cardinality(p_uid)]) end,
        p_expunge_uid => case when p_expunge then p_uid else '{}' end,
        p_expunge_flags => p_expunge_flags::smallint,
        p_expunge_max_modseq => p_expunge_max_modseq,
        p_operation => p_operation
    ) c
$$;

-- Copies or moves mails between mailboxes.
create function tap.copy(
    p_source text,
    p_uid bigint[],
    p_target text,
    p_move boolean default false,
    p_add int default 0,
    p_remove int default 0,
    p_keyword_add text default null,
    p_keyword_remove text default null,
    p_operation bigint default 1,
    p_pop3_uidl text default null,
    p_name text default null,
    p_account text default 'anna',
    out r_uid_validity bigint,
    out r_modseq bigint,
    out r_uids bigint[]
)
language sql
as $$
    select c.*
    from pgbox.mail_copy(
        p_account_id => tap.account(),
        p_mailbox_id => tap.mailbox(p_target),
        p_source_account_id => array_fill(tap.account(p_account), array[cardinality(p_uid)]),
        p_source_mailbox_id => array_fill(tap.mailbox(p_source, p_account), array[cardinality(p_uid)]),
        p_source_uid => p_uid,
        p_move => array_fill(p_move, array[cardinality(p_uid)]),
        p_flag_add => array_fill(p_add::smallint, array[cardinality(p_uid)]),
        p_flag_remove => array_fill(p_remove::smallint, array[cardinality(p_uid)]),
        p_saved_at => array_fill(1000000002::bigint, array[cardinality(p_uid)]),
        p_uid => array_fill(0::bigint, array[cardinality(p_uid)]),
        p_pop3_uidl => array_fill(p_pop3_uidl, array[cardinality(p_uid)]),
        p_pop3_order => array_fill(null::bigint, array[cardinality(p_uid)]),
        p_min_modseq => 0,
        p_keyword_message => array(
            select i from generate_series(1, cardinality(p_uid)) i where p_keyword_add is not null
            union all
            select i from generate_series(1, cardinality(p_uid)) i where p_keyword_remove is not null
        ),
        p_keyword => case when p_keyword_add is null then '{}'
            else array_fill(p_keyword_add, array[cardinality(p_uid)]) end
            || case when p_keyword_remove is null then '{}'
            else array_fill(p_keyword_remove, array[cardinality(p_uid)]) end,
        p_keyword_add => case when p_keyword_add is null then '{}'
            else array_fill(true, array[cardinality(p_uid)]) end
            || case when p_keyword_remove is null then '{}'
            else array_fill(false, array[cardinality(p_uid)]) end,
        p_operation => p_operation,
        p_mailbox_name => p_name
    ) c
$$;

-- The counters of a mailbox as 'messages/unseen/bytes uid_next'.
create function tap.counters(p_mailbox text)
returns text
language sql
as $$
    select format('%s/%s/%s %s', b.messages, b.unseen, b.bytes, b.uid_next)
    from pgbox.mailbox b
    where b.mailbox_id = tap.mailbox(p_mailbox)
$$;

create function tap.modseq(p_mailbox text)
returns bigint
language sql
as $$
    select b.modseq
    from pgbox.mailbox b
    where b.mailbox_id = tap.mailbox(p_mailbox)
$$;

-- The mails of a mailbox as 'uid:flags[keywords] ...'.
create function tap.mails(p_mailbox text)
returns text
language sql
as $$
    select string_agg(
        format('%s:%s%s', m.uid, m.flags, (
            select format('[%s]', string_agg(i.name, ',' order by i.keyword_id))
            from pgbox.mailbox_keyword i
            where i.account_id = m.account_id
                and i.mailbox_id = m.mailbox_id
                and i.keyword_id = any (m.keyword_ids)
            having count(*) > 0
        )),
        ' ' order by m.uid
    )
    from pgbox.mail m
    where m.mailbox_id = tap.mailbox(p_mailbox)
$$;

-- What a sync of the mailbox from a given state reports, in short:
-- 'M uid:flags ...' for mails, 'T uid ...' for tombstones.
create function tap.sync(
    p_mailbox text,
    p_modseq bigint,
    p_uid_next bigint,
    p_epoch bigint default pgbox.current_epoch()
)
returns text
language sql
as $$
    select concat_ws(' ',
        'M' || string_agg(format(' %s:%s', s.uid, s.flags), '' order by s.uid) filter (where s.kind = 1),
        'T' || string_agg(format(' %s', s.uid), '' order by s.modseq, s.uid) filter (where s.kind = 2)
    )
    from pgbox.mailbox_sync(tap.account(), tap.mailbox(p_mailbox), p_modseq, p_uid_next, 0, p_epoch) s
$$;

-- Isolation specs begin each permutation with an empty schema.
create function tap.reset()
returns void
language plpgsql
as $$
declare
    v_tables text;
begin
    select string_agg(format('pgbox.%I', c.relname), ', ') into v_tables
    from pg_class c
    where c.relnamespace = 'pgbox'::regnamespace
        and c.relkind = 'r'
        and c.relname not in ('schema_version', 'epoch');
    execute format('truncate %s restart identity', v_tables);
    perform setval('pgbox.message_id_seq', 1, false);
    drop table if exists public.remembered;
end
$$;
