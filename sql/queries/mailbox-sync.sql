-- What has changed in a mailbox, see the function; which is not called if nothing
-- has, as in most cases.
-- Repeatable: \Recent that the first run has taken nobody has.
-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   modseq bigint: HIGHESTMODSEQ that the local index has
--   uid_next bigint: the same of UIDNEXT,
--   keywords integer: the number of keywords,
--   epoch bigint: and the epoch
--   take_recent boolean: whether the session takes \Recent
-- Columns:
--   kind smallint
--   uid bigint
--   modseq bigint
--   flags smallint
--   keyword_ids smallint[] or null
--   guid text or null
--   numbers bigint[] or null: with one more in the end: the first UID that is \Recent
--         for this session, 0 if it has taken none
--   keyword_names text[] or null
select
    coalesce(s.kind, 0::smallint) as kind,
    s.uid,
    s.modseq,
    s.flags,
    s.keyword_ids,
    s.guid,
    case
        when s.kind is null then array[
            b.uid_validity, b.uid_next, b.modseq, b.first_recent_uid,
            b.epoch, 0, :modseq, b.pop3_values::int, r.first_uid
        ]
        when s.kind = 0 then s.numbers || r.first_uid
    end as numbers,
    case when coalesce(s.kind, 0) = 0 then coalesce(s.keyword_names, '{}') end as keyword_names
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
    where x.account_id = :account_id
        and x.mailbox_id = :mailbox_id
    offset 0
) b
cross join lateral (
    select case
        when :take_recent and b.first_recent_uid < b.uid_next and b.epoch <> 0
            then pgbox.mailbox_claim_recent(b.account_id, b.mailbox_id, b.uid_next)
        else 0
    end as first_uid
) r
left join lateral (
    select f.*
    from pgbox.mailbox_sync(
        p_account_id => b.account_id, p_mailbox_id => b.mailbox_id, p_modseq => :modseq,
        p_uid_next => :uid_next, p_keywords => :keywords, p_epoch => :epoch
    ) f
    where b.modseq > :modseq or b.uid_next > :uid_next or b.keywords > :keywords or b.epoch <> :epoch
    -- otherwise it would be called before that is looked at
    offset 0
) s on true
