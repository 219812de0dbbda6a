-- $1 account, $2 retention in seconds, $3 most messages to remove
-- Columns: number of rows removed; 0 when all is done.
select pgbox.purge(
    $1,
    make_interval(secs => $2::bigint),
    greatest(interval '90 days', make_interval(secs => $2::bigint)),
    $3
)
