-- $1 account, $2 old name, $3 new name, $4 leave an empty mailbox
-- Columns: number of renamed rows.
select pgbox.mailbox_rename($1, $2, $3, $4)
