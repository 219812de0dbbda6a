-- The sizes with which Dovecot's cache field mime.parts begins: flags of the
-- message in 4 bytes, then sizes of its header and body in 8 bytes each, first
-- with the line ends that it has, which are CRLF.
-- Parameters: the field. Returns both, nulls if it is too short.
create or replace function pgbox.mime_parts_sizes(
    p_mime_parts bytea,
    out header_size bigint,
    out body_size bigint
)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if octet_length(p_mime_parts) < 36 then
        return;
    end if;
    -- The least significant byte comes first; more than 2^56 is nonsense.
    header_size := 0;
    body_size := 0;
    for i in reverse 6 .. 0 loop
        header_size := header_size << 8 | get_byte(p_mime_parts, 4 + i);
        body_size := body_size << 8 | get_byte(p_mime_parts, 20 + i);
    end loop;
end
$$;

comment on function pgbox.mime_parts_sizes(bytea) is 'The sizes of header and body that mime.parts begins with.';
