"""The database decides: what a session does, and what it is told, when others change the mailbox.

Two sessions on two hosts that share nothing but the database must end where two sessions on one
sdbox do.  What decides is committed, not what the frontend's index knows.
"""

import pytest

from pgboxtest import config, messages
from pgboxtest.imap import Literal
from pgboxtest.lmtp import LmtpClient
from pgboxtest.pair import Pair, TwoSessions, hosts_of_kind, plain

INBOX_COMMENT = "GETMETADATA INBOX (/private/comment /shared/comment)"


@pytest.fixture(scope="module", params=Pair.KINDS)
def pair(lab, request):
    """The plugins read rows of mailboxes before the command does, which must not confuse it."""
    plugins = ["quota", "acl"] if request.param == "notified" else ["quota"]
    extra = config.quota(storage=10**9) + (config.acl() if "acl" in plugins else "")
    with hosts_of_kind(lab, request.param, "coherent", metadata=True, mail_plugins=plugins,
                       extra=extra) as hosts:
        yield hosts


@pytest.fixture
def two(pair, user):
    sessions = TwoSessions(pair, user)
    yield sessions
    sessions.close()


def goes_on(client, count=2):
    """The session has not ended, and has selected what it had."""
    result = client.ok("NOOP")
    assert result.numbered("EXISTS") == []
    assert len(client.search("ALL")) == count


def is_refused(result, code):
    assert result.status.word == "NO", result
    assert result.status.code_name() == code, result


# --- 1 and 2: what is expunged

EXPUNGES = ["EXPUNGE", "UID EXPUNGE 1:*", "CLOSE"]


@pytest.mark.parametrize("change,flags", [("-FLAGS (\\Deleted)", set()), ("FLAGS (New)", {"New"})])
@pytest.mark.parametrize("expunge", EXPUNGES)
def test_mail_that_is_not_deleted_any_more_stays(two, expunge, change, flags):
    """The first case: here mail was lost."""
    two.a.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("NOOP")
    two.b.ok(f"STORE 1 {change}")
    two.a.ok(expunge)
    assert two.mails("w") == [(1, flags), (2, set())]


@pytest.mark.parametrize("flags", ["\\Deleted", "\\Deleted New"])
@pytest.mark.parametrize("expunge", EXPUNGES)
def test_mail_that_is_deleted_elsewhere_goes(two, expunge, flags):
    """The second case; also with a keyword that a does not know"""
    two.b.ok(f"STORE 2 +FLAGS ({flags})")
    two.a.ok(expunge)
    assert two.mails("w") == [(1, set())]


@pytest.mark.parametrize("expunge", EXPUNGES)
def test_mail_that_is_deleted_with_a_new_keyword_goes(two, expunge):
    """What is new to the index must not hide that there is something to expunge."""
    two.b.ok("STORE 2 +FLAGS (\\Deleted New)")
    two.a.ok("CREATE other")
    two.a.ok(expunge)
    assert two.mails("w") == [(1, set())]


@pytest.mark.parametrize("expunge", EXPUNGES)
def test_of_two_mails_one_stays_and_one_goes(two, expunge):
    """Both at once"""
    two.a.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("NOOP")
    two.b.ok("STORE 1 -FLAGS (\\Deleted)")
    two.b.ok("STORE 2 +FLAGS (\\Deleted)")
    two.a.ok(expunge)
    assert two.mails("w") == [(1, set())]


# --- 3: flags of copies

CHANGES = {
    "flags": ("STORE 1 +FLAGS (\\Seen \\Flagged)", {"\\Seen", "\\Flagged", "Old"}),
    "keyword": ("STORE 1 +FLAGS (New)", {"New", "Old"}),
    "taken": ("STORE 1 -FLAGS (Old)", set()),
    "replaced": ("STORE 1 FLAGS (\\Answered Other)", {"\\Answered", "Other"}),
}


@pytest.mark.parametrize("copy,change", [
    ("COPY 1 t", "flags"), ("COPY 1 t", "keyword"), ("COPY 1 t", "taken"), ("COPY 1 t", "replaced"),
    ("UID COPY 1 t", "keyword"), ("COPY 1 w", "flags"), ("COPY 1 w", "replaced"),
    ("MOVE 1 t", "keyword"), ("MOVE 1 t", "replaced")])
