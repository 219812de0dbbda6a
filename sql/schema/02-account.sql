-- Accounts and what hangs on them: folders, subscriptions, folder metadata.

create table pgbox.account (
    account_id bigint generated always as identity,
    name text collate "C" not null,
    last_uid_validity bigint not null default 0,
    created_at timestamptz not null default now(),
    public boolean,
    constraint account_pkey primary key (account_id),
    constraint account_name_key unique (name)
);

comment on table pgbox.account is
    'One mail user, or one public or shared tree of mailboxes. Its row is the lock of all changes to the folder tree.';
comment on column pgbox.account.account_id is 'First column of every other key.';
comment on column pgbox.account.name is 'Dovecot''s username of the owner, or the setting pgbox_account.';
comment on column pgbox.account.last_uid_validity is 'Highest UIDVALIDITY given out, so that none is given twice.';
comment on column pgbox.account.created_at is 'When the account was first used.';
comment on column pgbox.account.public is
    'Whether a namespace of type public shows it, else it is a user''s; neither can be opened as the other. Null for what is older than version 2: both can.';

-- What numbers of a mailbox can be. As CHECK constraints of the table they would
-- be read from their text by each statement that updates it; domains are checked
-- only where a column is set. Every change of a mail sets some.
create domain pgbox.mailbox_name as text collate "C"
    constraint mailbox_name_check check (value <> '' and strpos('/' || value || '/', '//') = 0);
create domain pgbox.nz_number as bigint
    constraint nz_number_check check (value between 1 and 4294967295);
-- Half of the 63 bits that a MODSEQ has: dsync may bring a high one, and the
-- mailbox has to go on from there.
create domain pgbox.mod_sequence as bigint
    constraint mod_sequence_check check (value between 1 and 4611686018427387904);
create domain pgbox.mail_count as int
    constraint mail_count_check check (value >= 0);
create domain pgbox.byte_count as bigint
    constraint byte_count_check check (value >= 0);

comment on domain pgbox.mailbox_name is 'Full name in UTF-8, levels separated by /.';
comment on domain pgbox.nz_number is 'nz-number of RFC 3501: 32 bits, not 0.';
comment on domain pgbox.mod_sequence is 'RFC 7162 MODSEQ.';
comment on domain pgbox.mail_count is 'How many mails.';
comment on domain pgbox.byte_count is 'How many octets.';

create table pgbox.mailbox (
    account_id bigint not null,
    mailbox_id bigint generated always as identity,
    name pgbox.mailbox_name not null,
    guid uuid not null,
    selectable boolean not null default true,
    uid_validity pgbox.nz_number not null,
    uid_next pgbox.nz_number not null default 1,
    modseq pgbox.mod_sequence not null default 1,
    messages pgbox.mail_count not null default 0,
    unseen pgbox.mail_count not null default 0,
    bytes pgbox.byte_count not null default 0,
    first_recent_uid bigint not null default 1,
    epoch bigint not null,
    modseq_floor bigint not null default 0,
    history_floor bigint not null default 0,
    keywords smallint not null default 0,
    pop3_values boolean not null default false,
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    constraint mailbox_pkey primary key (account_id, mailbox_id),
    constraint mailbox_account_fkey foreign key (account_id)
        references pgbox.account (account_id) on delete cascade
)
-- Every change of a mail updates this row: room for HOT updates, and a vacuum
-- that does not wait until a fifth of the table is dead.
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- A deleted mailbox keeps its row, but neither its name nor its GUID.
create unique index mailbox_name_key on pgbox.mailbox (account_id, name)
    where deleted_at is null;
create unique index mailbox_guid_key on pgbox.mailbox (account_id, guid)
    where deleted_at is null;
-- For the purge of deleted mailboxes.
create index mailbox_deleted_idx on pgbox.mailbox (deleted_at)
    where deleted_at is not null;

comment on table pgbox.mailbox is
    'One folder. Its row is the lock of all changes of its mails; STATUS, LIST-STATUS and quota read only this.';
