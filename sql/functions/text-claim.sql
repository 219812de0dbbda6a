-- Takes messages of a mailbox whose text is to be extracted: nobody else gets
-- them for a minute. One that was begun before comes alone, so that a message
-- which kills the process that reads it spoils no other.
-- Parameters: account; mailbox; the highest UID wanted; whether bodies are
--   wanted, too; the most messages to take, and the most octets, but for the
--   first message.
-- Returns messages with their UIDs in this mailbox.
-- Locks: rows of message_text_queue; those that are locked are left out.
-- Writes: message_text_queue.
create or replace function pgbox.text_claim(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_max_uid bigint,
    p_bodies boolean,
    p_limit int,
    p_max_bytes bigint
)
returns table (message_id bigint, uid bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The queue is short, and the mailbox is not.
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    v_begun boolean;
begin
    foreach v_begun in array array[false, true] loop
        return query
        with candidate as (
            select q.message_id
            from pgbox.message_text_queue q
            where q.account_id = p_account_id
                and q.error is null
                and (p_bodies or not q.has_header)
                and (
                    q.leased_until is null
                    or q.leased_until < now()
                    -- few: those of large messages, and those that the clock has left behind
                    or q.leased_until > now() + interval '1 minute'
                    and q.leased_until > now() + pgbox.text_lease(q.account_id, q.message_id)
                )
                and (case when v_begun then q.attempts between 1 and 2 else q.attempts = 0 end)
                and exists (
                    select from pgbox.mail m
                    where m.account_id = q.account_id
                        and m.message_id = q.message_id
                        and m.mailbox_id = p_mailbox_id
                        and m.uid <= p_max_uid
                )
            order by q.message_id
            limit case when v_begun then 1 else p_limit end
            for update of q skip locked
        ), sized as (
            select
                c.message_id,
                row_number() over w as place,
                sum(s.size) over w as bytes
            from candidate c
            cross join lateral (
                select x.size
                from pgbox.message x
                where x.account_id = p_account_id
                    and x.message_id = c.message_id
                limit 1
            ) s
            window w as (order by c.message_id)
        ), claimed as (
            update pgbox.message_text_queue q
            set attempts = q.attempts + 1,
                leased_until = now() + interval '1 minute'
            from sized c
            where q.account_id = p_account_id
                and q.message_id = c.message_id
                and (c.place = 1 or c.bytes <= p_max_bytes)
            returning q.message_id
        )
        select c.message_id, min(m.uid)
        from claimed c
        join pgbox.mail m on m.account_id = p_account_id and m.message_id = c.message_id
        where m.mailbox_id = p_mailbox_id
            and m.uid <= p_max_uid
        group by c.message_id
        order by min(m.uid);
        exit when found;
    end loop;
end
$$;

comment on function pgbox.text_claim is 'Takes messages whose text is to be extracted.';
