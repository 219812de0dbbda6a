-- Checks a database against itself; pgbox-schema verify prints the result.
-- Each statement gives one row: what was checked, the number of problems, and
-- some of them, separated by character 30. Variables: sample (percentage of
-- the mailboxes to recount), bodies (whether to read every message), manifest
-- and manifest_query (files).

begin isolation level repeatable read;
set local search_path = pg_catalog, pg_temp;

\i :manifest_query
\set expected `cat :'manifest'`

create temporary table sampled on commit drop as
select
    b.account_id,
    b.mailbox_id,
    format('mailbox %s of account %s', b.mailbox_id, b.account_id) as label
from pgbox.mailbox b
where random() * 100 < :sample;
analyze sampled;

-- The schema itself

select 'all objects of this version are there',
    count(*),
    string_agg('missing: ' || line, chr(30) order by line)
from (
    select line collate "C" as line
    from string_to_table(:'expected', E'\n') as line
    where line <> ''
    except
    select line
    from schema_object
) as missing;

select 'no other objects are there',
    count(*),
    string_agg('unexpected: ' || line, chr(30) order by line)
from (
    select line
    from schema_object
    where line not like 'index %'
    except
    select line
    from string_to_table(:'expected', E'\n') as line
) as surplus;

select 'pgbox_owner owns everything',
    count(*),
    string_agg(label, chr(30) order by label)
from (
    select 'schema pgbox' as label
    from pg_namespace n
    where n.nspname = 'pgbox'
        and n.nspowner <> 'pgbox_owner'::regrole
    union all
    select format('relation %s', c.relname)
    from pg_class c
    where c.relnamespace = 'pgbox'::regnamespace
        and c.relowner <> 'pgbox_owner'::regrole
    union all
    select format('function %s', p.oid::regprocedure)
    from pg_proc p
    where p.pronamespace = 'pgbox'::regnamespace
        and p.proowner <> 'pgbox_owner'::regrole
) as foreign_object;

select 'constraints are validated, indexes and triggers are in force',
    count(*),
    string_agg(label, chr(30) order by label)
from (
    select format('constraint %s of %s is not validated', n.conname,
        case n.conrelid when 0 then n.contypid::regtype::text else n.conrelid::regclass::text end) as label
    from pg_constraint n
    where n.connamespace = 'pgbox'::regnamespace
        and not n.convalidated
    union all
    select format('index %s is invalid: reindex index concurrently %s', i.indexrelid::regclass, i.indexrelid::regclass)
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'pgbox'::regnamespace
        and not (i.indisvalid and i.indisready)
    union all
    select format('trigger %s of %s is disabled', g.tgname, g.tgrelid::regclass)
    from pg_trigger g
    join pg_class c on c.oid = g.tgrelid
    where c.relnamespace = 'pgbox'::regnamespace
        and g.tgenabled = 'D'
) as idle;

-- Mailboxes

select 'counters of mailboxes equal a recount',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: messages %s (counted %s), unseen %s (%s), bytes %s (%s)',
            s.label, b.messages, counted.messages, b.unseen, counted.unseen, b.bytes, counted.bytes) as detail,
        row_number() over (order by b.account_id, b.mailbox_id) as place
    from sampled s
    join pgbox.mailbox b using (account_id, mailbox_id)
    cross join lateral (
        select
            count(*) as messages,
            count(*) filter (where m.flags & 8 = 0) as unseen,
            coalesce(sum(g.size), 0) as bytes
        from pgbox.mail m
        left join pgbox.message g using (account_id, message_id)
        where m.account_id = b.account_id
            and m.mailbox_id = b.mailbox_id
    ) as counted
    where (b.messages, b.unseen, b.bytes) is distinct from (counted.messages, counted.unseen, counted.bytes)
) as wrong;

select 'no UID is at or above UIDNEXT, no MODSEQ above HIGHESTMODSEQ',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: uid_next %s (highest UID %s), modseq %s (highest %s)',
            s.label, b.uid_next, seen.uid, b.modseq, seen.modseq) as detail,
        row_number() over (order by b.account_id, b.mailbox_id) as place
    from sampled s
    join pgbox.mailbox b using (account_id, mailbox_id)
    cross join lateral (
        select
            max(uid) as uid,
            max(modseq) as modseq
        from (
            select m.uid, m.modseq
            from pgbox.mail m
            where m.account_id = b.account_id
                and m.mailbox_id = b.mailbox_id
            union all
            select t.uid, e.modseq
            from pgbox.expunged e
            cross join unnest(e.uids) t (uid)
            where e.account_id = b.account_id
                and e.mailbox_id = b.mailbox_id
            union all
            select null, c.modseq
            from pgbox.mail_change c
            where c.account_id = b.account_id
                and c.mailbox_id = b.mailbox_id
        ) as given
    ) as seen
    where seen.uid >= b.uid_next
        or seen.modseq > b.modseq
) as wrong;

select 'no UID is both alive and expunged',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: UID %s', s.label, m.uid) as detail,
        row_number() over (order by m.account_id, m.mailbox_id, m.uid) as place
    from sampled s
    join pgbox.expunged e using (account_id, mailbox_id)
    cross join unnest(e.uids) t (uid)
    join pgbox.mail m
        on m.account_id = e.account_id
        and m.mailbox_id = e.mailbox_id
        and m.uid = t.uid
) as wrong;

select 'every expunged mail has its GUID, and is in the row of its UID',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: MODSEQ %s, UIDs %s', s.label, e.modseq, e.uids) as detail,
        row_number() over (order by e.account_id, e.mailbox_id, e.modseq, e.uid_block) as place
    from sampled s
    join pgbox.expunged e using (account_id, mailbox_id)
    where cardinality(e.uids) = 0
        or cardinality(e.guids) <> cardinality(e.uids)
        or cardinality(e.message_ids) <> cardinality(e.uids)
        or e.uid_block <> all (array(select t.uid / 128 from unnest(e.uids) t (uid)))
) as wrong;

