-- Takes messages of any account whose text the service pgbox-text is to
-- extract, the oldest first: nobody else gets them while text_lease() says. One
-- that was begun before comes alone, so that a message which kills the process
-- that reads it spoils no other; after the third time it is marked.
-- Parameters: the most messages to take; the most bytes of messages (the last
--   one may exceed it).
-- Returns messages with their sizes, MIME structures, whether their bodies are
--   wanted, and message_chunk.data if they are in one chunk; or failed = true
--   for one that was marked.
-- Locks: rows of message_text_queue; those that are locked are left out.
-- Writes: message_text_queue.
create or replace function pgbox.text_next(p_limit int, p_bytes bigint)
returns table (
    account_id bigint,
    message_id bigint,
    size bigint,
    bodies boolean,
    failed boolean,
    mime_parts bytea,
    data bytea
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Only the indexes know the few that are wanted.
set enable_seqscan = off
set jit = off
as $$
declare
    v_begun boolean;
begin
    -- What a crash takes back is done again.
    perform set_config('synchronous_commit', 'off', true);
    return query
    with lost as (
        select q.account_id, q.message_id
        from pgbox.message_text_queue q
        where q.wanted > 0
            and q.attempts > 2
            and (
                q.leased_until < now()
                -- few: those of large messages, and those that the clock has left behind
                or q.leased_until > now() + interval '1 minute'
                and q.leased_until > now() + pgbox.text_lease(q.account_id, q.message_id)
            )
        limit p_limit
        for update skip locked
    )
    update pgbox.message_text_queue q
    set wanted = 0,
        error = 'Three attempts to read it failed'
    from lost l
    where q.account_id = l.account_id
        and q.message_id = l.message_id
    returning q.account_id, q.message_id, 0::bigint, false, true, null::bytea, null::bytea;
    foreach v_begun in array array[true, false] loop
        return query
        with begun as (
            select q.account_id, q.message_id, q.wanted
            from pgbox.message_text_queue q
            where v_begun
                and q.wanted > 0
                and q.attempts > 0
                and (
                    q.leased_until < now()
                    -- few: those of large messages, and those that the clock has left behind
                    or q.leased_until > now() + interval '1 minute'
                    and q.leased_until > now() + pgbox.text_lease(q.account_id, q.message_id)
                )
            order by q.leased_until
            limit 1
            for update skip locked
        ), fresh as (
            select q.account_id, q.message_id, q.wanted
            from pgbox.message_text_queue q
            where not v_begun
                and q.wanted > 0
                and q.attempts = 0
            order by q.message_id
            limit p_limit
            for update skip locked
        ), candidate as (
            select c.account_id, c.message_id, c.wanted, g.size, g.mime_parts,
                sum(g.size) over (order by c.message_id) - g.size as bytes_before
            from (table begun union all table fresh) c
            join pgbox.message g on g.account_id = c.account_id and g.message_id = c.message_id
        ), claimed as (
            update pgbox.message_text_queue q
            set attempts = q.attempts + 1,
                leased_until = now() + pgbox.text_lease(q.account_id, q.message_id)
            from candidate c
            where q.account_id = c.account_id
                and q.message_id = c.message_id
                and c.bytes_before < p_bytes
            returning q.account_id, q.message_id, c.size, c.wanted, c.mime_parts
        )
        select c.account_id, c.message_id, c.size, c.wanted > 1, false, c.mime_parts, k.data
        from claimed c
        left join pgbox.message_chunk k
            on k.account_id = c.account_id
            and k.message_id = c.message_id
            and k.n = 0
            and c.size <= 262144
        order by c.message_id;
        exit when found;
    end loop;
end
$$;

comment on function pgbox.text_next is 'Takes messages of any account whose text is to be extracted.';
