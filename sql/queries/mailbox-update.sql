-- $1 account, $2 mailbox, $3 UIDVALIDITY, $4 lowest UIDNEXT, $5 lowest first
-- recent UID, $6 lowest HIGHESTMODSEQ, $7 GUID; null leaves a value as it is
select pgbox.mailbox_update($1, $2, $3, $4, $5, $6, $7)
