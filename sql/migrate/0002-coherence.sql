-- From version 1, which databases have had since commit 2e45868, to version 2.
-- code.sql follows: a function whose name or parameters have changed is dropped here.

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
