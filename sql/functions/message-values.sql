-- What the octets of a message say about it, when its row can't be believed.
-- Parameters: account; message.
-- Returns the sizes of the message and of its header; nulls if octets are missing
--   or are not those that were saved, or the header's end is not known. The
--   message need not exist.
-- Locks and writes: none.
create or replace function pgbox.message_values(
    p_account_id bigint,
    p_message_id bigint,
    out r_size bigint,
    out r_header_size bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
    v_message pgbox.message;
    v_sizes bigint[];
    v_count int;
    v_last bigint;
    v_header_size bigint;
begin
    select g.* into v_message
    from pgbox.message g
    where g.account_id = p_account_id
        and g.message_id = p_message_id;
    if not found then
        return;
    end if;
    -- message_chunk.size may be what is wrong.
    select
        array_agg(
            case
                when octet_length(k.data) = k.size then k.size
                else coalesce(pgbox.chunk_octets(substring(k.data from 1 for 30)), octet_length(k.data))
            end
            order by k.n
        ),
        count(*),
        max(k.n)
    into v_sizes, v_count, v_last
    from pgbox.message_chunk k
    where k.account_id = p_account_id
        and k.message_id = p_message_id
        and k.n >= 0;
    if v_sizes is null and v_message.size <> 0
        or v_count <> v_last + 1
        or 262144 <> any (v_sizes[:v_count - 1])
        or v_sizes[v_count] not between (v_count > 1)::int and 262144
        or octet_length(v_message.sha256) = 32
        and v_message.sha256 <> (
            select sha256(coalesce(string_agg(k.data, ''::bytea order by k.n), ''::bytea))
            from pgbox.message_chunk k
            where k.account_id = p_account_id
                and k.message_id = p_message_id
        )
    then
        return;
    end if;
    r_size := coalesce((select sum(s.size) from unnest(v_sizes) s (size)), 0);
    -- The header's size stands in three places.
    v_header_size := (
        select case when v.header_size + v.body_size = r_size then v.header_size end
        from pgbox.mime_parts_sizes(v_message.mime_parts) v
    );
    if v_header_size is null then
        v_header_size := (
            select min(p.header_size)
            from pgbox.message_part p
            where p.account_id = p_account_id
                and p.message_id = p_message_id
                and p.header_offset = 0
                and p.header_size::numeric + p.body_size = r_size
        );
    end if;
    v_header_size := coalesce(v_header_size, v_message.header_size);
    if v_header_size between 0 and r_size then
        r_header_size := v_header_size;
    else
        r_size := null;
    end if;
end
$$;

comment on function pgbox.message_values(bigint, bigint) is 'What the octets of a message say about it.';
