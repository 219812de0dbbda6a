-- From version 1, which databases have had since commit 2e45868, to version 2.
-- code.sql follows: a function whose name or parameters have changed is dropped here.

-- An account of a public namespace is no user's. Of those that are there nothing is
-- known: account_open() learns it. This comes first, because sessions lock the
-- account before the mailbox.
alter table pgbox.account add column public boolean;
comment on column pgbox.account.public is
    'Whether a namespace of type public shows it, else it is a user''s; neither can be opened as the other. Null for what is older than version 2: both can.';
drop function pgbox.account_open(text, boolean, boolean);

-- A deleted mailbox, which the purge has not come to yet, does not hold its GUID
-- against a living one: dsync brings a mailbox back with the GUID that it had.
alter table pgbox.mailbox drop constraint mailbox_guid_key;
create unique index mailbox_guid_key on pgbox.mailbox (account_id, guid)
    where deleted_at is null;

-- EXPUNGE and COPY are decided by the rows: other parameters, other answers.
drop function pgbox.mail_change(
    bigint, bigint, bigint, bigint[], bigint[], smallint[], smallint[], boolean[], int[], text[], boolean[], bigint[],
    bigint
);
drop function pgbox.mail_flags_change(bigint, bigint, bigint, bigint, smallint, smallint, bigint);
drop function pgbox.mail_copy(
    bigint, bigint, bigint[], bigint[], boolean[], smallint[], bigint[], bigint[], text[], bigint[], bigint, int[], text[],
    bigint, text
);
drop function pgbox.mails_expunge(bigint, bigint, bigint[], bigint);
-- RENAME of INBOX leaves an empty one.
drop function pgbox.mailbox_rename(bigint, text, text);

-- Epochs know what they go on from. The epoch of this database goes on.
alter table pgbox.epoch
    add column relation_oid oid,
    add column fresh_at timestamptz,
    add column continued_from bigint[],
    add column uid_validity bigint;
update pgbox.epoch
set relation_oid = tableoid,
    fresh_at = raised_at,
    continued_from = '{}',
    uid_validity = extract(epoch from raised_at);
alter table pgbox.epoch
    alter column relation_oid set not null,
    alter column fresh_at set not null,
    alter column continued_from set not null,
    alter column uid_validity set not null;
comment on table pgbox.epoch is
    'Names the history this database is in. A failover to a lagging standby or a restore can lose commits that clients have seen; it starts another epoch.';
comment on column pgbox.epoch.relation_oid is
    'Of this table: a dump that is loaded into the same cluster brings that of another one.';
comment on column pgbox.epoch.fresh_at is
    'When the first of the epochs began that were only continued since: promotions, which can lose the last commits but no more.';
comment on column pgbox.epoch.continued_from is 'The epochs since fresh_at, but for this one.';
comment on column pgbox.epoch.uid_validity is
    'UIDVALIDITY that is due at raised_at; it rises by one each second. Far from that of the last epoch, of which folders may be lost.';
-- Retention counts from the latest time that is known.
alter table pgbox.epoch
    add column clock_at timestamptz not null default now(),
    add column leapt_at timestamptz not null default '-infinity';
comment on column pgbox.epoch.clock_at is
    'The latest time that the server''s clock is known to have shown, an hour exactly: what is kept for a while counts from there at least.';
comment on column pgbox.epoch.leapt_at is
    'What the clock showed when it was last found more than 40 days later than it was known to be: it was wrong before, or is now, and the purge waits.';
drop function pgbox.current_timeline();
drop function pgbox.session_begin();

comment on column pgbox.message_text_queue.leased_until is
    'Until then a process is at work on it, unless that is longer than text_lease().';

-- Values with which frontends of version 1 crashed. Only tables that a large database, too, has
-- read in seconds have such constraints, and no statement of mail that would check
-- them often. What breaks them is mended by "pgbox-schema verify --repair", which validates
-- them then.
alter domain pgbox.mod_sequence drop constraint mod_sequence_check;
alter domain pgbox.mod_sequence add constraint mod_sequence_check
    check (value between 1 and 4611686018427387904) not valid;
alter table pgbox.mailbox_keyword add constraint mailbox_keyword_check
    check (keyword_id between 1 and 32000 and name <> '') not valid;
do $$
begin
    alter domain pgbox.mod_sequence validate constraint mod_sequence_check;
exception when check_violation then null;
end
$$;
do $$
begin
    alter table pgbox.mailbox_keyword validate constraint mailbox_keyword_check;
exception when check_violation then null;
end
$$;