def test_copy_has_the_flags_of_other_hosts(pair, user, copy, change):
    """The third case"""
    command, flags = CHANGES[change]
    two = TwoSessions(pair, user, flags=["Old"])
    two.b.ok(command)
    two.a.ok(copy)
    assert two.mails(copy[-1])[-1] == (1, flags)
    two.close()


# --- 4: mails to copy that are gone


@pytest.mark.parametrize("copy", ["COPY 1:2 t", "UID COPY 1:2 t", "COPY 1 t"])
def test_copy_of_an_expunged_mail(two, copy):
    """The fourth case: all or nothing (RFC 3501, 6.4.7)"""
    two.b.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("EXPUNGE")
    is_refused(two.a.command(copy), "EXPUNGEISSUED")
    goes_on(two.a, 1)
    two.a.ok("COPY 1 t")
    assert two.mails("t") == [(2, set())]


@pytest.mark.parametrize("verb", ["MOVE", "UID MOVE"])
def test_move_of_an_expunged_mail(two, verb):
    two.b.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("EXPUNGE")
    is_refused(two.a.command(f"{verb} 1:2 t"), "EXPUNGEISSUED")
    goes_on(two.a, 1)
    assert two.mails("w") == [(2, set())]
    assert two.mails("t") == []


# --- 5 and 6: folders that go

ADDITIONS = {"COPY": ("COPY 1 X",), "MOVE": ("MOVE 1 X",),
             "APPEND": ("APPEND X ", Literal(messages.numbered(1)))}
# where the session is that deletes or renames folder X, to which a has copied
REMOVALS = [("itself", "DELETE X"), ("itself", "RENAME X Y"), ("same host", "RENAME X Y"),
            ("other host", "DELETE X"), ("other host", "RENAME X Y")]


def session_of(two, where):
    return {"itself": two.a, "same host": two.session(0), "other host": two.b}[where]


@pytest.fixture
def copied(two):
    two.a.ok("CREATE X")
    two.a.ok("COPY 2 X")
    return two


@pytest.mark.parametrize("where,gone", REMOVALS)
@pytest.mark.parametrize("addition", ADDITIONS)
def test_folder_that_is_gone(copied, where, gone, addition):
    """The fifth case"""
    session_of(copied, where).ok(gone)
    for _ in range(2):
        is_refused(copied.a.command(*ADDITIONS[addition]), "TRYCREATE")
        goes_on(copied.a)
    copied.a.ok("CREATE X")
    copied.a.ok(*ADDITIONS[addition])
    assert copied.mails("X") == [(1, set())]


@pytest.mark.parametrize("where,gone", REMOVALS)
@pytest.mark.parametrize("addition", ADDITIONS)
def test_folder_that_is_another_one(copied, where, gone, addition):
    """The sixth case"""
    remover = session_of(copied, where)
    remover.ok(gone)
    remover.ok("CREATE X")
    copied.a.ok(*ADDITIONS[addition])
    goes_on(copied.a, 1 if addition == "MOVE" else 2)
    assert copied.mails("X") == [(1, set())]
    if gone == "RENAME X Y":
        assert copied.mails("Y") == [(2, set())]


# --- 7 and 8: an INBOX that was renamed


def rename_inbox(two, where, look=True):
    session_of(two, where).ok("RENAME INBOX old")
    if look:
        two.a.ok("STATUS INBOX (MESSAGES)")


RENAMERS = ["itself", "same host", "other host"]


@pytest.mark.parametrize("where", RENAMERS)
@pytest.mark.parametrize("addition", ADDITIONS)
def test_new_inbox(two, addition, where):
    """The seventh case"""
    two.a.ok("COPY 2 INBOX")
    rename_inbox(two, where)
    parts = [part.replace("X", "INBOX") if isinstance(part, str) else part
             for part in ADDITIONS[addition]]
    two.a.ok(*parts)
    goes_on(two.a, 1 if addition == "MOVE" else 2)
    assert two.mails("INBOX") == [(1, set())]
    assert two.mails("old") == [(2, set())]


@pytest.mark.parametrize("where", RENAMERS)
def test_delivery_to_a_new_inbox(two, pair, where):
    """The seventh case: an LMTP connection that has delivered before"""
    with LmtpClient(pair.hosts[0].lmtp_port) as lmtp:
        assert lmtp.deliver(two.user, messages.numbered(1))[0] == 250
        rename_inbox(two, where)
        for number in (2, 3):
            assert lmtp.deliver(two.user, messages.numbered(number))[0] == 250
    assert two.mails("old") == [(1, set())]
    assert two.mails("INBOX") == [(2, set()), (3, set())]


