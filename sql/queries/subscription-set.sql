-- $1 account, $2 subscriber, $3 name, $4 subscribe
-- Columns: whether anything changed.
select pgbox.subscription_set($1, $2, $3, $4)
