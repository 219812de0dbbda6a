"""A process remembers where mailboxes are: one statement, and never the wrong place."""

import pytest

from pgboxtest import messages
from pgboxtest.imap import Literal
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


@pytest.fixture
def copier(frontend_a, user):
    """A session that has a mail selected, and has copied to and appended to Archive."""
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.ok("CREATE Archive")
        imap.select("INBOX")
        imap.ok("COPY 1 Archive")
        imap.append("Archive", messages.numbered(2))
        yield imap


def test_folder_replaced(frontend_a, frontend_b, user, copier):
    with frontend_b.imap(user) as other:
        other.ok("RENAME Archive old")
        other.ok("CREATE Archive")
        copier.ok("COPY 1 Archive")
        other.ok("DELETE Archive")
        other.ok("CREATE Archive")
        copier.append("Archive", messages.numbered(3))
        copier.ok("COPY 1 Archive")
    assert subjects(frontend_a, user, "old") == [b"1", b"2"]
    assert subjects(frontend_b, user, "Archive") == [b"3", b"1"]


def reason(answer):
    """The text without how long it took."""
    return answer.status.text.split(b" (")[0]


@pytest.mark.parametrize("gone", ["RENAME Archive old", "DELETE Archive"])
def test_folder_gone(frontend_b, user, copier, gone):
    """The client hears that it may create the folder, as if it had never been there."""
    with frontend_b.imap(user) as other:
        other.ok(gone)
    answers = [copier.command("COPY 1 Archive"), copier.command("COPY 1 none"),
               copier.command("MOVE 1 Archive"),
               copier.command("APPEND Archive ", Literal(messages.numbered(3)))]
    for answer in answers:
        assert answer.status.word == "NO"
        assert answer.status.code_name() == "TRYCREATE"
        assert reason(answer).replace(b"Archive", b"none") == reason(answers[1])
    copier.ok("CREATE Archive")
    copier.ok("MOVE 1 Archive")
    assert subjects(frontend_b, user, "Archive") == [b"1"]


def test_folder_gone_while_known(frontend_a, frontend_b, user, copier):
    """An APPEND learns at its end that the folder is gone."""
    with frontend_b.imap(user) as other:
        other.ok("DELETE Archive")
    answer = copier.command("APPEND Archive ", Literal(messages.numbered(3)))
    assert answer.status.word == "NO"
    assert answer.status.code_name() == "TRYCREATE"
    with frontend_a.imap(user) as other:
        other.ok("CREATE Archive")
    copier.append("Archive", messages.numbered(4))
    assert subjects(frontend_b, user, "Archive") == [b"4"]


def test_many_users(lab, frontend_a):
    users = [lab.new_user(f"many-{number}") for number in range(5)]
    with LmtpClient(frontend_a.lmtp_port) as lmtp:
        for number in range(3):
            answers = lmtp.deliver(users, messages.numbered(number))
            assert [code for code, _text in answers] == [250] * 5
    for name in users:
        assert subjects(frontend_a, name, "INBOX") == [b"0", b"1", b"2"]
