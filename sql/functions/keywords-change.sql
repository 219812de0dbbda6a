-- Adds keywords to those of a mail and removes some.
-- Parameters: mail.keyword_ids; the numbers to add, each once; those to remove.
-- Returns the new mail.keyword_ids.
create or replace function pgbox.keywords_change(
    p_ids smallint[],
    p_add smallint[],
    p_remove smallint[]
)
returns smallint[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id smallint;
begin
    foreach v_id in array p_remove loop
        p_ids := array_remove(p_ids, v_id);
    end loop;
    foreach v_id in array p_add loop
        p_ids := array_append(array_remove(p_ids, v_id), v_id);
    end loop;
    return nullif(p_ids, '{}');
end
$$;

comment on function pgbox.keywords_change(smallint[], smallint[], smallint[]) is
    'Adds keywords to those of a mail and removes some.';
