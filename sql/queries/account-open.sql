-- $1 account name, $2 create it if it is missing, $3 create its INBOX too
-- Columns: account_id.
select coalesce(
    -- a new connection would have to load PL/pgSQL for the function
    (select a.account_id from pgbox.account a where a.name = $1),
    pgbox.account_open($1, $2, $3)
)
