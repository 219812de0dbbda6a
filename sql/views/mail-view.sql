-- For analysts: mails with the metadata of their messages.
create or replace view pgbox.mail_view as
select
    a.name as account,
    b.name as mailbox,
    m.uid,
    s.guid,
    s.size,
    s.received_at,
    m.saved_at,
    s.sent_at,
    s.sent_zone_minutes,
    s.subject,
    s.from_header,
    s.to_header,
    s.cc_header,
    s.message_id_header,
    m.flags & 8 <> 0 as seen,
    m.flags & 1 <> 0 as answered,
    m.flags & 2 <> 0 as flagged,
    m.flags & 4 <> 0 as deleted,
    m.flags & 16 <> 0 as draft,
    array(
        select i.name
        from pgbox.mailbox_keyword i
        where i.account_id = m.account_id
            and i.mailbox_id = m.mailbox_id
            and i.keyword_id = any (m.keyword_ids)
        order by i.keyword_id
    ) as keywords
from pgbox.mail m
join pgbox.mailbox b using (account_id, mailbox_id)
join pgbox.account a using (account_id)
join pgbox.message s using (account_id, message_id)
where b.deleted_at is null;

comment on view pgbox.mail_view is 'Mails with the metadata of their messages.';
comment on column pgbox.mail_view.account is 'Owner.';
comment on column pgbox.mail_view.mailbox is 'Full name of the mailbox.';
comment on column pgbox.mail_view.uid is 'IMAP UID in the mailbox.';
comment on column pgbox.mail_view.guid is 'Equal for all copies of a message.';
comment on column pgbox.mail_view.size is 'Bytes.';
comment on column pgbox.mail_view.received_at is 'INTERNALDATE.';
comment on column pgbox.mail_view.saved_at is 'When it came into this mailbox.';
comment on column pgbox.mail_view.sent_at is 'The Date header.';
comment on column pgbox.mail_view.sent_zone_minutes is 'Time zone of the Date header, minutes east of UTC.';
comment on column pgbox.mail_view.subject is 'Decoded Subject header.';
comment on column pgbox.mail_view.from_header is 'Decoded From header.';
comment on column pgbox.mail_view.to_header is 'Decoded To header.';
comment on column pgbox.mail_view.cc_header is 'Decoded Cc header.';
comment on column pgbox.mail_view.message_id_header is 'Message-ID header.';
comment on column pgbox.mail_view.seen is 'Flag \Seen.';
comment on column pgbox.mail_view.answered is 'Flag \Answered.';
comment on column pgbox.mail_view.flagged is 'Flag \Flagged.';
comment on column pgbox.mail_view.deleted is 'Flag \Deleted.';
comment on column pgbox.mail_view.draft is 'Flag \Draft.';
comment on column pgbox.mail_view.keywords is 'Keywords.';
