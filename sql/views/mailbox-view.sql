-- For analysts: mailboxes with their counters.
create or replace view pgbox.mailbox_view as
select
    a.name as account,
    b.name as mailbox,
    b.messages,
    b.unseen,
    b.bytes,
    b.created_at
from pgbox.mailbox b
join pgbox.account a using (account_id)
where b.deleted_at is null
    and b.selectable;

comment on view pgbox.mailbox_view is 'Mailboxes with their counters.';
comment on column pgbox.mailbox_view.account is 'Owner.';
comment on column pgbox.mailbox_view.mailbox is 'Full name, levels separated by /.';
comment on column pgbox.mailbox_view.messages is 'Number of mails.';
comment on column pgbox.mailbox_view.unseen is 'Number of mails without \Seen.';
comment on column pgbox.mailbox_view.bytes is 'Sum of the sizes of the mails.';
comment on column pgbox.mailbox_view.created_at is 'When the mailbox was created.';
