-- $1 account, $2 mailbox, for each entry $3 user name or '' for a shared one,
-- $4 key, $5 value or null to remove it, $6 time of the change or null
select pgbox.attribute_set($1, $2, $3, $4, $5, $6)
