"""The files on a frontend are only a cache: losing them at any moment changes nothing."""

import contextlib

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost

ITEMS = "FLAGS MODSEQ INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE X-GUID SAVEDATE BODY.PEEK[]"
STATUS = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE X-GUID"


@pytest.fixture(scope="module")
def expected_log():
    """What Dovecot says of index files that disappear under an open session."""
    return [r"dovecot\.(index|list)\S* failed: No such file", r"dovecot\.index.*(deleted|vanished)"]


def state(server, user, mailbox="INBOX"):
    """Everything about a mailbox that must not depend on a cache."""
    with server.imap(user, enable=["QRESYNC"]) as imap:
        status = imap.status(mailbox, STATUS)
        selected = imap.select(mailbox)
        mails = imap.fetch("1:*", ITEMS)
        for values in mails.values():
            values["FLAGS"] = sorted(set(values["FLAGS"]) - {b"\\Recent"})
        since = [vanished(imap, modseq) for modseq in sorted(modseqs(mails))]
        return {"status": status, "mails": mails, "since": since,
                "uidvalidity": selected.code("UIDVALIDITY"),
                "highest": selected.code("HIGHESTMODSEQ")}


def modseqs(mails):
    return {int(values["MODSEQ"][0]) for values in mails.values()}


def vanished(imap, modseq):
    """UIDs and tombstones that changed since."""
    result = imap.ok(f"UID FETCH 1:* (UID) (CHANGEDSINCE {modseq} VANISHED)")
    return [args[1:] for args in result.named("VANISHED")], \
        [number for number, _args in result.numbered("FETCH")]


@pytest.fixture
def filled(frontend_a, user):
    """A mailbox with a history: several flags, keywords, dates, expunges, a copy."""
    generator = messages.Generator(3)
    with frontend_a.imap(user) as imap:
        imap.ok("CREATE other")
        for number in range(30):
            flags = ["\\Seen"] * (number % 2) + ["Work"] * (number % 3 == 0)
            imap.append("INBOX", generator.message(), flags, messages.imap_date(number))
        imap.select("INBOX")
        imap.ok("STORE 2,4,6 +FLAGS (\\Flagged Other)")
        imap.ok("STORE 3,7:9 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.ok("STORE 2 -FLAGS (Other)")
        imap.ok("COPY 1:5 INBOX")
        imap.ok("MOVE 1:3 other")
    return user


@pytest.mark.usefixtures("pgbox_only")
class TestLostCache:
    """What only makes sense where the cache is not the mail itself."""

    def test_deleted_between_sessions(self, frontend_a, filled):
        before = state(frontend_a, filled)
        frontend_a.clear_cache(filled)
        assert state(frontend_a, filled) == before

    def test_other_frontend_starts_empty(self, frontend_a, frontend_b, filled):
        assert state(frontend_b, filled) == state(frontend_a, filled)

    def test_in_memory(self, lab, frontend_a, filled):
        memory = lab.dovecot("tested", "memory", memory_index=True)
        assert state(memory, filled) == state(frontend_a, filled)
        with memory.imap(filled) as imap:
            assert imap.select("INBOX").code("NOMODSEQ") is None
        memory.stop()

    def test_deleted_under_a_session(self, frontend_a, frontend_b, filled):
        """The session may end, but nothing it says is wrong, and nothing is lost."""
        expected = state(frontend_b, filled)
        with frontend_a.imap(filled) as imap:
            imap.select("INBOX")
            frontend_a.clear_cache(filled, in_use=True)
            with contextlib.suppress(ConnectionLost):
                imap.command("NOOP")
                imap.command("STORE 1 +FLAGS ()")
        assert state(frontend_a, filled) == expected

    def test_left_behind(self, frontend_a, frontend_b, filled):
        """A cache that missed everything for a while catches up exactly."""
        state(frontend_b, filled)
        with frontend_a.imap(filled) as imap:
            for round_ in range(20):
                imap.append("INBOX", messages.numbered(round_), [f"kw{round_}"])
                imap.select("INBOX")
                imap.ok(f"STORE {round_ % 5 + 1} FLAGS (\\Deleted)")
                imap.ok("EXPUNGE")
        expected = state(frontend_a, filled)
        assert state(frontend_b, filled) == expected
        frontend_b.clear_cache(filled)
        assert state(frontend_b, filled) == expected

    def test_deleted_after_each_change(self, frontend_a, frontend_b, filled):
        changes = ["STORE 1:3 +FLAGS (\\Answered)", "STORE 2 +FLAGS (NewWord)", "COPY 1 INBOX",
                   "STORE 4 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "MOVE 2 other"]
        for change in changes:
            with frontend_a.imap(filled) as imap:
                imap.select("INBOX")
                imap.ok(change)
            with_cache = state(frontend_b, filled)
            frontend_a.clear_cache(filled)
            assert state(frontend_a, filled) == with_cache, change


def test_qresync_client_survives(frontend_a, frontend_b, filled):
    """A client that knew the mailbox before resynchronises on the other frontend."""
    with frontend_a.imap(filled, enable=["QRESYNC"]) as imap:
        selected = imap.select("INBOX")
        validity, = selected.code("UIDVALIDITY")
        highest, = selected.code("HIGHESTMODSEQ")
        uids = sorted(imap.fetch("1:*", "UID"))
        imap.ok(f"UID STORE {uids[0]} +FLAGS.SILENT (\\Deleted)")
        imap.ok(f"UID EXPUNGE {uids[0]}")
        imap.ok(f"UID STORE {uids[1]} +FLAGS (Late)")
    if frontend_b.backend == "pgbox":
        frontend_b.clear_cache(filled)
    with frontend_b.imap(filled, enable=["QRESYNC"]) as imap:
        result = imap.select("INBOX", f" (QRESYNC ({int(validity)} {int(highest)}))")
    assert [args[-1] for args in result.named("VANISHED")] == [b"%d" % uids[0]]
    changed = [dict(zip(args[0][::2], args[0][1::2])) for _n, args in result.numbered("FETCH")]
    assert [int(values[b"UID"]) for values in changed] == [uids[1]]
    assert b"Late" in changed[0][b"FLAGS"]
