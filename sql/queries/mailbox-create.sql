-- $1 account, $2 name, $3 GUID, $4 selectable, $5 UIDVALIDITY or null,
-- $6 lowest MODSEQ or null
-- Columns: mailbox_id.
select pgbox.mailbox_create($1, $2, $3, $4, $5, $6)
