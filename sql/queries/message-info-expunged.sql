-- message-info for mails that another session has expunged, while their
-- messages are kept.
-- Repeatable: it only reads.
-- Parameters: those of message-info.
-- Columns: those of message-info.
select
    i.uid,
    i.message_id,
    i.guid,
    i.size,
    i.header_size,
    extract(epoch from case when isfinite(i.received_at) then i.received_at end)::bigint as received_at,
    null::bigint as saved_at,
    extract(epoch from case when isfinite(i.sent_at) then i.sent_at end)::bigint as sent_at,
    i.sent_zone_minutes,
    i.mime_parts,
    i.envelope,
    i.bodystructure,
    null::text as pop3_uidl,
    null::bigint as pop3_order
from (
    select
        t.uid,
        t.message_id,
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
                order by t.uid
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bytes_before
    from pgbox.expunged x
    cross join unnest(x.uids, x.message_ids) t (uid, message_id)
    join pgbox.message s
        on s.account_id = x.account_id
        and s.message_id = t.message_id
    where x.account_id = :account_id
        and x.mailbox_id = :mailbox_id
        and x.uid_block between (select min(u.uid) / 128 from unnest(:uids) u (uid))
            and (select max(u.uid) / 128 from unnest(:uids) u (uid))
        and x.uids && :uids
        and t.uid = any (:uids)
) i
where i.bytes_before <= :max_bytes
order by i.uid
