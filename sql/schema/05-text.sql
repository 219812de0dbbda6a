-- Text of messages for SEARCH, and which messages have none yet.

-- Both are trusted extensions: the owner of the schema may create them. They
-- may be there already, in any schema.
select 'create schema pgbox_extension'
where exists (
    select from unnest(array['pg_trgm', 'btree_gin']) e (name)
    where e.name not in (select extname from pg_extension)
)
    and to_regnamespace('pgbox_extension') is null
\gexec
create extension if not exists pg_trgm schema pgbox_extension;
create extension if not exists btree_gin schema pgbox_extension;

create table pgbox.message_text (
    account_id bigint not null,
    message_id bigint not null,
    folding int not null,
    header text collate "C" not null,
    from_field text collate "C" not null,
    to_field text collate "C" not null,
    cc_field text collate "C" not null,
    bcc_field text collate "C" not null,
    subject_field text collate "C" not null,
    message_id_field text collate "C" not null,
    body text collate "C",
    constraint message_text_pkey primary key (account_id, message_id)
);

-- Statistics say nothing about the middle of a text, and large ones. Without
-- them the planner goes by the length of the key: a long one is rare.
alter table pgbox.message_text
    alter column header set statistics 0,
    alter column from_field set statistics 0,
    alter column to_field set statistics 0,
    alter column cc_field set statistics 0,
    alter column bcc_field set statistics 0,
    alter column subject_field set statistics 0,
    alter column message_id_field set statistics 0,
    alter column body set statistics 0;

-- Is there text of other foldings than a frontend's own?
create index message_text_folding_idx on pgbox.message_text (account_id, folding);

-- Led by the account: nobody's search reads another one's trigrams. A short
-- pending list, since each search reads all of it.
select format(
    'create index message_text_trgm_idx on pgbox.message_text using gin (account_id, %s) with (gin_pending_list_limit = 1024)',
    string_agg(format('%I %I.gin_trgm_ops', c.name, n.nspname), ', ' order by c.place)
)
from unnest(array[
    'header', 'from_field', 'to_field', 'cc_field', 'bcc_field', 'subject_field', 'message_id_field',
    'body'
]) with ordinality c (name, place)
cross join pg_extension e
join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'pg_trgm'
\gexec

comment on table pgbox.message_text is
    'What SEARCH compares: text decoded and folded by Dovecot (uppercase, decomposed), so that LIKE finds exactly what Dovecot would find. Written after the delivery.';
comment on column pgbox.message_text.account_id is 'Owner.';
comment on column pgbox.message_text.message_id is 'The message.';
comment on column pgbox.message_text.folding is
    'Which Unicode tables folded it: frontends with others search the message themselves.';
comment on column pgbox.message_text.header is 'Headers of the message and of its MIME parts.';
comment on column pgbox.message_text.from_field is 'Values of From, as SEARCH FROM compares them.';
comment on column pgbox.message_text.to_field is 'Values of To, as SEARCH TO compares them.';
comment on column pgbox.message_text.cc_field is 'Values of Cc, as SEARCH CC compares them.';
comment on column pgbox.message_text.bcc_field is 'Values of Bcc, as SEARCH BCC compares them.';
comment on column pgbox.message_text.subject_field is 'Values of Subject, as SEARCH SUBJECT compares them.';
comment on column pgbox.message_text.message_id_field is 'Values of Message-ID.';
comment on column pgbox.message_text.body is 'Bodies of text parts; null if it was not extracted.';

create table pgbox.message_text_queue (
    account_id bigint not null,
    message_id bigint not null,
    wanted smallint not null default 2,
    has_header boolean not null default false,
    attempts smallint not null default 0,
    leased_until timestamptz,
    error text,
    constraint message_text_queue_pkey primary key (account_id, message_id)
)
-- Each new message passes through it.
with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What text_next() looks for. The second one never has more than what is
-- being worked on, or was when a process was killed.
create index message_text_queue_new_idx on pgbox.message_text_queue (message_id)
where wanted > 0 and attempts = 0;
create index message_text_queue_begun_idx on pgbox.message_text_queue (leased_until)
where wanted > 0 and attempts > 0;

comment on table pgbox.message_text_queue is
    'Messages whose text is not in message_text, or not all of it: Dovecot searches these itself.';
comment on column pgbox.message_text_queue.account_id is 'Owner.';
comment on column pgbox.message_text_queue.message_id is 'The message.';
comment on column pgbox.message_text_queue.wanted is
    'What the service pgbox-text is to extract: nothing (0), the header (1), the body too (2). Sessions extract what they want themselves.';
comment on column pgbox.message_text_queue.has_header is 'message_text has all but the body.';
comment on column pgbox.message_text_queue.attempts is
    'How often a process began to extract the text and was not heard of again; after three times nobody tries any more.';
comment on column pgbox.message_text_queue.leased_until is
    'Until then a process is at work on it, unless that is longer than text_lease().';
comment on column pgbox.message_text_queue.error is 'Why the text can''t be stored, if it can''t: not tried again.';
