-- Keywords of new mails as mail.keyword_ids has them; unknown ones are added.
-- Parameters: account; mailbox; how many mails; p_place, p_name: parallel; the
--   place of a mail, from 1, and a keyword of it.
-- Returns for each mail an array of numbers as text, because rows of a
--   two-dimensional array would have to be of one length; null for no keywords.
-- Errors: PB413 too many keywords.
-- Locks: the caller holds the mailbox row. Writes: mailbox_keyword, mailbox.
create or replace function pgbox.mail_keyword_ids(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_count int,
    p_place int[],
    p_name text[]
)
returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pgbox.keyword_ids(
        p_account_id,
        p_mailbox_id,
        array(
            select k.name
            from unnest(p_name) with ordinality k (name, place)
            group by k.name
            order by min(k.place)
        )
    );
    return array(
        select array_agg(distinct w.id) filter (where w.id is not null)::text
        from (
            select k.place, i.keyword_id
            from unnest(p_place, p_name) k (place, name)
            join pgbox.mailbox_keyword i
                on i.account_id = p_account_id
                and i.mailbox_id = p_mailbox_id
                and lower(i.name) = lower(k.name)
            union all
            select n.place, null
            from generate_series(1, p_count) n (place)
        ) w (place, id)
        group by w.place
        order by w.place
    );
end
$$;

comment on function pgbox.mail_keyword_ids(bigint, bigint, int, int[], text[]) is
    'Keywords of new mails as mail.keyword_ids has them; unknown ones are added.';