@pytest.mark.parametrize("where", RENAMERS)
def test_metadata_of_a_new_inbox(two, where):
    """The eighth case; nobody has looked at the new INBOX before."""
    two.a.ok(INBOX_COMMENT)
    rename_inbox(two, where, look=False)
    for _ in range(2):
        told = two.a.ok(INBOX_COMMENT).named("METADATA")
        assert [value for args in told for value in args[1][1::2]] in ([], [None, None])
    two.a.ok("SETMETADATA INBOX (/private/comment mine)")
    assert two.b.ok(INBOX_COMMENT).named("METADATA")


@pytest.mark.parametrize("where", RENAMERS)
def test_metadata_list_of_a_new_inbox(two, pair, where):
    """The eighth case, for an admin"""
    pair.hosts[0].doveadm("mailbox", "metadata", "list", "-u", two.user, "INBOX")
    rename_inbox(two, where, look=False)
    pair.hosts[0].doveadm("mailbox", "metadata", "list", "-u", two.user, "INBOX")


# --- 9 to 11: a session's own changes, in commands that are sent in one write

COPIES = ["COPY 1 t", "MOVE 1 t", "COPY 1 w"]


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("store", ["STORE 1 FLAGS (kwB)", "STORE 1 FLAGS.SILENT (kwB)"])
def test_copy_right_behind_a_new_keyword(pair, user, store, copy):
    """The ninth case"""
    two = TwoSessions(pair, user, flags=["kwA"])
    stored, copied = two.a.pipelined(store, copy)
    assert stored.ok and copied.ok
    assert two.mails(copy[-1])[-1] == (1, {"kwB"})
    two.close()


