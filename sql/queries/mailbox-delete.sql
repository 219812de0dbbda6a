-- $1 account, $2 mailbox
select pgbox.mailbox_delete($1, $2)
