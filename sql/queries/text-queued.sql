-- Parameters: account, mailbox, whether bodies are wanted.
-- Columns: whether text of a mail is to be extracted.
select exists (
    select
    from pgbox.message_text_queue q
    where q.account_id = $1
        and q.error is null
        and q.attempts < 3
        and ($3 or not q.has_header)
        and exists (
            select from pgbox.mail m
            where m.account_id = $1
                and m.message_id = q.message_id
                and m.mailbox_id = $2
        )
)
