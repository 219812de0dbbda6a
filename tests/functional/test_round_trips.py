"""How many statements an operation costs: each one is a round trip to the database.

Bounds, where an exact number would only describe today's batches, are far below one per mail.
"""

import pytest

from pgboxtest import config, messages
from pgboxtest.lmtp import LmtpClient
from pgboxtest.services import notified_frontends
from pgboxtest.statements import StatementLog, changes

MAILS = 500
FOLDERS = 50


@pytest.fixture(scope="module")
def statements(lab):
    if lab.tested != "pgbox":
        pytest.skip("only pgbox sends statements")
    log = StatementLog(lab.postgres)
    yield log
    log.close()


@pytest.fixture(scope="module")
def counted(lab, statements):  # pylint: disable=unused-argument
    """A frontend whose connections are new, so that their statements are logged."""
    with notified_frontends(lab, ["counted"]) as servers:
        yield servers[0]


@pytest.fixture(scope="module")
def filled(lab, counted):
    """An account with MAILS small mails."""
    user = lab.new_user("round-trips")
    generator = messages.Generator(7)
    with counted.imap(user) as imap:
        for _ in range(50):
            imap.append("INBOX", generator.message())
        imap.select("INBOX")
        while imap.status("INBOX", "MESSAGES")["MESSAGES"] < MAILS:
            imap.ok("COPY 1:50 INBOX")
    return user


@pytest.fixture
def imap(counted, filled):
    """A session in which the mails are selected and known."""
    with counted.imap(filled) as client:
        client.select("INBOX")
        client.fetch("1:*", "RFC822.SIZE")
        yield client


def count(statements, imap, *commands):
    """The statements of the last of the commands, which must all succeed."""
    for command in commands[:-1]:
        imap.ok(command)
    with statements.recorded() as sent:
        imap.ok(commands[-1])
    return sent


def test_delivery(counted, statements, user):
    counted.deliver(user, messages.numbered(1))
    with statements.recorded() as sent:
        code, _text = counted.deliver(user, messages.numbered(2))
    assert code == 250
    assert changes(sent) == ["mail-save-one"]
    # beside it: the connection, the account, the mailbox
    assert set(sent) <= {"session-begin", "account-open", "mailbox-by-name", "mail-save-one"}
    assert len(sent) == len(set(sent))


def test_delivery_to_two(lab, counted, statements):
    """Each recipient's mail is new: a copy would have what the first one did to his meanwhile."""
    users = [lab.new_user("recipient") for _ in range(2)]
    with LmtpClient(counted.lmtp_port) as lmtp:
        lmtp.deliver(users, messages.numbered(1))
        with statements.recorded() as sent:
            answers = lmtp.deliver(users, messages.numbered(2))
    assert [code for code, _text in answers] == [250, 250]
    assert changes(sent) == ["mail-save-one"] * 2


def test_append(statements, imap):
    with statements.recorded() as sent:
        imap.append("INBOX", messages.numbered(1))
    assert changes(sent) == ["mail-save-one"]
    assert len(sent) <= 3


@pytest.mark.parametrize("items", [
    "ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE INTERNALDATE X-GUID",
    "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "BODY.PEEK[HEADER]", "BODY.PEEK[1]", "BODY.PEEK[]",
    "UID FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[]"])
def test_fetch_with_cold_cache(counted, statements, filled, items):
    counted.clear_cache(filled)
    with counted.imap(filled) as imap:
        imap.select("INBOX")
        with statements.recorded() as sent:
            found = imap.fetch("1:*", items)
        assert len(found) >= MAILS
        assert 0 < len(sent) <= 12, sent
        with statements.recorded() as sent:
            imap.fetch("1:*", items)
        # the second time it is in the cache or in memory; a slow command looks for new mail
        assert set(sent) <= {"mailbox-sync"}


def test_flags_are_in_the_index(statements, imap):
    assert not count(statements, imap, "FETCH 1:* (UID FLAGS MODSEQ)")


def test_search_in_bodies(counted, statements, filled):
    """Of the text in the database, once it is there."""
    counted.clear_cache(filled)
    counted.doveadm("index", "-u", filled, "INBOX")
    with counted.imap(filled) as imap:
        imap.select("INBOX")
        with statements.recorded() as sent:
            assert imap.search("BODY thisisnowhere") == []
        assert len(sent) == 1, sent


