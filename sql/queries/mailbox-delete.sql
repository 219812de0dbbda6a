-- $1 account, $2 mailbox, $3 its name
select pgbox.mailbox_delete($1, $2, $3)
