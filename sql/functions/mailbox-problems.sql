-- What makes no sense in a mailbox, and can make none: all from one snapshot.
-- Parameters: account; mailbox; whether to compare checksums of all octets.
-- Returns a row for each thing that mailbox_repair() mends: its kind, what
--   identifies it, and what is wrong. The kinds are
--     counters   of the row of mailbox, of which frontends keep nothing
--     numbers    of that row, which frontends do keep
--     keyword    modseq is the keyword_id
--     mail       what can change of a mail
--     uid        a mail needs another UID
--     message    a mail's message; its octets are there
--     octets     a mail's message; its octets are not there, or not those that were saved
--     tombstone  modseq and uid_block are the row's of expunged
--     change     modseq is the row's of mail_change
-- Locks and writes: none.
create or replace function pgbox.mailbox_problems(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_bodies boolean
)
returns table (kind text, uid bigint, modseq bigint, uid_block bigint, problem text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- Rows are found by key, also without statistics. What is off adds to the estimate
-- so much that each statement would be compiled.
set enable_seqscan = off
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    -- UIDs and MODSEQs above what the mailbox has given are believed up to here: it
    -- was its own row that was damaged. Above, half of the numbers would be lost.
    v_max_uid constant bigint := 2147483647;
    v_max_modseq constant bigint := 2305843009213693951;
    -- What IMAP's date-time can say, or a day more in some time zone.
    v_first constant timestamptz := timestamptz '0001-01-01 BC';
    v_last constant timestamptz := timestamptz '10000-01-01';
    v_box pgbox.mailbox;
    v_uid_limit bigint;
    v_keywords int;
    v_keyword_ids smallint[];
    v_expunged_uids bigint[];
    v_seen record;
begin
    select b.* into v_box
    from pgbox.mailbox b
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
    if not found then
        return;
    end if;
    -- No mail has a UID from here on. Without any left, all high ones have to go.
    v_uid_limit := case v_box.uid_next when 4294967295 then v_max_uid + 1 else greatest(v_box.uid_next, v_max_uid + 1) end;

    v_keywords := pgbox.keywords_number(p_account_id, p_mailbox_id, v_box.keywords);
    v_keyword_ids := array(select generate_series(1, v_keywords));
    return query
    select 'keyword', null::bigint, k.keyword_id::bigint, null::bigint, format('keyword %s is named %L', k.keyword_id, k.name)
    from pgbox.mailbox_keyword k
    where k.account_id = p_account_id
        and k.mailbox_id = p_mailbox_id
        and (k.keyword_id not between 1 and v_keywords or k.name !~ '^[^[:cntrl:][:space:](){"\\]+$');
    return query
    select 'keyword', null::bigint, i.id::bigint, null::bigint, format('keyword %s has no name', i.id)
    from unnest(v_keyword_ids) i (id)
    where not exists (
        select from pgbox.mailbox_keyword k
        where k.account_id = p_account_id
            and k.mailbox_id = p_mailbox_id
            and k.keyword_id = i.id
    );

    -- Mails and their messages
    v_expunged_uids := array(
        select distinct m.uid
        from pgbox.expunged e
        cross join unnest(e.uids) t (uid)
        join pgbox.mail m
            on m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
            and m.uid = t.uid
        where e.account_id = p_account_id
            and e.mailbox_id = p_mailbox_id
    );
    return query
    select
        case when c.kind = 'message' and v.r_size is null then 'octets' else c.kind end,
        x.uid, null::bigint, null::bigint,
        format('UID %s: %s', x.uid, c.problem)
            || case when c.kind = 'message' and v.r_size is null and x.size is not null
                then format(' (from %s, subject %s, size %s, received %s)', x.from_header, x.subject, x.size, x.received_at)
                else ''
            end
    from (
        select
            m.uid, m.message_id, g.from_header, g.subject, g.size, g.received_at,
            concat_ws(', ',
                case when m.flags & ~31 <> 0 then format('flags %s', m.flags) end,
                case when m.keyword_ids is not null and (
                    not m.keyword_ids <@ v_keyword_ids
                    or array_ndims(m.keyword_ids) is distinct from 1
                    or array_lower(m.keyword_ids, 1) <> 1
                    or cardinality(m.keyword_ids) > (select count(distinct k.id) from unnest(m.keyword_ids) k (id))
                ) then format('keywords %s', m.keyword_ids) end,
                case when m.modseq not between 1 and v_max_modseq then format('MODSEQ %s', m.modseq) end,
                case when m.saved_at not between v_first and v_last then format('saved %s', m.saved_at) end,
                case when m.pop3_order not between 0 and 4294967295 then format('POP3 order %s', m.pop3_order) end,
                case when m.pop3_uidl !~ '^[^[:cntrl:]]+$' then format('UIDL %L', m.pop3_uidl) end
            ) as mail,
            case
                when m.uid not between 1 and v_uid_limit - 1 then format('can''t be (UIDNEXT %s)', v_box.uid_next)
                when m.uid = any (v_expunged_uids) then 'is expunged, too'
            end as new_uid,
            case when g.message_id is null then format('message %s is missing', m.message_id) else concat_ws(', ',
                case when g.guid !~ '^[^[:cntrl:]]+$' then format('GUID %L', g.guid) end,
                case when octet_length(g.sha256) <> 32 then format('SHA-256 of %s bytes', octet_length(g.sha256)) end,
                case when g.size <> k.size then format('size %s, chunks have %s', g.size, k.size) end,
                case when k.chunks <> k.last + 1 or k.damaged then 'its chunks don''t fit' end,
                case when g.header_size not between 0 and g.size
                    then format('header of %s bytes in %s', g.header_size, g.size) end,
                case when g.received_at not between v_first and v_last then format('received %s', g.received_at) end,
                case when g.sent_at not between v_first and v_last or g.sent_zone_minutes not between -6039 and 6039
                    then format('sent %s, time zone %s', g.sent_at, g.sent_zone_minutes) end,
                case when r.header_size is distinct from g.header_size and g.mime_parts <> ''
                    or r.header_size + r.body_size <> g.size
                    then format('mime.parts of %s and %s bytes', r.header_size, r.body_size) end,
                case when g.envelope = '' or position('\x00'::bytea in g.envelope) > 0 then 'envelope' end,
                case when g.bodystructure = '' or position('\x00'::bytea in g.bodystructure) > 0 then 'bodystructure' end,
                case when p_bodies and g.sha256 <> (
                    select sha256(coalesce(string_agg(o.data, ''::bytea order by o.n), ''::bytea))
                    from pgbox.message_chunk o
                    where o.account_id = g.account_id
                        and o.message_id = g.message_id
                ) then 'its octets don''t have its SHA-256' end
            ) end as message
        from pgbox.mail m
        left join pgbox.message g
            on g.account_id = m.account_id
            and g.message_id = m.message_id
        left join lateral pgbox.mime_parts_sizes(g.mime_parts) r on true
        cross join lateral (
            select
                coalesce(sum(y.size), 0) as size,
                count(*) as chunks,
                coalesce(max(y.n)::bigint, -1) as last,
                coalesce(bool_or(
                    y.n < 0
                    or y.n < (greatest(g.size, 1) - 1) / 262144 and y.size <> 262144
                    or y.size > 262144
                    or octet_length(y.data) > y.size
                    or octet_length(y.data) < y.size
                    and pgbox.chunk_octets(substring(y.data from 1 for 30)) is distinct from y.size
                ), false) as damaged
            from pgbox.message_chunk y
            where y.account_id = g.account_id
                and y.message_id = g.message_id
        ) k
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
    ) x
    cross join lateral (values ('mail', x.mail), ('uid', x.new_uid), ('message', x.message)) c (kind, problem)
    left join lateral pgbox.message_values(p_account_id, x.message_id) v on c.kind = 'message'
    where (x.mail <> '' or x.new_uid <> '' or x.message <> '')
        and c.problem <> ''
    order by x.uid;

    -- History
    return query
    select 'tombstone', null::bigint, e.modseq, e.uid_block,
        format('tombstone of MODSEQ %s, block %s: UIDs %s, %s GUIDs, %s messages',
            e.modseq, e.uid_block, left(e.uids::text, 100), cardinality(e.guids), cardinality(e.message_ids))
    from pgbox.expunged e
    where e.account_id = p_account_id
        and e.mailbox_id = p_mailbox_id
        and (
            e.modseq not between 1 and v_max_modseq
            or not isfinite(e.expunged_at)
            or array_ndims(e.uids) is distinct from 1
            or array_ndims(e.guids) is distinct from 1
            or array_ndims(e.message_ids) <> 1
            or array_lower(e.uids, 1) <> 1
            or array_lower(e.guids, 1) <> 1
            or array_lower(e.message_ids, 1) <> 1
            or cardinality(e.guids) <> cardinality(e.uids)
            or cardinality(e.message_ids) <> cardinality(e.uids)
            or array_position(e.uids, null) is not null
            or array_position(e.guids, null) is not null
            or array_position(e.message_ids, null) is not null
            or '' = any (e.guids)
            or exists (
                select from unnest(e.uids) t (uid)
                where t.uid not between 1 and v_uid_limit - 1
                    or t.uid / 128 <> e.uid_block
            )
        );
    return query
    select 'change', null::bigint, c.modseq, null::bigint,
        format('change of MODSEQ %s at %s: UIDs %s', c.modseq, c.changed_at, left(c.uids::text, 100))
    from pgbox.mail_change c
    where c.account_id = p_account_id
        and c.mailbox_id = p_mailbox_id
        and (
            c.modseq not between 1 and v_max_modseq
            or not isfinite(c.changed_at)
            or not c.uids <@ '{[1,4294967295)}'::int8multirange
        );

    -- The row
    select
        count(*) as messages,
        count(*) filter (where m.flags & 8 = 0) as unseen,
        coalesce(sum(g.size), 0) as bytes,
        max(m.uid) filter (where m.uid < v_uid_limit) as uid,
        max(m.modseq) filter (where m.modseq <= v_max_modseq) as modseq,
        count(*) filter (where num_nonnulls(m.pop3_uidl, m.pop3_order) > 0) > 0 as pop3_values
    into v_seen
    from pgbox.mail m
    left join pgbox.message g
        on g.account_id = m.account_id
        and g.message_id = m.message_id
    where m.account_id = p_account_id
        and m.mailbox_id = p_mailbox_id;
    v_seen.uid := greatest(v_seen.uid, (
        select max(t.uid)
        from pgbox.expunged e
        cross join unnest(e.uids) t (uid)
        where e.account_id = p_account_id
            and e.mailbox_id = p_mailbox_id
            and t.uid < v_uid_limit
    ));
    v_seen.modseq := greatest(
        v_seen.modseq,
        (
            select max(e.modseq)
            from pgbox.expunged e
            where e.account_id = p_account_id
                and e.mailbox_id = p_mailbox_id
                and e.modseq <= v_max_modseq
        ),
        (
            select max(c.modseq)
            from pgbox.mail_change c
            where c.account_id = p_account_id
                and c.mailbox_id = p_mailbox_id
                and c.modseq <= v_max_modseq
        )
    );
    return query
    select p.kind, null::bigint, null::bigint, null::bigint, p.problem
    from (
        values
            ('counters', case when (v_box.messages, v_box.unseen, v_box.bytes)
                    is distinct from (v_seen.messages, v_seen.unseen, v_seen.bytes)
                then format('messages %s (counted %s), unseen %s (%s), bytes %s (%s)',
                    v_box.messages, v_seen.messages, v_box.unseen, v_seen.unseen, v_box.bytes, v_seen.bytes) end),
            ('counters', case when v_seen.pop3_values and not v_box.pop3_values
                then 'it has POP3 UIDLs or orders, and does not say so' end),
            ('counters', case when v_box.first_recent_uid not between 1 and v_box.uid_next
                then format('first recent UID %s (UIDNEXT %s)', v_box.first_recent_uid, v_box.uid_next) end),
            ('counters', case when not isfinite(v_box.created_at) or not isfinite(v_box.deleted_at)
                then format('created %s, deleted %s', v_box.created_at, v_box.deleted_at) end),
            ('counters', case when v_box.guid = '00000000-0000-0000-0000-000000000000' then 'GUID 0' end),
            ('numbers', case when v_box.uid_next = 4294967295 then 'no UID is left' end),
            ('numbers', case when v_box.uid_next <= v_seen.uid
                then format('uid_next %s (highest UID %s)', v_box.uid_next, v_seen.uid) end),
            ('numbers', case when v_box.modseq not between greatest(v_seen.modseq, 1) and v_max_modseq
                then format('modseq %s (highest %s)', v_box.modseq, v_seen.modseq) end),
            ('numbers', case when v_box.modseq_floor not between 0 and v_box.modseq
                    or v_box.history_floor not between 0 and v_box.modseq
                then format('modseq_floor %s, history_floor %s (modseq %s)',
                    v_box.modseq_floor, v_box.history_floor, v_box.modseq) end),
            ('numbers', case when v_box.keywords <> v_keywords
                then format('%s keywords (highest %s)', v_box.keywords, v_keywords) end)
    ) p (kind, problem)
    where p.problem is not null;
end
$$;

comment on function pgbox.mailbox_problems(bigint, bigint, boolean) is 'What makes no sense in a mailbox.';