def test_list_with_status(counted, statements, user):
    with counted.imap(user) as imap:
        for number in range(FOLDERS):
            imap.ok(f"CREATE folder{number}")
        tries = []
        for _ in range(3):
            with statements.recorded() as sent:
                found = imap.ok('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN '
                                "HIGHESTMODSEQ SIZE))")
            assert len(found.named("STATUS")) == FOLDERS + 1
            tries.append(sent)
        # rows that are too old are read again, which a slow command may see
        assert ["mailbox-list"] in tries
        assert all(set(sent) == {"mailbox-list"} for sent in tries)
        assert count(statements, imap, "STATUS folder7 (MESSAGES UNSEEN SIZE)") == [
            "mailbox-by-name"]


def test_select(counted, statements, filled, imap):
    imap.ok("NOOP")
    assert count(statements, imap, "SELECT INBOX") == ["mailbox-by-name"]
    with counted.imap(filled) as second:
        second.select("INBOX")
        second.ok("STORE 1 +FLAGS (\\Draft)")
    assert count(statements, imap, "UNSELECT", "SELECT INBOX") == [
        "mailbox-by-name", "mailbox-sync"]


def test_recent(statements, imap):
    """\\Recent is taken by the sync that finds the mails."""
    with statements.recorded() as sent:
        imap.append("INBOX", messages.numbered(1))
    assert sent == ["mail-save-one", "mailbox-sync"]
    imap.ok("CREATE recent")
    imap.append("recent", messages.numbered(1))
    with statements.recorded() as sent:
        answer = imap.ok("SELECT recent")
    assert sent == ["mailbox-by-name", "mailbox-sync"]
    assert [number for number, _ in answer.numbered("RECENT")] == [1]


def test_envelope_is_cached(statements, imap):
    """Also where Dovecot itself would only cache the headers that it is made of."""
    imap.ok("FETCH 1:50 (ENVELOPE RFC822.SIZE)")
    assert not count(statements, imap, "SELECT INBOX", "FETCH 1:50 (ENVELOPE RFC822.SIZE)")


def test_noop(statements, imap):
    assert count(statements, imap, "NOOP") == ["mailbox-sync"]


@pytest.mark.parametrize("command", [
    "STORE 1:500 +FLAGS (\\Seen)", "STORE 1:500 FLAGS.SILENT (\\Answered Word)",
    "STORE 1:500 (UNCHANGEDSINCE 9000000000000) +FLAGS.SILENT (\\Flagged)"])
def test_store(statements, imap, command):
    assert count(statements, imap, "STORE 1 FLAGS (Word)", "STORE 1:500 FLAGS ()", command) == [
        "mail-change"]


@pytest.mark.parametrize("command", [
    "STORE 7 +FLAGS (\\Seen)", "STORE 7 -FLAGS.SILENT (\\Seen)",
    "STORE 7 (UNCHANGEDSINCE 9000000000000) +FLAGS (\\Deleted)"])
def test_store_one(statements, imap, command):
    assert count(statements, imap, "STORE 7 FLAGS ()", command) == ["mail-flags-change"]


def test_store_when_others_change(frontend_b, statements, filled, imap):
    with frontend_b.imap(filled) as second:
        second.select("INBOX")
        second.ok("STORE 1 +FLAGS (Another)")
    assert count(statements, imap, "STORE 1:500 +FLAGS (\\Seen)") == [
        "mail-change", "mailbox-sync"]


def test_copy_move_and_expunge(counted, statements, filled, imap):
    imap.ok("CREATE other")
    imap.ok("CREATE third")
    sent = count(statements, imap, "COPY 1:500 other")
    assert changes(sent) == ["mail-copy"]
    assert len(sent) <= 3, sent
    with counted.imap(filled) as second:
        second.select("other")
        sent = count(statements, second, "MOVE 1:500 third")
        assert changes(sent) == ["mail-copy"]
        assert len(sent) <= 6, sent
        second.select("third")
        sent = count(statements, second, "STORE 1:500 +FLAGS.SILENT (\\Deleted)", "EXPUNGE")
        assert changes(sent) == ["mail-change"]
        assert len(sent) <= 3, sent


def test_known_destination(counted, statements, imap):
    imap.ok("CREATE known")
    assert count(statements, imap, "COPY 1 known", "COPY 1 known") == ["mail-copy"]
    with statements.recorded() as sent:
        imap.append("known", messages.numbered(1))
    assert sent == ["mail-save-one"]


def test_quota(lab, statements, filled):  # pylint: disable=unused-argument
    server = lab.dovecot("tested", "counted-quota", mail_plugins=["quota"],
                         imap_plugins=["imap_quota"],
                         extra=config.quota())
    with server.imap(filled) as imap:
        for number in range(10):
            imap.command(f"CREATE quota{number}")
        assert count(statements, imap, "NOOP", "GETQUOTAROOT INBOX") == ["mailbox-list"]
    server.stop()
