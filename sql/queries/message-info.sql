-- Everything about mails but their bytes. The first mail is always given; the
-- next ones in the order of UIDs, until enough bytes of strings have come.
-- Repeatable: it only reads.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   uids bigint[]
--   max_bytes bigint: how many are enough
-- Columns:
--   uid bigint
--   message_id bigint
--   guid text
--   size bigint
--   header_size bigint
--   received_at bigint: as all times, seconds since 1970
--   saved_at bigint or null: if it has been expunged
--   sent_at bigint or null
--   sent_zone_minutes smallint or null
--   mime_parts bytea
--   envelope bytea or null
--   bodystructure bytea or null
--   pop3_uidl text or null
--   pop3_order bigint, 0 for null
select
    i.uid,
    i.message_id,
    i.guid,
    i.size,
    i.header_size,
    extract(epoch from case when isfinite(i.received_at) then i.received_at end)::bigint as received_at,
    extract(epoch from case when isfinite(i.saved_at) then i.saved_at end)::bigint as saved_at,
    extract(epoch from case when isfinite(i.sent_at) then i.sent_at end)::bigint as sent_at,
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
    -- "limit" makes it look up mail by mail: without statistics the planner
    -- believes that reading the whole mailbox is cheaper.
    from unnest(:uids) u (uid)
    cross join lateral (
        select
            x.uid,
            x.message_id,
            x.saved_at,
            x.pop3_uidl,
            x.pop3_order
        from pgbox.mail x
        where x.account_id = :account_id
            and x.mailbox_id = :mailbox_id
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
        where x.account_id = :account_id
            and x.message_id = m.message_id
        limit 1
    ) s
) i
where i.bytes_before <= :max_bytes
order by i.uid
