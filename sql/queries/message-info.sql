-- Everything about mails but their bytes. The first mail is always given; the
-- next ones in the order of UIDs, until enough bytes of strings have come.
-- $1 account, $2 mailbox, $3 UIDs, $4 how many bytes are enough
-- Columns: uid, message_id, guid, size, header_size, received, saved, sent
-- (seconds since 1970), time zone of sent in minutes, mime.parts, envelope,
-- bodystructure, POP3 UIDL, POP3 order.
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
    i.pop3_order
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
            ) over (
                order by m.uid
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bytes_before
    from pgbox.mail m
    join pgbox.message s
        on s.account_id = m.account_id
        and s.message_id = m.message_id
    where m.account_id = $1
        and m.mailbox_id = $2
        and m.uid = any ($3)
) i
where i.bytes_before <= $4
order by i.uid
