-- Parameters: see the function.
-- Columns: account, message, size, whether bodies are wanted, whether it was
-- given up, MIME structure, message_chunk.data of a small one.
select
    n.account_id,
    n.message_id,
    n.size,
    n.bodies,
    n.failed,
    n.mime_parts,
    n.data
from pgbox.text_next($1, $2) n
