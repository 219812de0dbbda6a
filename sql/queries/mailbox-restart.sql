-- $1 account, $2 mailbox
select pgbox.mailbox_restart($1, $2)
