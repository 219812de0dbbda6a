-- Immutable messages: the bytes, and what Dovecot computed from them.

create sequence pgbox.message_id_seq as bigint owned by none;

comment on sequence pgbox.message_id_seq is 'message.message_id; drawn before the row exists, for uploads.';

-- No foreign keys on the tables of this file and the next: every row is
-- written by one of our functions inside one transaction, and the checks would
-- cost a delivery more than its own rows. "pgbox-schema verify" looks for
-- orphans instead.

create table pgbox.message (
    account_id bigint not null,
    message_id bigint not null,
    guid text collate "C" not null,
    sha256 bytea not null,
    size bigint not null,
    header_size bigint not null,
    received_at timestamptz not null,
    sent_at timestamptz,
    sent_zone_minutes smallint,
    subject text,
    from_header text,
    to_header text,
    cc_header text,
    message_id_header text,
    mime_parts bytea not null,
    envelope bytea,
    bodystructure bytea,
    sort_folding int not null,
    sort_subject bytea,
    sort_from bytea,
    sort_to bytea,
    sort_cc bytea,
    sort_display_from bytea,
    sort_display_to bytea,
    constraint message_pkey primary key (account_id, message_id)
);

-- The strings are read together with their row and are mostly below 2 KB:
-- compress those that are not, quickly.
alter table pgbox.message
    alter column mime_parts set storage main,
    alter column envelope set storage main,
    alter column bodystructure set storage main;

comment on table pgbox.message is 'One message; shared by all its copies and never changed.';
comment on column pgbox.message.account_id is 'Owner.';
comment on column pgbox.message.message_id is 'From message_id_seq; never reused.';
comment on column pgbox.message.guid is 'Dovecot''s mail GUID; usually 32 hex digits, any string when it came from another storage.';
comment on column pgbox.message.sha256 is 'SHA-256 of message_chunk.data of all its chunks.';
comment on column pgbox.message.size is 'Bytes, with CRLF line ends: RFC822.SIZE.';
comment on column pgbox.message.header_size is 'Bytes of the header including the empty line after it.';
comment on column pgbox.message.received_at is 'INTERNALDATE.';
comment on column pgbox.message.sent_at is 'The Date header; null without a valid one.';
comment on column pgbox.message.sent_zone_minutes is 'Time zone of the Date header, minutes east of UTC.';
comment on column pgbox.message.subject is 'Decoded Subject header.';
comment on column pgbox.message.from_header is 'Decoded From header.';
comment on column pgbox.message.to_header is 'Decoded To header.';
comment on column pgbox.message.cc_header is 'Decoded Cc header.';
comment on column pgbox.message.message_id_header is 'Message-ID header.';
comment on column pgbox.message.mime_parts is 'Dovecot''s cache field mime.parts (message_part_serialize).';
comment on column pgbox.message.envelope is 'Dovecot''s cache field imap.envelope.';
comment on column pgbox.message.bodystructure is 'Dovecot''s cache field imap.bodystructure.';
comment on column pgbox.message.sort_folding is 'Which Unicode tables folded the sort keys: frontends with others do not use them.';
comment on column pgbox.message.sort_subject is 'What SORT SUBJECT compares: the base subject, folded. Keys are null if they are too long.';
comment on column pgbox.message.sort_from is 'What SORT FROM compares: mailbox of the first address.';
comment on column pgbox.message.sort_to is 'What SORT TO compares.';
comment on column pgbox.message.sort_cc is 'What SORT CC compares.';
comment on column pgbox.message.sort_display_from is 'What SORT DISPLAYFROM (RFC 5957) compares.';
comment on column pgbox.message.sort_display_to is 'What SORT DISPLAYTO compares.';

create table pgbox.message_chunk (
    account_id bigint not null,
    message_id bigint not null,
    n int not null,
    size int not null,
    data bytea not null,
    constraint message_chunk_pkey primary key (account_id, message_id, n)
)
-- Most messages, compressed, have two to four kilobytes: in the row itself, where
-- two fit on a page, they need no TOAST rows and no entries in its index.
with (toast_tuple_target = 4080);

-- Compressed by the frontends, as far as it helps: the server would only try
-- in vain.
alter table pgbox.message_chunk alter column data set storage external;

comment on table pgbox.message_chunk is 'The bytes of messages, in pieces of 256 KiB (the last one is shorter).';
comment on column pgbox.message_chunk.account_id is 'Owner.';
comment on column pgbox.message_chunk.message_id is 'The message, or an upload that is not a message yet.';
comment on column pgbox.message_chunk.n is 'Offset of the piece divided by 262144.';
comment on column pgbox.message_chunk.size is 'Octets of the message in this piece.';
comment on column pgbox.message_chunk.data is
    'A zstd frame (RFC 8878) if it is shorter than size, of octets whose base64 may be packed, otherwise the octets themselves.';

create table pgbox.message_upload (
    account_id bigint not null,
    message_id bigint not null,
    started_at timestamptz not null default now(),
    constraint message_upload_pkey primary key (account_id, message_id)
);

-- For the purge of abandoned uploads.
create index message_upload_started_idx on pgbox.message_upload (started_at);

comment on table pgbox.message_upload is
    'Large messages whose chunks are being sent before the message is saved. What is not saved within a day is purged.';
comment on column pgbox.message_upload.account_id is 'Owner.';
comment on column pgbox.message_upload.message_id is 'The message it will be.';
comment on column pgbox.message_upload.started_at is 'When the first chunk came.';

create table pgbox.message_part (
    account_id bigint not null,
    message_id bigint not null,
    section text collate "C" not null,
    media_type text not null,
    charset text,
    encoding text,
    disposition text,
    filename text,
    header_offset bigint not null,
    header_size bigint not null,
    body_size bigint not null,
    body_lines int not null,
    constraint message_part_pkey primary key (account_id, message_id, section)
);

comment on table pgbox.message_part is 'MIME parts as offsets into the bytes: an index, never the source of a message.';
comment on column pgbox.message_part.account_id is 'Owner.';
comment on column pgbox.message_part.message_id is 'The message.';
comment on column pgbox.message_part.section is
    'Part number as in FETCH BODY[section] (RFC 3501 6.4.5), empty for a multipart root.';
comment on column pgbox.message_part.media_type is 'Content-Type in lower case, as type/subtype.';
comment on column pgbox.message_part.charset is 'Parameter charset of Content-Type, in lower case.';
comment on column pgbox.message_part.encoding is 'Content-Transfer-Encoding in lower case.';
comment on column pgbox.message_part.disposition is 'Content-Disposition in lower case.';
comment on column pgbox.message_part.filename is 'File name of Content-Disposition or Content-Type, decoded.';
comment on column pgbox.message_part.header_offset is 'Where the part''s own header begins in the message, bytes.';
comment on column pgbox.message_part.header_size is 'Bytes of that header; the body follows it.';
comment on column pgbox.message_part.body_size is 'Bytes of the body, encoded as it is in the message.';
comment on column pgbox.message_part.body_lines is 'Lines of the body.';
