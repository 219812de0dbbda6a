-- What makes no sense in an account, but for what mailbox_problems() finds: all from
-- one snapshot.
-- Parameters: account.
-- Returns a row for each thing that account_recover() and then account_clean() mend:
--   its kind, the mailbox or message, and what is wrong. The kinds are
--     account       of the row of account
--     lost-mailbox  mails or tombstones of a mailbox that has no row
--     lost-message  a message in no mailbox, which nobody expunged
--     orphan        octets, parts or text of no message, history of no mailbox
--     text          a message that has no text and is not queued
--     part          a row of message_part
--     row           values of other rows
-- Locks and writes: none.
create or replace function pgbox.account_problems(p_account_id bigint)
returns table (kind text, mailbox_id bigint, message_id bigint, problem text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    with dead as materialized (
        select distinct t.message_id
        from pgbox.expunged e
        cross join unnest(e.message_ids) t (message_id)
        where e.account_id = p_account_id
    ), alive as materialized (
        select distinct m.message_id
        from pgbox.mail m
        where m.account_id = p_account_id
    ), lost_mailbox as (
        select x.mailbox_id, count(x.uid) as mails
        from (
            select m.mailbox_id, m.uid
            from pgbox.mail m
            where m.account_id = p_account_id
            union all
            select e.mailbox_id, null
            from pgbox.expunged e
            where e.account_id = p_account_id
        ) x
        where not exists (
            select from pgbox.mailbox b
            where b.account_id = p_account_id
                and b.mailbox_id = x.mailbox_id
        )
        group by x.mailbox_id
    )
    select 'account', null::bigint, null::bigint,
        format('last_uid_validity %s (highest %s), created %s', a.last_uid_validity, s.uid_validity, a.created_at)
    from pgbox.account a
    cross join lateral (
        select max(b.uid_validity) as uid_validity
        from pgbox.mailbox b
        where b.account_id = a.account_id
    ) s
    where a.account_id = p_account_id
        and (
            a.last_uid_validity not between coalesce(s.uid_validity, 0) and 4294967295
            or not isfinite(a.created_at)
        )
    union all
    select 'lost-mailbox', l.mailbox_id, null, format('mailbox %s: %s mails', l.mailbox_id, l.mails)
    from lost_mailbox l
    union all
    select 'orphan', x.mailbox_id, null, format('mailbox %s: history or keywords of nothing', x.mailbox_id)
    from (
        select c.mailbox_id
        from pgbox.mail_change c
        where c.account_id = p_account_id
        union
        select k.mailbox_id
        from pgbox.mailbox_keyword k
        where k.account_id = p_account_id
    ) x
    where not exists (
        select from pgbox.mailbox b
        where b.account_id = p_account_id
            and b.mailbox_id = x.mailbox_id
    )
        and x.mailbox_id not in (select l.mailbox_id from lost_mailbox l)
    union all
    select 'lost-message', null, g.message_id,
        format('message %s (from %s, subject %s, size %s, received %s)',
            g.message_id, g.from_header, g.subject, g.size, g.received_at)
    from pgbox.message g
    where g.account_id = p_account_id
        and not exists (select from alive i where i.message_id = g.message_id)
        and not exists (select from dead d where d.message_id = g.message_id)
    union all
    select 'orphan', null, x.message_id, format('message %s: octets or parts of nothing', x.message_id)
    from (
        select k.message_id
        from pgbox.message_chunk k
        where k.account_id = p_account_id
        union
        select p.message_id
        from pgbox.message_part p
        where p.account_id = p_account_id
    ) x
    where not exists (
        select from pgbox.message g
        where g.account_id = p_account_id
            and g.message_id = x.message_id
    )
        and not exists (
            select from pgbox.message_upload u
            where u.account_id = p_account_id
                and u.message_id = x.message_id
        )
        -- A mail without its message is another matter, and so is its tombstone.
        and not exists (select from alive i where i.message_id = x.message_id)
        and not exists (select from dead d where d.message_id = x.message_id)
    union all
    select 'orphan', null, x.message_id, format('message %s: text of nothing', x.message_id)
    from (
        select t.message_id
        from pgbox.message_text t
        where t.account_id = p_account_id
        union
        select q.message_id
        from pgbox.message_text_queue q
        where q.account_id = p_account_id
    ) x
    where not exists (
        select from pgbox.message g
        where g.account_id = p_account_id
            and g.message_id = x.message_id
    )
    union all
    select 'text', null, g.message_id, format('message %s has no text and is not queued', g.message_id)
    from pgbox.message g
    where g.account_id = p_account_id
        and not exists (
            select from pgbox.message_text_queue q
            where q.account_id = p_account_id
                and q.message_id = g.message_id
        )
        and not exists (
            select from pgbox.message_text t
            where t.account_id = p_account_id
                and t.message_id = g.message_id
                and t.body is not null
        )
    union all
    select 'part', null, p.message_id,
        format('message %s: part %s at %s, of %s and %s bytes, %s lines',
            p.message_id, p.section, p.header_offset, p.header_size, p.body_size, p.body_lines)
    from pgbox.message_part p
    join pgbox.message g
        on g.account_id = p.account_id
        and g.message_id = p.message_id
    where p.account_id = p_account_id
        and (
            least(p.header_offset, p.header_size, p.body_size, p.body_lines) < 0
            or p.header_offset::numeric + p.header_size + p.body_size > g.size
        )
        and exists (select from alive i where i.message_id = p.message_id)
    union all
    select 'row', null, q.message_id,
        format('message %s on the queue: wanted %s, %s attempts, until %s', q.message_id, q.wanted, q.attempts, q.leased_until)
    from pgbox.message_text_queue q
    where q.account_id = p_account_id
        and (q.wanted not between 0 and 2 or q.attempts not between 0 and 3 or not isfinite(q.leased_until))
    union all
    select 'row', null, u.message_id, format('upload %s began %s', u.message_id, u.started_at)
    from pgbox.message_upload u
    where u.account_id = p_account_id
        and not isfinite(u.started_at)
    union all
    select 'row', null, null, format('subscription of %L to %L', s.user_name, s.name)
    from pgbox.subscription s
    where s.account_id = p_account_id
        and (s.name = '' or s.user_name = '')
    union all
    select 'row', v.mailbox_id, null, format('attribute %L of mailbox %s, changed %s', v.key, v.mailbox_id, v.changed_at)
    from pgbox.mailbox_attribute v
    where v.account_id = p_account_id
        and (v.key = '' or not isfinite(v.changed_at));
end
$$;

comment on function pgbox.account_problems(bigint) is 'What makes no sense in an account, but for that in its mailboxes.';
