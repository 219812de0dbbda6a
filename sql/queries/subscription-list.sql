-- $1 account, $2 subscriber
-- Columns: name.
select s.name
from pgbox.subscription s
where s.account_id = $1
    and s.user_name = $2
order by s.name
