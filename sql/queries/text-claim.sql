-- Parameters: see the function.
-- Columns: message, UID.
select
    c.message_id,
    c.uid
from pgbox.text_claim($1, $2, $3, $4, $5, $6) c
order by c.uid
