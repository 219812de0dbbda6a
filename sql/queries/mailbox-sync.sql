-- What has changed in a mailbox, see the function; which is not called if nothing
-- has, as in most cases.
-- $1 account, $2 mailbox, $3 HIGHESTMODSEQ, $4 UIDNEXT, $5 number of keywords
-- and $6 epoch that the local index has, $7 whether the session takes \Recent
-- Columns: see the function. numbers has one more in the end: the first UID that
-- is \Recent for this session, 0 if it has taken none.
select
    coalesce(s.kind, 0::smallint),
    s.uid,
    s.modseq,
    s.flags,
    s.keyword_ids,
    s.guid,
    case
        when s.kind is null then array[
            b.uid_validity, b.uid_next, b.modseq, b.first_recent_uid,
            b.epoch, 0, $3::bigint, b.pop3_values::int, r.first_uid
        ]
        when s.kind = 0 then s.numbers || r.first_uid
    end,
    case when coalesce(s.kind, 0) = 0 then coalesce(s.keyword_names, '{}') end
from (
    -- "offset" has the epoch looked up once
    select
        x.account_id,
        x.mailbox_id,
        x.uid_validity,
        x.uid_next,
        x.modseq,
        x.first_recent_uid,
        x.epoch,
        x.keywords,
        x.pop3_values
    from pgbox.mailbox_state x
    where x.account_id = $1
        and x.mailbox_id = $2
    offset 0
) b
cross join lateral (
    select case
        when $7::boolean and b.first_recent_uid < b.uid_next and b.epoch <> 0
            then pgbox.mailbox_claim_recent(b.account_id, b.mailbox_id, b.uid_next)
        else 0
    end as first_uid
) r
left join lateral (
    select f.*
    from pgbox.mailbox_sync(b.account_id, b.mailbox_id, $3, $4, $5, $6) f
    where b.modseq > $3 or b.uid_next > $4 or b.keywords > $5 or b.epoch <> $6
    -- otherwise it would be called before that is looked at
    offset 0
) s on true
