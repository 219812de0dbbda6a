-- From version 1, which databases have had since commit 2e45868, to version 2.
-- code.sql follows: a function whose name or parameters have changed is dropped here.

-- A deleted mailbox, which the purge has not come to yet, does not hold its GUID
-- against a living one: dsync brings a mailbox back with the GUID that it had.
alter table pgbox.mailbox drop constraint mailbox_guid_key;
create unique index mailbox_guid_key on pgbox.mailbox (account_id, guid)
    where deleted_at is null;
