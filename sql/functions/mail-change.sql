-- Changes flags and keywords of mails and expunges mails: one command, one
-- MODSEQ. UIDs that do not exist are ignored; a mail that would not change
-- keeps its MODSEQ (as Dovecot's own storages do).
-- Parameters: account; mailbox;
--   p_max_modseq: mails changed after it are left alone and returned as
--     conflicts (RFC 7162 UNCHANGEDSINCE); null for no such condition;
--   p_flag_uid, p_flag_add, p_flag_remove: parallel; bits to set and clear;
--   p_keyword_clear_uid: mails that lose all keywords first;
--   p_keyword_uid, p_keyword, p_keyword_add: parallel; a keyword to add or
--     remove on a mail, no pair twice;
--   p_expunge_uid; p_operation: random number of the command.
-- Returns the mailbox's MODSEQ afterwards, whether anything changed, and the conflicts.
-- Errors: PB404, PB413 too many keywords.
-- Locks: mailbox row.
-- Writes: mail, mail_keyword, mailbox_keyword, mail_change, expunged, mailbox.
create or replace function pgbox.mail_change(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_max_modseq bigint,
    p_flag_uid bigint[],
    p_flag_add smallint[],
    p_flag_remove smallint[],
    p_keyword_clear_uid bigint[],
    p_keyword_uid bigint[],
    p_keyword text[],
    p_keyword_add boolean[],
    p_expunge_uid bigint[],
    p_operation bigint,
    out r_modseq bigint,
    out r_changed boolean,
    out r_conflict_uids bigint[]
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Rows are found by key, one by one. Without statistics, as after a bulk load,
-- the planner believes that reading the whole mailbox is cheaper, even once for each
-- row of a list: "limit 1" keeps it from that. What is off adds to the estimate so
-- much that each statement would be compiled.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set enable_material = off
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
declare
    v_box pgbox.mailbox := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
    v_modseq bigint := v_box.modseq + 65536;
    v_changed_uids bigint[] := '{}';
    v_uids bigint[];
    v_rows tid[];
    v_flags smallint[];
    v_unseen int := 0;
    v_expunged int := 0;
begin
    r_conflict_uids := '{}';
    if p_max_modseq is not null then
        r_conflict_uids := array(
            select m.uid
            from pgbox.mail m
            where m.account_id = p_account_id
                and m.mailbox_id = p_mailbox_id
                and m.uid = any (p_flag_uid || p_keyword_clear_uid || p_keyword_uid || p_expunge_uid)
                and greatest(m.modseq, v_box.modseq_floor) > p_max_modseq
            order by m.uid
        );
    end if;

    if cardinality(p_flag_uid) > 0 then
        select
            array_agg(m.uid),
            array_agg(m.ctid),
            array_agg((m.flags & ~o.remove | o.add)::smallint),
            sum(((m.flags & 8) - ((m.flags & ~o.remove | o.add) & 8)) / 8)
        into v_uids, v_rows, v_flags, v_unseen
        from unnest(p_flag_uid, p_flag_add, p_flag_remove) o (uid, add, remove)
        cross join lateral (
            select x.uid, x.flags, x.ctid
            from pgbox.mail x
            where x.account_id = p_account_id
                and x.mailbox_id = p_mailbox_id
                and x.uid = o.uid
            limit 1
        ) m
        where (m.flags & ~o.remove | o.add) <> m.flags
            and m.uid <> all (r_conflict_uids);
        if v_uids is not null then
            -- The rows stay where they are: nobody else has the mailbox's lock.
            update pgbox.mail m
            set flags = n.flags,
                modseq = v_modseq
            from unnest(v_rows, v_flags) n (place, flags)
            where m.ctid = n.place;
            v_changed_uids := v_uids;
        end if;
    end if;

    if cardinality(p_keyword_clear_uid) > 0 or cardinality(p_keyword_uid) > 0 then
        v_uids := pgbox.mail_keywords_change(
            p_account_id, p_mailbox_id, v_modseq, r_conflict_uids,
            p_keyword_clear_uid, p_keyword_uid, p_keyword, p_keyword_add
        );
        v_changed_uids := v_changed_uids || v_uids;
    end if;

    if cardinality(p_expunge_uid) > 0 then
        v_expunged := pgbox.mails_expunge(
            p_account_id,
            p_mailbox_id,
            array(select e.uid from unnest(p_expunge_uid) e (uid) where e.uid <> all (r_conflict_uids)),
            v_modseq
        );
    end if;

    r_changed := cardinality(v_changed_uids) > 0 or v_expunged > 0;
    if not r_changed then
        r_modseq := v_box.modseq;
        return;
    end if;
    r_modseq := v_modseq;
    insert into pgbox.mail_change (account_id, mailbox_id, modseq, operation, uids)
    values (p_account_id, p_mailbox_id, v_modseq, p_operation, pgbox.uids_compress(v_changed_uids));
    update pgbox.mailbox b
    set modseq = v_modseq,
        unseen = b.unseen + coalesce(v_unseen, 0)
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
end
$$;

comment on function pgbox.mail_change is 'Changes flags and keywords of mails and expunges mails.';
