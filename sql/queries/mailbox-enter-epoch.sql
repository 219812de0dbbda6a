-- $1 account, $2 mailbox
-- Columns: epoch.
select pgbox.mailbox_enter_epoch($1, $2)
