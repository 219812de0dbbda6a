-- Mails: messages in mailboxes, with what can change.

create table pgbox.mail (
    account_id bigint not null,
    mailbox_id bigint not null,
    uid bigint not null,
    message_id bigint not null,
    saved_at timestamptz not null,
    modseq bigint not null,
    flags smallint not null,
    keyword_ids smallint[],
    pop3_order bigint,
    pop3_uidl text collate "C",
    constraint mail_pkey primary key (account_id, mailbox_id, uid)
)
-- STORE rewrites narrow rows; no index holds a column it changes, so that with
-- room on the page the updates are HOT. Half of the page is room for all of its
-- rows: "mark all as read" writes a third of the WAL that it does with 70, and no
-- index entries. What it changes stands together: of a row that is updated on its
-- page, the WAL has only what differs.
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Which mails share a message: the purge, GUID look-ups, reference counts.
create index mail_message_idx on pgbox.mail (account_id, message_id);

comment on table pgbox.mail is 'One message in one mailbox.';
comment on column pgbox.mail.account_id is 'Owner.';
comment on column pgbox.mail.mailbox_id is 'The mailbox.';
comment on column pgbox.mail.uid is 'RFC 3501 UID.';
comment on column pgbox.mail.message_id is 'The message.';
comment on column pgbox.mail.saved_at is 'SAVEDATE (RFC 8514): when it came into this mailbox.';
comment on column pgbox.mail.modseq is 'RFC 7162 MODSEQ of the last change (or mailbox.modseq_floor if that is higher).';
comment on column pgbox.mail.flags is 'Bits of Dovecot''s enum mail_flags: 1 \Answered, 2 \Flagged, 4 \Deleted, 8 \Seen, 16 \Draft.';
comment on column pgbox.mail.keyword_ids is 'Keywords, as numbers of mailbox_keyword, each once, in no order; null if there are none.';
comment on column pgbox.mail.pop3_order is 'Order in POP3 when it came from a POP3 server.';
comment on column pgbox.mail.pop3_uidl is 'POP3 UIDL when it was given by dsync.';

create table pgbox.mailbox_keyword (
    account_id bigint not null,
    mailbox_id bigint not null,
    keyword_id smallint not null,
    name text collate "C" not null,
    constraint mailbox_keyword_pkey primary key (account_id, mailbox_id, keyword_id),
    constraint mailbox_keyword_check check (keyword_id between 1 and 32000 and name <> '')
);

create unique index mailbox_keyword_name_key on pgbox.mailbox_keyword (account_id, mailbox_id, lower(name));

comment on table pgbox.mailbox_keyword is
    'Keywords a mailbox has had, in the order in which they came: that order and spelling is what every frontend answers in FLAGS.';
comment on column pgbox.mailbox_keyword.account_id is 'Owner.';
comment on column pgbox.mailbox_keyword.mailbox_id is 'The mailbox.';
comment on column pgbox.mailbox_keyword.keyword_id is '1, 2, ... without gaps.';
comment on column pgbox.mailbox_keyword.name is 'As it was first spelled; compared without case.';

create table pgbox.mail_change (
    account_id bigint not null,
    mailbox_id bigint not null,
    modseq bigint not null,
    operation bigint,
    changed_at timestamptz not null default now(),
    uids int8multirange not null,
    constraint mail_change_pkey primary key (account_id, mailbox_id, modseq)
);

comment on table pgbox.mail_change is
    'Which mails a command changed: what a sync reads instead of the mailbox. New mails are not here, their UID tells; expunged ones are in expunged.';
comment on column pgbox.mail_change.account_id is 'Owner.';
comment on column pgbox.mail_change.mailbox_id is 'The mailbox.';
comment on column pgbox.mail_change.modseq is 'MODSEQ that the command gave.';
comment on column pgbox.mail_change.operation is 'Random number of the command, to look up whether a lost COMMIT happened.';
comment on column pgbox.mail_change.changed_at is 'When.';
comment on column pgbox.mail_change.uids is 'The mails, in ranges that may go over UIDs which do not exist; those of an expunge are not listed.';

create table pgbox.expunged (
    account_id bigint not null,
    mailbox_id bigint not null,
    modseq bigint not null,
    uid_block bigint not null,
    expunged_at timestamptz not null default now(),
    uids bigint[] not null,
    message_ids bigint[],
    guids text[] collate "C" not null,
    constraint expunged_pkey primary key (account_id, mailbox_id, modseq, uid_block)
)
-- A full row, with GUIDs of the usual length, just fits into a page: not
-- compressed, and without TOAST rows.
with (toast_tuple_target = 8160);

alter table pgbox.expunged
    alter column uids set storage main,
    alter column message_ids set storage main,
    alter column guids set storage main;

-- For the purge: which tombstones still need messages.
create index expunged_message_idx on pgbox.expunged (account_id, mailbox_id, modseq)
    where message_ids is not null;

comment on table pgbox.expunged is
    'Tombstones: VANISHED (RFC 7162) and dsync are answered from these. A row has the mails that one command expunged out of 128 successive UIDs.';
comment on column pgbox.expunged.account_id is 'Owner.';
comment on column pgbox.expunged.mailbox_id is 'The mailbox.';
comment on column pgbox.expunged.modseq is 'MODSEQ of the expunge.';
comment on column pgbox.expunged.uid_block is 'The UIDs divided by 128: keeps rows short, and UIDs easy to find.';
comment on column pgbox.expunged.expunged_at is 'When.';
comment on column pgbox.expunged.uids is 'The UIDs that are gone, in no order.';
comment on column pgbox.expunged.message_ids is 'Their messages, parallel, while these are kept; null after the purge.';
comment on column pgbox.expunged.guids is 'GUIDs of the messages, parallel.';
