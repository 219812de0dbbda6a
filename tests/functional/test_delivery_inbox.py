"""A delivery process remembers where users' INBOX is: one statement, and never the wrong place."""

import pytest

from pgboxtest import messages
from pgboxtest.lmtp import LmtpClient

pytestmark = pytest.mark.usefixtures("pgbox_only")


def subjects(frontend, user, mailbox):
    with frontend.imap(user) as imap:
        imap.select(mailbox)
        fetched = imap.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    return [list(values.values())[-1].split()[-1] for _uid, values in sorted(fetched.items())]


def test_inbox_renamed_between_deliveries(frontend_a, frontend_b, user):
    with LmtpClient(frontend_a.lmtp_port) as lmtp:
        for number in (1, 2):
            assert lmtp.deliver(user, messages.numbered(number))[0] == 250
        with frontend_b.imap(user) as imap:
            imap.ok("RENAME INBOX old")
        for number in (3, 4):
            assert lmtp.deliver(user, messages.numbered(number))[0] == 250
    assert subjects(frontend_a, user, "old") == [b"1", b"2"]
    assert subjects(frontend_b, user, "INBOX") == [b"3", b"4"]


def test_account_replaced_between_deliveries(lab, frontend_a, frontend_b, user):
    with LmtpClient(frontend_a.lmtp_port) as lmtp:
        assert lmtp.deliver(user, messages.numbered(1))[0] == 250
        lab.postgres.sql(f"delete from pgbox.account where name = '{user}'")
        for number in (2, 3):
            assert lmtp.deliver(user, messages.numbered(number))[0] == 250
    assert subjects(frontend_b, user, "INBOX") == [b"2", b"3"]


def test_inbox_renamed_between_appends(frontend_a, frontend_b, user):
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.append("INBOX", messages.numbered(2))
        with frontend_b.imap(user) as other:
            other.ok("RENAME INBOX old")
        imap.append("INBOX", messages.numbered(3))
        # a message that is copied there, not sent
        imap.select("old")
        with frontend_b.imap(user) as other:
            other.ok("RENAME INBOX older")
        imap.ok("COPY 1 INBOX")
    assert subjects(frontend_b, user, "old") == [b"1", b"2"]
    assert subjects(frontend_b, user, "older") == [b"3"]
    assert subjects(frontend_a, user, "INBOX") == [b"1"]


def test_many_users(lab, frontend_a):
    users = [lab.new_user(f"many-{number}") for number in range(5)]
    with LmtpClient(frontend_a.lmtp_port) as lmtp:
        for number in range(3):
            answers = lmtp.deliver(users, messages.numbered(number))
            assert [code for code, _text in answers] == [250] * 5
    for name in users:
        assert subjects(frontend_a, name, "INBOX") == [b"0", b"1", b"2"]
