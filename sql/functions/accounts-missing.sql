-- Rows of accounts that don't exist: those of mails and messages, which have no foreign
-- keys.
-- Parameters: p_after, p_before: ids of accounts between which there is no other, null
--   if there is none above; whether to remove the rows.
-- Returns the ids, and how many rows of which table they have.
-- Locks: rows that are removed. Writes: all tables that have no foreign key.
create or replace function pgbox.accounts_missing(
    p_after bigint,
    p_before bigint,
    p_remove boolean
)
returns table (account_id bigint, problem text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_below bigint := coalesce(p_before, 9223372036854775807);
    v_row record;
begin
    for v_row in
        select x.account_id, x.relation, count(*) as rows
        from (
            select y.account_id, 'mail' as relation from pgbox.mail y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'mailbox_keyword' from pgbox.mailbox_keyword y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'mail_change' from pgbox.mail_change y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'expunged' from pgbox.expunged y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'message' from pgbox.message y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'message_chunk' from pgbox.message_chunk y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'message_part' from pgbox.message_part y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'message_upload' from pgbox.message_upload y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'message_text' from pgbox.message_text y
            where y.account_id > p_after and y.account_id < v_below
            union all
            select y.account_id, 'message_text_queue' from pgbox.message_text_queue y
            where y.account_id > p_after and y.account_id < v_below
        ) x
        where not exists (
            select from pgbox.account a
            where a.account_id = x.account_id
        )
        group by x.account_id, x.relation
        order by x.account_id, x.relation
    loop
        if p_remove then
            execute format('delete from pgbox.%I where account_id = $1', v_row.relation)
            using v_row.account_id;
        end if;
        account_id := v_row.account_id;
        problem := format('account %s: %s rows of %s', v_row.account_id, v_row.rows, v_row.relation);
        return next;
    end loop;
end
$$;

comment on function pgbox.accounts_missing(bigint, bigint, boolean) is 'Rows of accounts that don''t exist.';
