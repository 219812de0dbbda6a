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
    -- The least significant byte comes first; what has more than 48 bits is no size.
    header_size := get_byte(p_mime_parts, 4)::bigint
        | (get_byte(p_mime_parts, 5)::bigint << 8)
        | (get_byte(p_mime_parts, 6)::bigint << 16)
        | (get_byte(p_mime_parts, 7)::bigint << 24)
        | (get_byte(p_mime_parts, 8)::bigint << 32)
        | (get_byte(p_mime_parts, 9)::bigint << 40);
    body_size := get_byte(p_mime_parts, 20)::bigint
        | (get_byte(p_mime_parts, 21)::bigint << 8)
        | (get_byte(p_mime_parts, 22)::bigint << 16)
        | (get_byte(p_mime_parts, 23)::bigint << 24)
        | (get_byte(p_mime_parts, 24)::bigint << 32)
        | (get_byte(p_mime_parts, 25)::bigint << 40);
end
$$;

comment on function pgbox.mime_parts_sizes(bytea) is 'The sizes of header and body that mime.parts begins with.';
