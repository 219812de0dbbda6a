-- message-info for mails that another session has expunged, while their
-- messages are kept.
-- $1 account, $2 mailbox, $3 UIDs
-- Columns: see message-info.
select
    x.uid,
    x.message_id,
    s.guid,
    s.size,
    s.header_size,
    extract(epoch from s.received_at)::bigint,
    null::bigint,
    extract(epoch from s.sent_at)::bigint,
    s.sent_zone_minutes,
    s.mime_parts,
    s.envelope,
    s.bodystructure,
    null::text,
    null::bigint
from pgbox.expunged x
join pgbox.message s
    on s.account_id = x.account_id
    and s.message_id = x.message_id
where x.account_id = $1
    and x.mailbox_id = $2
    and x.uid = any ($3)
