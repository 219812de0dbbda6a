-- Parameters:
--   account_id bigint
--   mailbox_id bigint
--   bodies boolean: whether they are wanted
-- Columns:
--   queued boolean: whether text of a mail is to be extracted
select exists (
    select
    from pgbox.message_text_queue q
    where q.account_id = :account_id
        and q.error is null
        and q.attempts < 3
        and (:bodies or not q.has_header)
        and exists (
            select from pgbox.mail m
            where m.account_id = :account_id
                and m.message_id = q.message_id
                and m.mailbox_id = :mailbox_id
        )
) as queued