SEARCHES = {
    "SEARCH": "SEARCH KEYWORD kwB",
    "UID SEARCH": "UID SEARCH UNKEYWORD kwA KEYWORD kwB",
    "SORT": "SORT (ARRIVAL) US-ASCII KEYWORD kwB",
    "THREAD": "THREAD REFERENCES US-ASCII KEYWORD kwB",
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("store", ["STORE 1 FLAGS (kwB)", "STORE 1 FLAGS.SILENT (kwB)"])
def test_search_right_behind_a_new_keyword(pair, user, store, search):
    """The tenth case"""
    two = TwoSessions(pair, user, flags=["kwA"])
    stored, found = two.a.pipelined(store, SEARCHES[search])
    assert stored.ok and found.ok
    assert found.named(search.split()[-1]) == [[[b"1"]] if search == "THREAD" else [b"1"]]
    two.close()


@pytest.mark.parametrize("uid", ["UID ", ""])
@pytest.mark.parametrize("store", ["STORE 1 FLAGS (kwA)", "STORE 1 FLAGS.SILENT (kwA)"])
def test_fetch_right_behind_a_new_keyword(two, store, uid):
    """The eleventh case: what sets \\Seen tells the other flags too"""
    stored, fetched = two.a.pipelined(uid + store, f"{uid}FETCH 1 (BODY[])")
    assert stored.ok and fetched.ok
    told = [plain(args[0][args[0].index(b"FLAGS") + 1])
            for number, args in fetched.numbered("FETCH") if number == 1 and b"FLAGS" in args[0]]
    assert told and told[-1] == {"\\Seen", "kwA"}


@pytest.mark.parametrize("flags", ["\\Deleted", "\\Deleted New"])
@pytest.mark.parametrize("expunge", EXPUNGES)
def test_expunge_right_behind_a_store(two, expunge, flags):
    """A session sees its own changes."""
    stored, expunged = two.a.pipelined(f"STORE 1 +FLAGS.SILENT ({flags})", expunge)
    assert stored.ok and expunged.ok
    assert two.mails("w") == [(2, set())]


@pytest.mark.parametrize("first", ["NOOP", "CREATE X", "DELETE none", "STATUS t (MESSAGES)"])
@pytest.mark.parametrize("expunge", EXPUNGES[:2])
def test_expunge_right_behind_another_command(two, first, expunge):
    """The second case, whatever the session has just asked"""
    two.b.ok("STORE 2 +FLAGS (\\Deleted)")
    two.a.pipelined(first, expunge)
    assert two.mails("w") == [(1, set())]


@pytest.mark.parametrize("expunge", EXPUNGES)
def test_expunge_right_behind_a_store_that_knew_less(two, expunge):
    """The index did not have what the other session changed before."""
    two.b.ok("STORE 1:2 +FLAGS (\\Flagged)")
    stored, expunged = two.a.pipelined("STORE 1:2 +FLAGS.SILENT (\\Deleted)", expunge)
    assert stored.ok and expunged.ok
    assert two.mails("w") == []


# --- 12: what reading commands tell

READINGS = {
    "FETCH": ("STORE 1 +FLAGS (\\Flagged)", "FETCH 1 (FLAGS)"),
    "UID FETCH": ("STORE 1 +FLAGS (New)", "UID FETCH 1:* (UID FLAGS)"),
    "SEARCH flag": ("STORE 1 +FLAGS (\\Flagged)", "SEARCH FLAGGED"),
    "SEARCH flag beside a keyword": ("STORE 1 +FLAGS (\\Flagged New)", "SEARCH FLAGGED"),
    "FETCH beside a keyword": ("STORE 1 +FLAGS (\\Flagged New)", "FETCH 1 (FLAGS)"),
    "SEARCH keyword": ("STORE 1 +FLAGS (New)", "SEARCH KEYWORD New"),
    "SEARCH without": ("STORE 2 +FLAGS (\\Seen)", "SEARCH UNSEEN"),
    "SORT": ("STORE 1 +FLAGS (\\Flagged)", "SORT (ARRIVAL) US-ASCII FLAGGED"),
    "SORT keyword": ("STORE 1 +FLAGS (New)", "SORT (SUBJECT) US-ASCII KEYWORD New"),
    "THREAD": ("STORE 1 +FLAGS (\\Flagged)", "THREAD REFERENCES US-ASCII FLAGGED"),
}


def has_new_flag(args):
    flags = plain(args[0][args[0].index(b"FLAGS") + 1]) if b"FLAGS" in args[0] else set()
    return bool(flags & {"\\Flagged", "\\Seen", "New"})


def tells_the_change(result):
    """By the answer itself, or by what is announced with it."""
    found = [args for name in ("SEARCH", "SORT", "THREAD") for args in result.named(name)]
    return found in ([[b"1"]], [[[b"1"]]]) or any(map(has_new_flag, dict(result.numbered("FETCH"))
                                                      .values()))


@pytest.mark.parametrize("reading", READINGS)
def test_reading_tells_what_another_host_changed(two, reading):
    """The twelfth case"""
    change, command = READINGS[reading]
    two.b.ok(change)
    two.settle()
    assert tells_the_change(two.a.ok(command))
    again = two.a.ok(command)
    if "FETCH" in reading:
        assert any(map(has_new_flag, dict(again.numbered("FETCH")).values()))
    else:
        assert again.named(reading.split()[0]) in ([[b"1"]], [[[b"1"]]])


def test_status_tells_what_another_host_changed(two):
    """The twelfth case, for a folder that is not selected"""
    two.b.ok("SELECT t")
    two.a.ok("STATUS t (MESSAGES UNSEEN)")
    two.b.append("t", messages.numbered(3))
    two.b.append("t", messages.numbered(4))
    two.b.ok("STORE 1 +FLAGS (\\Seen)")
    two.settle()
    assert two.a.status("t", "MESSAGES UNSEEN") == {"MESSAGES": 2, "UNSEEN": 1}


@pytest.mark.parametrize("reading", ["FETCH 2 (FLAGS)", "SEARCH ALL", "SORT (SIZE) US-ASCII ALL"])
def test_reading_announces_new_mails_and_expunges(two, reading):
    """At its end; numbers must not change in a FETCH or SEARCH, so expunges come later."""
    two.b.append("w", messages.numbered(3))
    two.settle()
    assert two.a.ok(reading).numbered("EXISTS") == [(3, [])]
    two.b.ok("STORE 1 +FLAGS (\\Deleted)")
    two.b.ok("EXPUNGE")
    two.settle()
    assert two.a.ok(reading).numbered("EXPUNGE") == []
    assert two.a.ok("NOOP").numbered("EXPUNGE") == [(1, [])]
