-- Parameters: see the function.
-- Columns: number of texts stored.
select pgbox.text_store($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
