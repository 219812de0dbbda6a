-- Changes flags and keywords of mails and expunges mails: one command, one
-- MODSEQ. UIDs that do not exist are ignored; a mail that would not change
-- keeps its MODSEQ (as Dovecot's own storages do).
-- Parameters: account; mailbox;
--   p_max_modseq: mails changed after it are left alone and returned as
--     conflicts (RFC 7162 UNCHANGEDSINCE); null for no such condition;
--   p_first, p_last, p_flag_add, p_flag_remove, p_keyword_clear: parallel;
--     ranges of UIDs, of which no two overlap, bits to set and clear, and
--     whether the mails lose all keywords but those added;
--   p_keyword_range, p_keyword, p_keyword_add: parallel; a range by its place,
--     from 1, and a keyword to add to or remove from its mails, no pair twice;
--   p_expunge_uid; p_operation: random number of the command.
-- Returns the mailbox's MODSEQ afterwards, whether anything changed, the
--   conflicts; the MODSEQ before, and UIDVALIDITY, UIDNEXT, first \Recent UID,
--   epoch and number of keywords: a frontend that was up to date then needs to
--   ask nothing; the changed UIDs as first, last, first, last ..., and how many
--   mails were expunged.
-- Errors: PB404, PB413 too many keywords.
-- Locks: mailbox row.
-- Writes: mail, mail_keyword, mailbox_keyword, mail_change, expunged, mailbox.
create or replace function pgbox.mail_change(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_max_modseq bigint,
    p_first bigint[],
    p_last bigint[],
    p_flag_add smallint[],
    p_flag_remove smallint[],
    p_keyword_clear boolean[],
    p_keyword_range int[],
    p_keyword text[],
    p_keyword_add boolean[],
    p_expunge_uid bigint[],
    p_operation bigint,
    out r_modseq bigint,
    out r_changed boolean,
    out r_conflict_uids bigint[],
    out r_old_modseq bigint,
    out r_uid_validity bigint,
    out r_uid_next bigint,
    out r_first_recent_uid bigint,
    out r_epoch bigint,
    out r_keywords smallint,
    out r_changed_uids bigint[],
    out r_expunged int
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Rows are found by key. Without statistics, as after a bulk load, the planner
-- believes that reading the whole mailbox is cheaper. What is off adds to the
-- estimate so much that each statement would be compiled.
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
    v_ranges int8multirange;
    v_changed int8range[] := '{}';
    v_changed_uids bigint[] := '{}';
    v_mails int;
    v_uids bigint[];
    v_min bigint;
    v_max bigint;
    v_unseen int := 0;
begin
    r_conflict_uids := '{}';
    r_expunged := 0;
    r_old_modseq := v_box.modseq;
    r_uid_validity := v_box.uid_validity;
    r_uid_next := v_box.uid_next;
    r_first_recent_uid := v_box.first_recent_uid;
    r_epoch := v_box.epoch;
    r_keywords := v_box.keywords;
    if p_max_modseq is not null then
        r_conflict_uids := array(
            select m.uid
            from unnest(p_first || p_expunge_uid, p_last || p_expunge_uid) o (first, last)
            cross join lateral (
                select x.uid, x.modseq
                from pgbox.mail x
                where x.account_id = p_account_id
                    and x.mailbox_id = p_mailbox_id
                    and x.uid between o.first and o.last
                offset 0
            ) m
            where greatest(m.modseq, v_box.modseq_floor) > p_max_modseq
            group by m.uid
            order by m.uid
        );
    end if;

    for i in 1 .. cardinality(p_first) loop
        continue when p_flag_add[i] = 0 and p_flag_remove[i] = 0;
        -- By how much the number of mails without \Seen is going to change.
        select
            count(*),
            v_unseen + coalesce(
                sum(((m.flags & 8) - ((m.flags & ~p_flag_remove[i] | p_flag_add[i]) & 8)) / 8),
                0
            )
        into v_mails, v_unseen
        from pgbox.mail m
        where m.account_id = p_account_id
            and m.mailbox_id = p_mailbox_id
            and m.uid between p_first[i] and p_last[i]
            and m.uid <> all (r_conflict_uids);
        with changed as (
            update pgbox.mail m
            set flags = m.flags & ~p_flag_remove[i] | p_flag_add[i],
                modseq = v_modseq
            where m.account_id = p_account_id
                and m.mailbox_id = p_mailbox_id
                and m.uid between p_first[i] and p_last[i]
                and m.uid <> all (r_conflict_uids)
                and m.flags & ~p_flag_remove[i] | p_flag_add[i] <> m.flags
            returning m.uid
        )
        select min(c.uid), max(c.uid), array_agg(c.uid)
        into v_min, v_max, v_uids
        from changed c;
        if cardinality(v_uids) = v_mails and cardinality(r_conflict_uids) = 0 then
            -- All of them: what lies between does not exist.
            v_changed := v_changed || int8range(v_min, v_max, '[]');
        else
            v_changed_uids := v_changed_uids || v_uids;
        end if;
    end loop;
    if cardinality(v_changed) = 1 and v_changed_uids = '{}' then
        -- The everyday click.
        v_ranges := int8multirange(v_changed[1]);
    else
        v_ranges := pgbox.uids_compress(v_changed_uids)
            + coalesce((select range_agg(r.uids) from unnest(v_changed) r (uids)), '{}');
    end if;
    if cardinality(p_keyword_range) > 0 or true = any (p_keyword_clear) then
        v_ranges := v_ranges + pgbox.mail_keywords_change(
            p_account_id, p_mailbox_id, v_modseq, r_conflict_uids,
            p_first, p_last, p_keyword_clear, p_keyword_range, p_keyword, p_keyword_add
        );
        r_keywords := (
            select b.keywords
            from pgbox.mailbox b
            where b.account_id = p_account_id
                and b.mailbox_id = p_mailbox_id
        );
    end if;
    if cardinality(p_expunge_uid) > 0 then
        r_expunged := pgbox.mails_expunge(
            p_account_id,
            p_mailbox_id,
            array(select e.uid from unnest(p_expunge_uid) e (uid) where e.uid <> all (r_conflict_uids)),
            v_modseq
        );
    end if;

    r_changed := not isempty(v_ranges) or r_expunged > 0;
    r_changed_uids := '{}';
    if not r_changed then
        r_modseq := v_box.modseq;
        return;
    end if;
    r_modseq := v_modseq;
    r_changed_uids := array(
        select x.uid
        from unnest(v_ranges) r (uids)
        cross join lateral (values (lower(r.uids)), (upper(r.uids) - 1)) x (uid)
    );
    insert into pgbox.mail_change (account_id, mailbox_id, modseq, operation, uids)
    values (p_account_id, p_mailbox_id, v_modseq, p_operation, v_ranges);
    update pgbox.mailbox b
    set modseq = v_modseq,
        unseen = b.unseen + v_unseen
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
end
$$;

comment on function pgbox.mail_change is 'Changes flags and keywords of mails and expunges mails.';
