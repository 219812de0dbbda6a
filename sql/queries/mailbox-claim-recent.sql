-- $1 account, $2 mailbox, $3 UIDNEXT the session has synced to
-- Columns: first UID that is \Recent for this session.
select pgbox.mailbox_claim_recent($1, $2, $3)
