-- message-info with the octets of small messages.
-- $1 account, $2 mailbox, $3 UIDs, $4 how many bytes of strings and octets are
-- enough, $5 octets of the largest message whose octets are given (one chunk)
-- Columns: as of message-info, then whether the next one is a zstd frame, and what
-- is stored of the octets, null if they are not given.
select
    i.uid,
    i.message_id,
    i.guid,
    i.size,
    i.header_size,
    extract(epoch from i.received_at)::bigint,
    extract(epoch from i.saved_at)::bigint,
    extract(epoch from i.sent_at)::bigint,
    i.sent_zone_minutes,
    i.mime_parts,
    i.envelope,
    i.bodystructure,
    i.pop3_uidl,
    i.pop3_order,
    octet_length(c.data) < i.size,
    c.data
from (
    select
        m.uid,
        m.message_id,
        m.saved_at,
        m.pop3_uidl,
        m.pop3_order,
        s.guid,
        s.size,
        s.header_size,
        s.received_at,
        s.sent_at,
        s.sent_zone_minutes,
        s.mime_parts,
        s.envelope,
        s.bodystructure,
        coalesce(
            sum(
                octet_length(s.mime_parts)
                + coalesce(octet_length(s.envelope), 0)
                + coalesce(octet_length(s.bodystructure), 0)
                + case when s.size <= $5::bigint then s.size::int else 0 end
            ) over (
                order by m.uid
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bytes_before
    -- "limit" makes it look up mail by mail, as in message-info
    from unnest($3::bigint[]) u (uid)
    cross join lateral (
        select
            x.uid,
            x.message_id,
            x.saved_at,
            x.pop3_uidl,
            x.pop3_order
        from pgbox.mail x
        where x.account_id = $1
            and x.mailbox_id = $2
            and x.uid = u.uid
        limit 1
    ) m
    cross join lateral (
        select
            x.guid,
            x.size,
            x.header_size,
            x.received_at,
            x.sent_at,
            x.sent_zone_minutes,
            x.mime_parts,
            x.envelope,
            x.bodystructure
        from pgbox.message x
        where x.account_id = $1
            and x.message_id = m.message_id
        limit 1
    ) s
) i
left join lateral (
    select x.data
    from pgbox.message_chunk x
    where x.account_id = $1
        and x.message_id = i.message_id
        and x.n = 0
        and i.size <= $5::bigint
    limit 1
) c on true
where i.bytes_before <= $4
order by i.uid
