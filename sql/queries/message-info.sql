-- Everything about mails but their bytes.
-- $1 account, $2 mailbox, $3 UIDs
-- Columns: uid, message_id, guid, size, header_size, received, saved, sent
-- (seconds since 1970), time zone of sent in minutes, mime.parts, envelope,
-- bodystructure, POP3 UIDL, POP3 order.
select
    m.uid,
    m.message_id,
    s.guid,
    s.size,
    s.header_size,
    extract(epoch from s.received_at)::bigint,
    extract(epoch from m.saved_at)::bigint,
    extract(epoch from s.sent_at)::bigint,
    s.sent_zone_minutes,
    s.mime_parts,
    s.envelope,
    s.bodystructure,
    m.pop3_uidl,
    m.pop3_order
from pgbox.mail m
join pgbox.message s
    on s.account_id = m.account_id
    and s.message_id = m.message_id
where m.account_id = $1
    and m.mailbox_id = $2
    and m.uid = any ($3)
