-- Numbers of keywords in a mailbox; unknown ones are added.
-- Parameters: account; mailbox; names, in the order in which new ones are added.
-- Returns the numbers in the order of the names. Errors: PB413 over 32,000 keywords.
-- Locks: the caller holds the mailbox row. Writes: mailbox_keyword, mailbox.
create or replace function pgbox.keyword_ids(
    p_account_id bigint,
    p_mailbox_id bigint,
    p_name text[]
)
returns smallint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
    v_id smallint;
    v_ids smallint[] := '{}'::smallint[];
begin
    foreach v_name in array p_name loop
        select k.keyword_id into v_id
        from pgbox.mailbox_keyword k
        where k.account_id = p_account_id
            and k.mailbox_id = p_mailbox_id
            and lower(k.name) = lower(v_name);
        if not found then
            update pgbox.mailbox b
            set keywords = b.keywords + 1
            where b.account_id = p_account_id
                and b.mailbox_id = p_mailbox_id
                and b.keywords < 32000
            returning b.keywords into v_id;
            if not found then
                raise exception using
                    errcode = 'PB413',
                    message = 'the mailbox has too many different keywords';
            end if;
            insert into pgbox.mailbox_keyword (account_id, mailbox_id, keyword_id, name)
            values (p_account_id, p_mailbox_id, v_id, v_name);
        end if;
        v_ids := v_ids || v_id;
    end loop;
    return v_ids;
end
$$;

comment on function pgbox.keyword_ids(bigint, bigint, text[]) is 'Numbers of keywords in a mailbox; unknown ones are added.';
