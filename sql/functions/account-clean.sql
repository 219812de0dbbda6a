-- Mends what account_problems() finds beside what is lost: removes what belongs to
-- nothing, queues messages without text, sets impossible values to possible ones.
-- Parameters: account.
-- Returns what was wrong.
-- Locks: rows of what is mended. Writes: message_chunk, message_part, message_text,
--   message_text_queue, message_upload, mail_change, mailbox_keyword, subscription,
--   mailbox_attribute.
create or replace function pgbox.account_clean(p_account_id bigint)
returns table (kind text, problem text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_kinds text[];
    v_problems text[];
    v_mailbox_ids bigint[];
    v_message_ids bigint[];
    v_text_ids bigint[];
    v_part_ids bigint[];
begin
    -- What has no owner now never gets one: message_id_seq gives no number twice.
    select
        array_agg(p.kind), array_agg(p.problem),
        array_agg(p.mailbox_id) filter (where p.kind = 'orphan'),
        array_agg(p.message_id) filter (where p.kind = 'orphan'),
        array_agg(p.message_id) filter (where p.kind = 'text'),
        array_agg(p.message_id) filter (where p.kind = 'part')
    into v_kinds, v_problems, v_mailbox_ids, v_message_ids, v_text_ids, v_part_ids
    from pgbox.account_problems(p_account_id) p
    where p.kind in ('orphan', 'text', 'part', 'row');
    if v_kinds is null then
        return;
    end if;
    delete from pgbox.mail_change c
    where c.account_id = p_account_id
        and c.mailbox_id = any (v_mailbox_ids);
    delete from pgbox.mailbox_keyword k
    where k.account_id = p_account_id
        and k.mailbox_id = any (v_mailbox_ids);
    perform pgbox.messages_clear(p_account_id, v_message_ids);
    insert into pgbox.message_text_queue (account_id, message_id)
    select p_account_id, t.id
    from unnest(v_text_ids) t (id)
    on conflict (account_id, message_id) do nothing;
    delete from pgbox.message_part p
    using pgbox.message g
    where g.account_id = p.account_id
        and g.message_id = p.message_id
        and p.account_id = p_account_id
        and p.message_id = any (v_part_ids)
        and (
            least(p.header_offset, p.header_size, p.body_size, p.body_lines) < 0
            or p.header_offset::numeric + p.header_size + p.body_size > g.size
        );
    update pgbox.message_text_queue q
    set wanted = least(greatest(q.wanted, 0), 2),
        attempts = least(greatest(q.attempts, 0), 3),
        leased_until = case when isfinite(q.leased_until) then q.leased_until end
    where q.account_id = p_account_id
        and (q.wanted not between 0 and 2 or q.attempts not between 0 and 3 or not isfinite(q.leased_until));
    update pgbox.message_upload u
    set started_at = now()
    where u.account_id = p_account_id
        and not isfinite(u.started_at);
    delete from pgbox.subscription s
    where s.account_id = p_account_id
        and (s.name = '' or s.user_name = '');
    delete from pgbox.mailbox_attribute v
    where v.account_id = p_account_id
        and v.key = '';
    update pgbox.mailbox_attribute v
    set changed_at = now()
    where v.account_id = p_account_id
        and not isfinite(v.changed_at);
    return query
    select p.kind, p.problem
    from unnest(v_kinds, v_problems) p (kind, problem);
end
$$;

comment on function pgbox.account_clean(bigint) is 'Removes what belongs to nothing, and mends other rows of an account.';