comment on column pgbox.mailbox.account_id is 'Owner.';
comment on column pgbox.mailbox.mailbox_id is 'Never reused.';
comment on column pgbox.mailbox.name is 'Full name in UTF-8, levels separated by /.';
comment on column pgbox.mailbox.guid is 'Dovecot''s mailbox GUID; stays over renames.';
comment on column pgbox.mailbox.selectable is 'False for a node that only holds children (\Noselect).';
comment on column pgbox.mailbox.uid_validity is 'RFC 3501 UIDVALIDITY.';
comment on column pgbox.mailbox.uid_next is 'RFC 3501 UIDNEXT, 32 bits; never goes down.';
comment on column pgbox.mailbox.modseq is
    'RFC 7162 HIGHESTMODSEQ; never goes down. Advances by 65536 per change, because Dovecot''s local index adds small numbers of its own.';
comment on column pgbox.mailbox.messages is 'Number of rows in mail.';
comment on column pgbox.mailbox.unseen is 'Number of rows in mail without \Seen.';
comment on column pgbox.mailbox.bytes is 'Sum of message.size over mail.';
comment on column pgbox.mailbox.first_recent_uid is 'Mails from this UID on are \Recent for the next session that selects the mailbox.';
comment on column pgbox.mailbox.epoch is 'The epoch in which this row was last changed or read by a sync.';
comment on column pgbox.mailbox.modseq_floor is
    'A mail''s MODSEQ is at least this: raised when an epoch begins, so that clients fetch flags again that the lost commits had changed.';
comment on column pgbox.mailbox.history_floor is 'mail_change and expunged are complete after this modseq; older rows may have been trimmed.';
comment on column pgbox.mailbox.keywords is 'Number of keywords, and the highest mailbox_keyword.keyword_id.';
comment on column pgbox.mailbox.pop3_values is
    'Whether a mail of it ever had a pop3_order or pop3_uidl; if not, POP3 sessions look for none.';
comment on column pgbox.mailbox.created_at is 'When it was created.';
comment on column pgbox.mailbox.deleted_at is 'Set by DELETE; the purge removes the row and its mails later.';

create table pgbox.subscription (
    account_id bigint not null,
    user_name text collate "C" not null,
    name text collate "C" not null,
    constraint subscription_pkey primary key (account_id, user_name, name),
    constraint subscription_account_fkey foreign key (account_id)
        references pgbox.account (account_id) on delete cascade
);

comment on table pgbox.subscription is 'Names a user has subscribed to; they need not exist (RFC 3501 6.3.6).';
comment on column pgbox.subscription.account_id is 'Account whose tree the name belongs to.';
comment on column pgbox.subscription.user_name is 'The subscriber; another user than the owner in shared and public namespaces.';
comment on column pgbox.subscription.name is 'Full mailbox name, as mailbox.name.';

create table pgbox.mailbox_attribute (
    account_id bigint not null,
    mailbox_id bigint not null,
    user_name text collate "C" not null,
    key text collate "C" not null,
    value bytea not null,
    changed_at timestamptz not null default now(),
    constraint mailbox_attribute_pkey primary key (account_id, mailbox_id, user_name, key),
    constraint mailbox_attribute_mailbox_fkey foreign key (account_id, mailbox_id)
        references pgbox.mailbox (account_id, mailbox_id) on delete cascade
);

comment on table pgbox.mailbox_attribute is 'METADATA of mailboxes (RFC 5464); server metadata hangs on INBOX.';
comment on column pgbox.mailbox_attribute.account_id is 'Owner of the mailbox.';
comment on column pgbox.mailbox_attribute.mailbox_id is 'The mailbox.';
comment on column pgbox.mailbox_attribute.user_name is 'Whose private entry it is; empty for shared entries.';
comment on column pgbox.mailbox_attribute.key is 'Entry name without /private/ or /shared/, as Dovecot''s attribute key.';
comment on column pgbox.mailbox_attribute.value is 'The octets.';
comment on column pgbox.mailbox_attribute.changed_at is 'Last change; dsync compares it.';
