-- Repeatable: the second run finds what the first one has made.
-- Parameters:
--   name text
--   create boolean: if it is missing
--   inbox boolean: create its INBOX too
--   public boolean: it is for a namespace of type public
-- Columns:
--   account_id bigint
select coalesce(
    -- a new connection would have to load PL/pgSQL for the function
    (
        select a.account_id
        from pgbox.account a
        where a.name = :name
            and coalesce(a.public, false) = :public
    ),
    pgbox.account_open(:parameters)
) as account_id
