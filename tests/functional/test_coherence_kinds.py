"""The database decides: what follows from the rule of test_coherence.py for other protocols,
accounts and folders, and for what a session is told."""

import os
import shutil

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.imap import ConnectionLost, Literal
from pgboxtest.lmtp import LmtpClient
from pgboxtest.pair import Pair, TwoSessions, hosts_of_kind, plain

SCRIPT = """\
require ["fileinto", "imap4flags"];
fileinto :flags ["\\\\Flagged", "Sieved"] "t";
"""


@pytest.fixture(scope="module", params=Pair.KINDS)
def pair(lab, request):
    """Hosts with quota, Sieve and a public namespace."""
    kind = request.param
    backend = "sdbox" if kind == "sdbox" else lab.tested
    account = lab.new_user("public")
    path = f"{lab.directory}/{account}-{backend}"
    os.makedirs(path)
    shutil.chown(path, MAIL_USER, MAIL_USER)
    extra = config.quota(storage=10**9) + config.sieve() + config.namespace(
        "public", "Public/", config.Location(backend, path),
        account=account if backend == "pgbox" else None,
        more="type = public\nsubscriptions = no\n")
    with hosts_of_kind(lab, kind, "kinds", mail_plugins=["quota"], delivery_plugins=["sieve"],
                       metadata=True, extra=extra) as hosts:
        yield hosts


@pytest.fixture
def two(pair, user):
    sessions = TwoSessions(pair, user)
    yield sessions
    sessions.close()


def flags_told(result, number=1):
    """The flags of a mail in each untagged FETCH that tells some."""
    return [plain(args[0][args[0].index(b"FLAGS") + 1])
            for told, args in result.numbered("FETCH") if told == number and b"FLAGS" in args[0]]


# --- another account's folder


@pytest.mark.parametrize("copy", ["COPY", "MOVE"])
def test_copy_to_another_account(two, copy):
    """Its octets are copied, its flags are those of the row."""
    name = f"Public/{two.user}"
    two.a.ok(f"CREATE {name}")
    two.b.ok("STORE 1 +FLAGS (\\Seen \\Flagged New)")
    two.a.ok(f"{copy} 1 {name}")
    assert two.mails(name) == [(1, {"\\Seen", "\\Flagged", "New"})]


@pytest.mark.parametrize("gone", ["DELETE", "RENAME"])
def test_folder_of_another_account_is_gone(two, gone):
    name = f"Public/{two.user}"
    two.a.ok(f"CREATE {name}")
    two.a.ok(f"COPY 1 {name}")
    two.b.ok(f"{gone} {name}" + (f" {name}-old" if gone == "RENAME" else ""))
    refused = two.a.command(f"COPY 1 {name}")
    assert (refused.status.word, refused.status.code_name()) == ("NO", "TRYCREATE")
    two.a.ok("NOOP")
    two.b.ok(f"CREATE {name}")
    two.a.ok(f"COPY 2 {name}")
    assert two.mails(name) == [(2, set())]


# --- POP3


@pytest.fixture
def popped(two, pair):
    """INBOX with three mails, and a POP3 session on the first host that knows them."""
    for number in (1, 2, 3):
        two.a.append("INBOX", messages.numbered(number), ["Old"])
    two.b.select("INBOX")
    with pair.hosts[0].pop3(two.user) as pop3:
        assert len(pop3.sizes()) == 3
        yield pop3


def test_pop3_deletes_what_another_host_changed(two, popped):
    popped.command("DELE 1")
    popped.retrieve(2)
    two.b.ok("STORE 1 +FLAGS (\\Flagged)")
    two.b.ok("STORE 2 FLAGS (\\Answered New)")
    two.b.ok("STORE 3 +FLAGS (\\Deleted)")  # of IMAP; POP3 has its own
    popped.quit()
    assert two.mails("INBOX") == [(2, {"\\Answered", "New", "\\Seen"}), (3, {"Old", "\\Deleted"})]


def test_pop3_deletes_what_another_host_expunged(two, popped):
    popped.command("DELE 1")
    popped.command("DELE 2")
    two.b.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("EXPUNGE")
    popped.quit()
    assert two.mails("INBOX") == [(3, {"Old"})]


# --- doveadm


def doveadm(two, command, *arguments):
    two.pair.hosts[0].doveadm(*command.split(), "-u", two.user, *arguments)


def test_doveadm_expunge(two):
    """It takes what is \\Deleted now."""
    two.a.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("NOOP")
    two.b.ok("STORE 1 -FLAGS (\\Deleted)")
    two.b.ok("STORE 2 +FLAGS (\\Deleted)")
    doveadm(two, "expunge", "mailbox", "w", "DELETED")
    assert two.mails("w") == [(1, set())]


def test_doveadm_copy_and_move(two):
    two.b.ok("STORE 1:2 +FLAGS (\\Flagged New)")
    doveadm(two, "copy", "t", "mailbox", "w", "FLAGGED")
    assert two.mails("t") == [(1, {"\\Flagged", "New"}), (2, {"\\Flagged", "New"})]
    two.b.ok("STORE 1 FLAGS (Other)")
    doveadm(two, "move", "t", "mailbox", "w", "KEYWORD", "Other")
    assert two.mails("t")[2:] == [(1, {"Other"})]
    assert two.mails("w") == [(2, {"\\Flagged", "New"})]


