-- From version 2 to version 3. Plugins of version 2 can't read packed chunks: the
-- number is what keeps them out.

comment on column pgbox.message_chunk.data is
    'A zstd frame (RFC 8878) if it is shorter than size, of octets whose base64 may be packed, otherwise the octets themselves.';
