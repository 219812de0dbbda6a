-- How many octets a zstd frame (RFC 8878) says that it has. If they are packed, a
-- mark before the frame says it (plugin/message/pgbox-chunk.c).
-- Parameters: what is stored, or its first 30 bytes.
-- Returns the number, or null if it is no frame, doesn't say, or has no checksum.
create or replace function pgbox.chunk_octets(p_data bytea)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_descriptor int;
    v_single int;
    v_bytes int;
    v_first int;
    v_octets bigint := 0;
begin
    if substring(p_data from 1 for 8) = '\x502a4d1804000000' then
        if pgbox.chunk_octets(substring(p_data from 13 for 18)) is null then
            return null;
        end if;
        for i in reverse 11 .. 8 loop
            v_octets := v_octets << 8 | get_byte(p_data, i);
        end loop;
        return v_octets;
    end if;
    if octet_length(p_data) < 6 or substring(p_data from 1 for 4) <> '\x28b52ffd' then
        return null;
    end if;
    v_descriptor := get_byte(p_data, 4);
    v_single := v_descriptor >> 5 & 1;
    v_bytes := case v_descriptor >> 6 when 0 then v_single when 1 then 2 when 2 then 4 else 8 end;
    v_first := 6 - v_single + (array[0, 1, 2, 4])[(v_descriptor & 3) + 1];
    if v_descriptor & 4 = 0 or v_bytes = 0 or octet_length(p_data) < v_first + v_bytes then
        return null;
    end if;
    -- No chunk needs more than four bytes for it.
    for i in reverse least(v_bytes, 4) - 1 .. 0 loop
        v_octets := v_octets << 8 | get_byte(p_data, v_first + i);
    end loop;
    return v_octets + case v_bytes when 2 then 256 else 0 end;
end
$$;

comment on function pgbox.chunk_octets(bytea) is 'How many octets a zstd frame says that it has.';
