-- $1 account name, $2 create it if it is missing, $3 create its INBOX too
-- Columns: account_id.
select pgbox.account_open($1, $2, $3)
