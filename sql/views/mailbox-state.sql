-- For frontends: what LIST, STATUS and SELECT ask about a mailbox.
create or replace view pgbox.mailbox_state as
select
    b.account_id,
    b.mailbox_id,
    b.name,
    b.guid,
    b.selectable,
    b.uid_validity,
    b.uid_next,
    b.modseq,
    b.messages,
    b.unseen,
    b.bytes,
    case
        when b.first_recent_uid < b.uid_next then (
            select count(*)
            from pgbox.mail m
            where m.account_id = b.account_id
                and m.mailbox_id = b.mailbox_id
                and m.uid >= b.first_recent_uid
        )
        else 0
    end as recent,
    b.first_recent_uid,
    case
        when b.epoch = (select h.epoch from pgbox.epoch_here h) then b.epoch
        else 0
    end as epoch,
    b.keywords,
    b.pop3_values
from pgbox.mailbox b
where b.deleted_at is null;

comment on view pgbox.mailbox_state is 'Mailboxes with their counters, for frontends.';
comment on column pgbox.mailbox_state.account_id is 'Owner.';
comment on column pgbox.mailbox_state.mailbox_id is 'Never reused.';
comment on column pgbox.mailbox_state.name is 'Full name in UTF-8, levels separated by /.';
comment on column pgbox.mailbox_state.guid is 'Dovecot''s mailbox GUID; stays over renames.';
comment on column pgbox.mailbox_state.selectable is
    'False for a node that only holds children (\Noselect).';
comment on column pgbox.mailbox_state.uid_validity is 'RFC 3501 UIDVALIDITY.';
comment on column pgbox.mailbox_state.uid_next is 'RFC 3501 UIDNEXT; never goes down.';
comment on column pgbox.mailbox_state.modseq is
    'RFC 7162 HIGHESTMODSEQ; never goes down. Advances by 65536 per change, because Dovecot''s local index adds small numbers of its own.';
comment on column pgbox.mailbox_state.messages is 'Number of rows in mail.';
comment on column pgbox.mailbox_state.unseen is 'Number of rows in mail without \Seen.';
comment on column pgbox.mailbox_state.bytes is 'Sum of message.size over mail.';
comment on column pgbox.mailbox_state.recent is
    'Number of mails that are \Recent for the next session that selects the mailbox.';
comment on column pgbox.mailbox_state.first_recent_uid is 'Mails from this UID on are \Recent for the next session that selects the mailbox.';
comment on column pgbox.mailbox_state.epoch is
    'The epoch of the row; 0 while mailbox_enter_epoch() has to be called first.';
comment on column pgbox.mailbox_state.keywords is
    'Number of keywords, and the highest mailbox_keyword.keyword_id.';
comment on column pgbox.mailbox_state.pop3_values is
    'Whether a mail of it ever had a pop3_order or pop3_uidl; if not, POP3 sessions look for none.';