def test_doveadm_flags(two):
    two.b.ok("STORE 1 +FLAGS (\\Flagged New)")
    doveadm(two, "flags add", "\\Answered", "mailbox", "w", "KEYWORD", "New")
    assert two.mails("w") == [(1, {"\\Flagged", "\\Answered", "New"}), (2, set())]
    two.b.ok("STORE 2 +FLAGS (Late)")
    doveadm(two, "flags remove", "\\Flagged Late", "mailbox", "w", "ALL")
    assert two.mails("w") == [(1, {"\\Answered", "New"}), (2, set())]


# --- Sieve


@pytest.mark.parametrize("anew", [True, False])
def test_sieve_files_into_a_folder_that_is_renamed(two, pair, anew):
    """Nothing is lost: to the new folder of this name, else to INBOX."""
    home = pair.hosts[0].user_home(two.user)
    with open(os.path.join(home, ".dovecot.sieve"), "w", encoding="utf-8") as script:
        script.write(SCRIPT)
    shutil.chown(script.name, MAIL_USER, MAIL_USER)
    with LmtpClient(pair.hosts[0].lmtp_port) as lmtp:
        assert lmtp.deliver(two.user, messages.numbered(1))[0] == 250
        two.b.ok("RENAME t old")
        if anew:
            two.b.ok("CREATE t")
        for number in (2, 3):
            assert lmtp.deliver(two.user, messages.numbered(number))[0] == 250
    flags = {"\\Flagged", "Sieved"}
    assert two.mails("old") == [(1, flags)]
    if anew:
        assert two.mails("t") == [(2, flags), (3, flags)]
    else:
        assert two.mails("INBOX") == [(2, set()), (3, set())]


# --- what STORE tells


@pytest.mark.parametrize("uid", ["", "UID "])
def test_store_tells_the_flags_as_they_are_now(two, uid):
    two.b.ok("STORE 1 +FLAGS (\\Flagged New)")
    assert flags_told(two.a.ok(f"{uid}STORE 1 +FLAGS (\\Seen)"))[-1] == \
        {"\\Flagged", "New", "\\Seen"}
    two.b.ok("STORE 1 -FLAGS (\\Flagged)")
    assert flags_told(two.a.ok(f"{uid}STORE 1 +FLAGS (\\Draft)"))[-1] == \
        {"New", "\\Seen", "\\Draft"}


def test_store_that_changes_nothing_tells_the_flags(two):
    """The other session was faster with the same change."""
    two.b.ok("STORE 1 +FLAGS (\\Seen New)")
    assert flags_told(two.a.ok("STORE 1 +FLAGS (\\Seen)"))[-1] == {"\\Seen", "New"}


def test_silent_store_hides_only_its_own_change(two):
    """Of other mails, and of the same one, others' changes are told, now or next time."""
    two.b.ok("STORE 1:2 +FLAGS (\\Flagged New)")
    two.settle()
    stored, noop = two.a.ok("STORE 1 +FLAGS.SILENT (\\Seen)"), two.a.ok("NOOP")
    assert flags_told(noop, 2) + flags_told(stored, 2) == [{"\\Flagged", "New"}]
    assert flags_told(stored, 1) + flags_told(noop, 1) == [{"\\Flagged", "New", "\\Seen"}]
    # and its own is hidden
    assert not flags_told(two.a.ok("STORE 2 +FLAGS.SILENT (\\Draft)"), 2)
    assert not flags_told(two.a.ok("NOOP"), 2)


# --- sessions and folders that they have not selected

USES = [("COPY 1 t",), ("MOVE 2 t",), ("APPEND t ", Literal(messages.numbered(3))),
        ("STATUS t (MESSAGES)",), ("GETMETADATA t (/private/comment)",),
        ("SETMETADATA t (/private/comment mine)",), ('LIST "" "*" RETURN (STATUS (MESSAGES))',),
        ("SUBSCRIBE t",), ("CREATE t/child",), ("RENAME t u",), ("DELETE t",)]
GONE = {"DELETE": ["DELETE t"], "RENAME": ["RENAME t other"],
        "replaced": ["DELETE t", "CREATE t"], "swapped": ["RENAME t other", "RENAME w t"]}


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0].split()[0])
@pytest.mark.parametrize("gone", GONE)
def test_no_session_ends_because_of_another_folder(two, use, gone):
    """What it did with it before, it tries once more when somebody has taken it away."""
    two.a.ok("COPY 1 t")
    two.a.ok("SELECT INBOX" if gone == "swapped" else "SELECT w")
    two.a.append("t", messages.numbered(3))
    two.b.ok("UNSELECT")
    for command in GONE[gone]:
        two.b.ok(command)
    two.settle()
    try:
        two.a.command(*use)
        for _ in range(2):
            two.a.ok("NOOP")
            two.a.ok("SEARCH ALL")
    except ConnectionLost as lost:
        pytest.fail(f"the session ended: {lost.untagged}")
