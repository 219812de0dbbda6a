"""The messages of the benchmarks, and mailboxes full of them."""

import base64
import os
import random
import shutil
import subprocess

from pgboxtest.dovecot import MAIL_USER
from pgboxtest.messages import WORDS, crlf, date_of

from clients import FastImap

MULTIAPPEND = 100
SMALL_SIZE = 600
_TEXT_SIZE = 1 << 18


def _filler_text():
    source = random.Random(1)
    words = []
    size = 0
    while size < _TEXT_SIZE:
        line = " ".join(f"{source.choice(WORDS)}{source.randrange(100)}" for _ in range(9))
        words.append(line)
        size += len(line) + 1
    return "\n".join(words)


_FILLER = _filler_text()


def _text(number, size):
    """Lines of words, different for each number."""
    start = number * 7919 % (_TEXT_SIZE // 2)
    start = _FILLER.find("\n", start) + 1
    text = _FILLER[start:start + size]
    while len(text) < size:
        text += "\n" + _FILLER[:size - len(text) - 1]
    return text + "\n"


def _headers(number, more):
    return f"""\
Return-Path: <sender{number % 97}@example.org>
Received: from relay.example.org (relay.example.org [192.0.2.7])
\tby mail.example.net (Postfix) with ESMTPS id {number:010X}
\tfor <box@example.net>; Mon, 2 Jan 2023 10:00:00 +0000 (UTC)
From: "Sender {number % 97}" <sender{number % 97}@example.org>
To: Box <box@example.net>, list{number % 7}@example.net
Subject: {WORDS[number % len(WORDS)]} {WORDS[number // 7 % len(WORDS)]} {number}
Date: {date_of(number)}
Message-ID: <{number}.bench@example.org>
MIME-Version: 1.0
{more}"""


def message(number, size):
    """A text message with an HTML alternative of about this size, CRLF."""
    if size < 2000:
        head = _headers(number, "Content-Type: text/plain; charset=utf-8\n\n")
        return crlf((head + _text(number, max(10, size - len(head)))).encode())
    head = _headers(number, 'Content-Type: multipart/alternative; boundary="=_bench"\n\n')
    half = (size - len(head) - 200) // 2
    return crlf((f"{head}--=_bench\nContent-Type: text/plain; charset=utf-8\n\n"
                 f"{_text(number, half)}\n"
                 f"--=_bench\nContent-Type: text/html; charset=utf-8\n\n"
                 f"<p>{_text(number + 1, half - 10)}</p>\n--=_bench--\n").encode())


def message_with_attachment(number, size):
    """A message whose second part is an attachment in base64, about `size` octets in all."""
    head = _headers(number, 'Content-Type: multipart/mixed; boundary="=_bench"\n\n')
    data = random.Random(number).randbytes(size * 57 // 78)
    return crlf(f"{head}--=_bench\nContent-Type: text/plain\n\n{_text(number, 500)}\n"
                "--=_bench\nContent-Type: application/pdf; name=\"document.pdf\"\n"
                "Content-Transfer-Encoding: base64\n\n".encode()
                + base64.encodebytes(data) + b"--=_bench--\n")


def realistic(number):
    """What comes into a mailbox: nine in ten are texts, the others bring attachments, of which a
    few are large.  Median 6 KB, p95 0.4 MB, mean 60 KB."""
    source = random.Random(number)
    kind = source.random()
    if kind < 0.88:
        return message(number, source.randrange(3000, 10_000))
    if kind < 0.995:
        return message_with_attachment(number, source.randrange(20_000, 600_000))
    return message_with_attachment(number, source.randrange(1_000_000, 8_000_000))


def text_of(size_of):
    """Makes text messages of these sizes."""
    return lambda number: message(number, size_of(number))


def size_4_to_10_kb(number):
    """Sizes spread evenly over what most mail without attachments has."""
    return 4000 + number * 2741 % 6001


def append_many(server, user, mailbox, count, make=realistic):
    """Fill a mailbox with different messages; UIDs 1 ... count in a new one.

    `make(number)` makes each one.
    """
    with FastImap(server, user) as imap:
        for start in range(0, count, MULTIAPPEND):
            numbers = range(start, min(start + MULTIAPPEND, count))
            imap.run(*imap.multiappend(mailbox, [make(n) for n in numbers]))


def fill_small(side, user, count):
    """An INBOX of `count` small messages, faster than by delivering them.

    The first thousand are real.  sdbox then copies them by hard links, pgbox gets rows of
    new messages, so the cost of reading them is the same as if each had been delivered.
    """
    first = min(count, 1000)
    append_many(side.server("fill"), user, "INBOX", first, text_of(lambda _number: SMALL_SIZE))
    if side.name == "pgbox":
        multiply(side.lab.postgres, user, count)
        return
    have = first
    with FastImap(side.server("fill"), user) as imap:
        imap.run("SELECT INBOX")
        while have < count:
            more = min(have, count - have)
            imap.run(f"COPY 1:{more} INBOX")
            have += more


def multiply(postgres, user, count):
    """Copy the first thousand messages of INBOX, with their octets, until it has `count`."""
    have = int(postgres.value("select messages from pgbox.mailbox b join pgbox.account a "
                              f"using (account_id) where a.name = '{user}' and b.name = 'INBOX'"))
    if have < count:
        postgres.sql(MULTIPLY.replace(":user", user).replace(":more", str(count - have)))
        postgres.sql("vacuum analyze pgbox.message, pgbox.message_chunk, pgbox.message_part, "
                     "pgbox.mail, pgbox.mailbox")


MULTIPLY = """
create temp table source as
select b.account_id, b.mailbox_id, m.message_id,
    row_number() over (order by m.uid) - 1 as place
from pgbox.mailbox b
join pgbox.account a using (account_id)
join pgbox.mail m using (account_id, mailbox_id)
where a.name = ':user' and b.name = 'INBOX' and m.uid <= 1000;
create temp table copy as
select s.account_id, s.mailbox_id, s.message_id as old, nextval('pgbox.message_id_seq') as new,
    b.uid_next + n as uid, b.modseq + 65536 as modseq
from generate_series(0, :more - 1) n
join source s on s.place = n % (select count(*) from source)
join pgbox.mailbox b using (account_id, mailbox_id);
insert into pgbox.message
select account_id, c.new, md5(c.new::text), sha256, size, header_size, received_at, sent_at,
    sent_zone_minutes, subject, from_header, to_header, cc_header, message_id_header,
    mime_parts, envelope, bodystructure, sort_folding, sort_subject, sort_from, sort_to, sort_cc,
    sort_display_from, sort_display_to
from copy c join pgbox.message s using (account_id) where s.message_id = c.old;
insert into pgbox.message_chunk
select account_id, c.new, s.n, s.size, s.data
from copy c join pgbox.message_chunk s using (account_id) where s.message_id = c.old;
insert into pgbox.message_part
select account_id, c.new, section, media_type, charset, encoding, disposition, filename,
    header_offset, s.header_size, body_size, body_lines
from copy c join pgbox.message_part s using (account_id) where s.message_id = c.old;
insert into pgbox.mail (account_id, mailbox_id, uid, modseq, message_id, saved_at, flags)
select account_id, mailbox_id, uid, modseq, new, now(), 0 from copy;
update pgbox.mailbox b
set uid_next = c.uid_next, modseq = c.modseq, messages = b.messages + c.messages,
    unseen = b.unseen + c.messages, bytes = b.bytes + c.bytes
from (
    select c.mailbox_id, max(c.uid) + 1 as uid_next, max(c.modseq) as modseq,
        count(*) as messages, sum(s.size) as bytes
    from copy c
    join pgbox.message s on s.account_id = c.account_id and s.message_id = c.new
    group by c.mailbox_id
) c
where b.mailbox_id = c.mailbox_id;
"""


def write_maildir(path, count):
    """A Maildir as another server may have left it."""
    for name in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, name))
    for number in range(count):
        flags = "S" if number % 3 else ""
        name = f"{1600000000 + number}.M{number}P1.bench:2,{flags}"
        with open(os.path.join(path, "cur", name), "wb") as mail:
            mail.write(realistic(number).replace(b"\r\n", b"\n"))
    subprocess.run(["chown", "-R", f"{MAIL_USER}:", path], check=True)


def remove_maildir(path):
    shutil.rmtree(path, ignore_errors=True)
