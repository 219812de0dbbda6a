-- Changes flags of one mail: what mail_change() does, in two thirds of the time.
-- Most changes are of this kind. A UID that does not exist is ignored.
-- As a branch of mail_change() it would take 2 % more, and a third more when a new
-- connection calls it first, because all of that is compiled then: 11.4 million
-- instructions instead of 8.6.
-- Parameters: account; mailbox; p_max_modseq: see mail_change(); UID; bits to
--   set and to clear; random number of the command.
-- Returns what mail_change() returns.
-- Errors: PB404. Locks: mailbox row. Writes: mail, mail_change, mailbox.
create or replace function pgbox.mail_flags_change(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_max_modseq bigint,
    p_uid bigint,
    p_flag_add smallint,
    p_flag_remove smallint,
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
set enable_seqscan = off
set jit = off
-- Planning costs more than running, and no other plan would be better.
set plan_cache_mode = force_generic_plan
as $$
declare
    v_box pgbox.mailbox := pgbox.mailbox_lock(p_account_id, p_mailbox_id);
    v_mail_modseq bigint;
    v_old_flags smallint;
    v_new_flags smallint;
begin
    r_modseq := v_box.modseq;
    r_changed := false;
    r_conflict_uids := '{}';
    r_old_modseq := v_box.modseq;
    r_uid_validity := v_box.uid_validity;
    r_uid_next := v_box.uid_next;
    r_first_recent_uid := v_box.first_recent_uid;
    r_epoch := v_box.epoch;
    r_keywords := v_box.keywords;
    r_changed_uids := '{}';
    r_expunged_uids := '{}';
    r_expunged_guids := '{}';

    -- Whoever changes the mail holds the lock of its mailbox, as we do now.
    select m.modseq, m.flags into v_mail_modseq, v_old_flags
    from pgbox.mail m
    where m.account_id = p_account_id
        and m.mailbox_id = p_mailbox_id
        and m.uid = p_uid;
    if not found then
        return;
    end if;
    if greatest(v_mail_modseq, v_box.modseq_floor) > p_max_modseq then
        r_conflict_uids := array[p_uid];
        return;
    end if;
    v_new_flags := v_old_flags & ~p_flag_remove | p_flag_add;
    if v_new_flags = v_old_flags then
        return;
    end if;

    r_modseq := pgbox.modseq_next(v_box.modseq);
    r_changed := true;
    r_changed_uids := array[p_uid, p_uid];
    update pgbox.mail m
    set flags = v_new_flags,
        modseq = r_modseq
    where m.account_id = p_account_id
        and m.mailbox_id = p_mailbox_id
        and m.uid = p_uid;
    insert into pgbox.mail_change (account_id, mailbox_id, modseq, operation, uids)
    values (p_account_id, p_mailbox_id, r_modseq, p_operation, int8multirange(int8range(p_uid, p_uid, '[]')));
    update pgbox.mailbox b
    set modseq = r_modseq,
        unseen = b.unseen + ((v_old_flags & pgbox.flag_seen()) - (v_new_flags & pgbox.flag_seen())) / pgbox.flag_seen()
    where b.account_id = p_account_id
        and b.mailbox_id = p_mailbox_id;
end
$$;

comment on function pgbox.mail_flags_change is 'Changes flags of one mail.';