select 'keywords are numbered without gaps',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: %s keywords (counted %s, highest %s)',
            s.label, b.keywords, counted.keywords, counted.highest) as detail,
        row_number() over (order by b.account_id, b.mailbox_id) as place
    from sampled s
    join pgbox.mailbox b using (account_id, mailbox_id)
    cross join lateral (
        select
            count(*) as keywords,
            coalesce(max(k.keyword_id), 0) as highest
        from pgbox.mailbox_keyword k
        where k.account_id = b.account_id
            and k.mailbox_id = b.mailbox_id
    ) as counted
    where b.keywords <> counted.keywords
        or b.keywords <> counted.highest
) as wrong;

select 'mailboxes with POP3 UIDLs or orders say so',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select s.label as detail,
        row_number() over (order by b.account_id, b.mailbox_id) as place
    from sampled s
    join pgbox.mailbox b using (account_id, mailbox_id)
    where not b.pop3_values
        and exists (
            select from pgbox.mail m
            where m.account_id = b.account_id
                and m.mailbox_id = b.mailbox_id
                and num_nonnulls(m.pop3_uidl, m.pop3_order) > 0
        )
) as wrong;

-- Rows whose owner is gone: there are no foreign keys on the mail tables

select 'every mail has its mailbox',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('mailbox %s of account %s: %s mails', m.mailbox_id, m.account_id, count(*)) as detail,
        row_number() over (order by m.account_id, m.mailbox_id) as place
    from pgbox.mail m
    where not exists (
        select from pgbox.mailbox b
        where b.account_id = m.account_id
            and b.mailbox_id = m.mailbox_id
    )
    group by m.account_id, m.mailbox_id
) as wrong;

select 'every mail has its message',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: UID %s, message %s', s.label, m.uid, m.message_id) as detail,
        row_number() over (order by m.account_id, m.mailbox_id, m.uid) as place
    from sampled s
    join pgbox.mail m using (account_id, mailbox_id)
    left join pgbox.message g using (account_id, message_id)
    where g.message_id is null
) as wrong;

select 'every keyword of a mail has a name',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('%s: UID %s, keyword %s', s.label, m.uid, k.keyword_id) as detail,
        row_number() over (order by m.account_id, m.mailbox_id, m.uid) as place
    from sampled s
    join pgbox.mail m using (account_id, mailbox_id)
    cross join unnest(m.keyword_ids) k (keyword_id)
    left join pgbox.mailbox_keyword n using (account_id, mailbox_id, keyword_id)
    where n.keyword_id is null
) as wrong;

select 'every chunk and part belongs to a message or an upload',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('message %s of account %s', message_id, account_id) as detail,
        row_number() over (order by account_id, message_id) as place
    from (
        select account_id, message_id
        from pgbox.message_chunk
        union
        select account_id, message_id
        from pgbox.message_part
    ) as piece
    left join pgbox.message g using (account_id, message_id)
    left join pgbox.message_upload u using (account_id, message_id)
    where g.message_id is null
        and u.message_id is null
) as wrong;

select 'every text and every queued one is of a message',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('message %s of account %s', message_id, account_id) as detail,
        row_number() over (order by account_id, message_id) as place
    from (
        select account_id, message_id
        from pgbox.message_text
        union
        select account_id, message_id
        from pgbox.message_text_queue
    ) as text
    where not exists (
        select from pgbox.message g
        where g.account_id = text.account_id
            and g.message_id = text.message_id
    )
) as wrong;

select 'every message has its text or is queued',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('message %s of account %s', g.message_id, g.account_id) as detail,
        row_number() over (order by g.account_id, g.message_id) as place
    from pgbox.message g
    where not exists (
        select from pgbox.message_text_queue q
        where q.account_id = g.account_id
            and q.message_id = g.message_id
    )
        and not exists (
            select from pgbox.message_text t
            where t.account_id = g.account_id
                and t.message_id = g.message_id
                and t.body is not null
        )
) as wrong;

-- Messages. Their sizes are known without reading their bytes.

select 'every message has all its bytes',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('message %s of account %s: size %s, chunks have %s', g.message_id, g.account_id, g.size, stored.size) as detail,
        row_number() over (order by g.account_id, g.message_id) as place
    from pgbox.message g
    cross join lateral (
        select
            coalesce(sum(k.size), 0) as size,
            count(*) as chunks,
            coalesce(max(k.n) + 1, 0) as highest,
            count(*) filter (where k.size <> 262144 and k.n <> (g.size - 1) / 262144) as short,
            count(*) filter (where octet_length(k.data) > k.size) as long
        from pgbox.message_chunk k
        where k.account_id = g.account_id
            and k.message_id = g.message_id
    ) as stored
    where stored.size <> g.size
        or stored.chunks <> stored.highest
        or stored.short > 0
        or stored.long > 0
) as wrong;

\if :bodies
select 'what is stored of every message has its SHA-256',
    count(*),
    string_agg(detail, chr(30) order by detail) filter (where place <= 20)
from (
    select format('message %s of account %s', g.message_id, g.account_id) as detail,
        row_number() over (order by g.account_id, g.message_id) as place
    from pgbox.message g
    where g.sha256 <> (
        select sha256(coalesce(string_agg(k.data, ''::bytea order by k.n), ''::bytea))
        from pgbox.message_chunk k
        where k.account_id = g.account_id
            and k.message_id = g.message_id
    )
) as wrong;
\endif

rollback;
