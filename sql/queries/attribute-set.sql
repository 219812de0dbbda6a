-- $1 account, $2 mailbox, $3 user name or '' for a shared entry, $4 key,
-- $5 value or null to remove it
select pgbox.attribute_set($1, $2, $3, $4, $5)
