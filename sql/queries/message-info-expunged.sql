-- message-info for mails that another session has expunged, while their
-- messages are kept.
-- $1 account, $2 mailbox, $3 UIDs, $4 how many bytes are enough
-- Columns: see message-info.
select
    i.uid,
    i.message_id,
    i.guid,
    i.size,
    i.header_size,
    extract(epoch from i.received_at)::bigint,
    null::bigint,
    extract(epoch from i.sent_at)::bigint,
    i.sent_zone_minutes,
    i.mime_parts,
    i.envelope,
    i.bodystructure,
    null::text,
    null::bigint
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
    where x.account_id = $1
        and x.mailbox_id = $2
        and x.uid_block between (select min(u.uid) / 128 from unnest($3::bigint[]) u (uid))
            and (select max(u.uid) / 128 from unnest($3::bigint[]) u (uid))
        and x.uids && $3
        and t.uid = any ($3)
) i
where i.bytes_before <= $4
order by i.uid
