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
--   p_expunge_uid; p_expunge_flags: flags without which a mail is not expunged,
--     0 for no such condition; p_expunge_max_modseq: mails changed after it are not
--     expunged, null for no such condition;
--   p_operation: random number of the command.
-- Returns the mailbox's MODSEQ afterwards, whether anything changed, the
--   conflicts; the MODSEQ before, and UIDVALIDITY, UIDNEXT, first \Recent UID,
--   epoch and number of keywords: a frontend that was up to date then needs to
--   ask nothing; the changed UIDs as first, last, first, last ...; UIDs and GUIDs of
--   the expunged mails, parallel.
-- Errors: PB404, PB413 too many keywords.
-- Locks: mailbox row.
-- Writes: mail, mailbox_keyword, mail_change, expunged, mailbox.
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
    p_expunge_flags smallint,
    p_expunge_max_modseq bigint,
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
    out r_expunged_uids bigint[],
    out r_expunged_guids text[]
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
    v_modseq bigint := pgbox.modseq_next(v_box.modseq);
    v_flag_add smallint;
    v_flag_keep smallint;
    v_only_seen boolean;
    v_keyword_change boolean;
    v_keyword_clear boolean;
    v_keyword_add smallint[];
    v_keyword_remove smallint[];
    v_uids bigint[];
    v_min bigint;
    v_max bigint;
    v_changed int8range[] := '{}'::int8range[];
    v_changed_uids bigint[] := '{}'::bigint[];
    v_ranges int8multirange;
    v_unseen int := 0;
begin
    r_conflict_uids := '{}';
    r_expunged_uids := '{}';
    r_expunged_guids := '{}';
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

    if true = any (p_keyword_add) then
        -- Only keywords that are added come into being.
        perform pgbox.keyword_ids(
            p_account_id,
            p_mailbox_id,
            array(
                select k.name
                from unnest(p_keyword, p_keyword_add) with ordinality k (name, add, place)
                where k.add
                group by k.name
                order by min(k.place)
            )
        );
        r_keywords := (
            select b.keywords
            from pgbox.mailbox b
            where b.account_id = p_account_id
                and b.mailbox_id = p_mailbox_id
        );
    end if;
    for i in 1 .. cardinality(p_first) loop
        v_flag_add := p_flag_add[i];
        v_flag_keep := ~p_flag_remove[i];
        v_keyword_clear := p_keyword_clear[i];
        v_keyword_change := v_keyword_clear or i = any (p_keyword_range);
        continue when v_flag_add = 0 and v_flag_keep = -1 and not v_keyword_change;
        if v_keyword_change then
            select
                coalesce(array_agg(distinct k.keyword_id) filter (where w.add), '{}'),
                coalesce(array_agg(k.keyword_id) filter (where not w.add), '{}')
            into v_keyword_add, v_keyword_remove
            from unnest(p_keyword_range, p_keyword, p_keyword_add) w (range, name, add)
            join pgbox.mailbox_keyword k
                on k.account_id = p_account_id
                and k.mailbox_id = p_mailbox_id
                and lower(k.name) = lower(w.name)
            where w.range = i;
        end if;
        v_only_seen := (v_flag_add | ~v_flag_keep) = pgbox.flag_seen() and not v_keyword_change;
        if (v_flag_add | ~v_flag_keep) & pgbox.flag_seen() <> 0 and not v_only_seen then
            -- By how much the number of mails without \Seen is going to change.
            v_unseen := v_unseen + (
                select coalesce(sum(
                    (m.flags & pgbox.flag_seen()) - ((m.flags & v_flag_keep | v_flag_add) & pgbox.flag_seen())
                ), 0) / pgbox.flag_seen()
                from pgbox.mail m
                where m.account_id = p_account_id
                    and m.mailbox_id = p_mailbox_id
                    and m.uid between p_first[i] and p_last[i]
                    and m.uid <> all (r_conflict_uids)
            );
        end if;
        with changed as (
            update pgbox.mail m
            set modseq = v_modseq,
                flags = m.flags & v_flag_keep | v_flag_add,
                keyword_ids = case
                    when not v_keyword_change then m.keyword_ids
                    -- None of its own stays.
                    when v_keyword_clear or m.keyword_ids is null or m.keyword_ids <@ v_keyword_remove
                        then nullif(v_keyword_add, '{}')
                    else pgbox.keywords_change(m.keyword_ids, v_keyword_add, v_keyword_remove)
                end
            where m.account_id = p_account_id
                and m.mailbox_id = p_mailbox_id
                and m.uid between p_first[i] and p_last[i]
                and m.uid <> all (r_conflict_uids)
                and (
                    m.flags & v_flag_keep | v_flag_add <> m.flags
                    or v_keyword_change
                    and (
                        not coalesce(m.keyword_ids, '{}') @> v_keyword_add
                        or m.keyword_ids && v_keyword_remove
                        or v_keyword_clear and not m.keyword_ids <@ v_keyword_add
                    )
                )
            returning m.uid
        )
        select min(c.uid), max(c.uid), array_agg(c.uid)
        into v_min, v_max, v_uids
        from changed c;
        continue when v_uids is null;
        if v_only_seen then
            v_unseen := v_unseen + case when v_flag_add = pgbox.flag_seen() then -1 else 1 end * cardinality(v_uids);
        end if;
        if cardinality(v_uids) = v_max - v_min + 1 or cardinality(v_uids) = (
            select count(*)
            from pgbox.mail m
            where m.account_id = p_account_id
                and m.mailbox_id = p_mailbox_id
                and m.uid between v_min and v_max
        ) then
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
    if not isempty(v_ranges) then
        update pgbox.mailbox b
        set modseq = v_modseq,
            unseen = b.unseen + v_unseen
        where b.account_id = p_account_id
            and b.mailbox_id = p_mailbox_id;
    end if;
    if cardinality(p_expunge_uid) > 0 then
        select e.r_uids, e.r_guids into r_expunged_uids, r_expunged_guids
        from pgbox.mails_expunge(
            p_account_id,
            p_mailbox_id,
            array(select e.uid from unnest(p_expunge_uid) e (uid) where e.uid <> all (r_conflict_uids)),
            v_modseq,
            p_expunge_flags,
            case when v_box.modseq_floor > p_expunge_max_modseq then 0 else p_expunge_max_modseq end
        ) e;
    end if;

    r_changed := not isempty(v_ranges) or cardinality(r_expunged_uids) > 0;
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
end
$$;

comment on function pgbox.mail_change is 'Changes flags and keywords of mails and expunges mails.';
