-- The schema, its version and the epoch of the database's history.

create schema pgbox authorization pgbox_owner;

comment on schema pgbox is
    'Mail of the Dovecot storage driver pgbox. Written only through its functions.';

create table pgbox.schema_version (
    version int not null,
    pgbox_version text not null,
    installed_at timestamptz not null default now(),
    constraint schema_version_pkey primary key (version)
);

comment on table pgbox.schema_version is
    'One row per installed schema version; the highest one counts. Written by pgbox-schema.';
comment on column pgbox.schema_version.version is 'Number of the migration; 1 is the first release.';
comment on column pgbox.schema_version.pgbox_version is 'Release of pgbox that installed it.';
comment on column pgbox.schema_version.installed_at is 'When it was installed.';

create table pgbox.epoch (
    only_row boolean not null default true,
    epoch bigint not null,
    system_identifier bigint not null,
    timeline int not null,
    raised_at timestamptz not null default now(),
    relation_oid oid not null,
    fresh_at timestamptz not null,
    continued_from bigint[] not null,
    uid_validity bigint not null,
    clock_at timestamptz not null default now(),
    leapt_at timestamptz not null default '-infinity',
    constraint epoch_pkey primary key (only_row),
    constraint epoch_only_row_check check (only_row)
);

comment on table pgbox.epoch is
    'Names the history this database is in. A failover to a lagging standby or a restore can lose commits that clients have seen; it starts another epoch.';
comment on column pgbox.epoch.only_row is 'Keeps this table at one row.';
comment on column pgbox.epoch.epoch is
    'Random number of the current epoch: two histories that part from one backup must not get the same one.';
comment on column pgbox.epoch.system_identifier is 'Identifier of the cluster (pg_control_system) the epoch was raised in.';
comment on column pgbox.epoch.timeline is 'WAL timeline the epoch was raised in.';
comment on column pgbox.epoch.raised_at is 'When the epoch began.';
comment on column pgbox.epoch.relation_oid is
    'Of this table: a dump that is loaded into the same cluster brings that of another one.';
comment on column pgbox.epoch.fresh_at is
    'When the first of the epochs began that were only continued since: promotions, which can lose the last commits but no more.';
comment on column pgbox.epoch.continued_from is 'The epochs since fresh_at, but for this one.';
comment on column pgbox.epoch.uid_validity is
    'UIDVALIDITY that is due at raised_at; it rises by one each second. Far from that of the last epoch, of which folders may be lost.';
comment on column pgbox.epoch.clock_at is
    'The latest time that the server''s clock is known to have shown, an hour exactly: what is kept for a while counts from there at least.';
comment on column pgbox.epoch.leapt_at is
    'What the clock showed when it was last found more than 40 days later than it was known to be: it was wrong before, or is now, and the purge waits.';
