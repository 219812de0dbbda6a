-- For analysts: MIME parts that are attachments.
create or replace view pgbox.attachment_view as
select
    a.name as account,
    s.guid,
    p.section,
    p.media_type,
    p.disposition,
    p.filename,
    p.encoding,
    p.body_size as encoded_size
from pgbox.message_part p
join pgbox.message s using (account_id, message_id)
join pgbox.account a using (account_id)
where p.filename is not null
    or p.disposition = 'attachment';

comment on view pgbox.attachment_view is 'MIME parts with a file name or the disposition attachment.';
comment on column pgbox.attachment_view.account is 'Owner.';
comment on column pgbox.attachment_view.guid is 'GUID of the message, as in mail_view.';
comment on column pgbox.attachment_view.section is 'Part number as in FETCH BODY[section].';
comment on column pgbox.attachment_view.media_type is 'Content-Type as type/subtype.';
comment on column pgbox.attachment_view.disposition is 'Content-Disposition.';
comment on column pgbox.attachment_view.filename is 'Decoded file name.';
comment on column pgbox.attachment_view.encoding is 'Content-Transfer-Encoding.';
comment on column pgbox.attachment_view.encoded_size is 'Bytes of the part as it is in the message.';
