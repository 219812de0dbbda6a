"""Flags and keywords: what may differ from sdbox in the differential test, but must hold."""

import random

import pytest

from pgboxtest import messages

KEYWORDS = ["Work", "$Forwarded", "NonJunk", "a.b-c", "UTF-8?", "x" * 50]


def known_flags(selected):
    """The flags that SELECT names in FLAGS, and in PERMANENTFLAGS."""
    return set(selected.named("FLAGS")[0][0]), set(selected.code("PERMANENTFLAGS")[0])


def test_keywords_in_use_are_announced(frontend_a, frontend_b, user):
    used = {keyword.encode() for keyword in KEYWORDS}
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1), KEYWORDS[:3])
        imap.select("INBOX")
        imap.ok(f"STORE 1 +FLAGS ({' '.join(KEYWORDS[3:])})")
    for server in (frontend_a, frontend_b):
        with server.imap(user) as imap:
            flags, permanent = known_flags(imap.select("INBOX"))
            assert used <= flags and used <= permanent and b"\\*" in permanent
            assert used <= set(imap.fetch("1", "FLAGS")[1]["FLAGS"])


def test_new_keyword_of_other_frontend_is_announced_first(frontend_a, frontend_b, user):
    """An open session gets a FLAGS response before a FETCH has a keyword it does not know."""
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        one.append("INBOX", messages.numbered(1))
        one.select("INBOX")
        two.select("INBOX")
        two.ok("STORE 1 +FLAGS (Brand-New)")
        answers = one.ok("NOOP").untagged
        announced = [index for index, answer in enumerate(answers)
                     if isinstance(answer, list) and answer[0] == b"FLAGS"
                     and b"Brand-New" in answer[1]]
        fetched = [index for index, answer in enumerate(answers)
                   if isinstance(answer, list) and answer[1:2] == [b"FETCH"]]
        assert announced and fetched and announced[0] < fetched[0], answers


def test_keywords_keep_their_case_and_are_one_in_any(server, user):
    with server.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1), ["Mixed"])
        imap.append("INBOX", messages.numbered(2))
        imap.select("INBOX")
        imap.ok("STORE 2 +FLAGS (mIXED)")
        assert imap.search("KEYWORD MIXED") == [1, 2]
        assert b"Mixed" in imap.fetch("2", "FLAGS")[2]["FLAGS"]
        imap.ok("STORE 1:2 -FLAGS (MIXED)")
        assert imap.search("KEYWORD Mixed") == []


def test_many_keywords(server, user):
    """More than the 32 of one bitmap word, on one mail and over many."""
    names = [f"keyword{number}" for number in range(100)]
    with server.imap(user) as imap:
        for number in range(5):
            imap.append("INBOX", messages.numbered(number), names[number::5])
        imap.select("INBOX")
        imap.ok(f"STORE 1 FLAGS ({' '.join(names)})")
    with server.imap(user) as imap:
        imap.select("INBOX")
        fetched = imap.fetch("1:*", "FLAGS")
        assert set(fetched[1]["FLAGS"]) == {name.encode() for name in names}
        assert set(fetched[3]["FLAGS"]) == {name.encode() for name in names[2::5]}


@pytest.mark.parametrize("silent", ["", ".SILENT"])
def test_recent_is_given_to_one_session(frontend_a, frontend_b, user, silent):
    """\\Recent goes to exactly one of two sessions, and a STORE does not change that."""
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        with frontend_a.imap(user) as other:
            for number in range(5):
                other.append("INBOX", messages.numbered(number))
        one.select("INBOX")
        two.select("INBOX")
        one.ok(f"STORE 1:2 +FLAGS{silent} (\\Seen)")
        recent = [b"\\Recent" in values["FLAGS"] for client in (one, two)
                  for values in client.fetch("1:*", "FLAGS").values()]
        assert recent == [True] * 5 + [False] * 5


def test_search_of_one_flags_modseq(server, user):
    """RFC 7162 lets a server answer for the whole mail, but never leave out the mail."""
    with server.imap(user, enable=["CONDSTORE"]) as imap:
        for number in range(3):
            imap.append("INBOX", messages.numbered(number))
        imap.select("INBOX")
        imap.ok("STORE 1 +FLAGS (\\Seen Work)")
        imap.ok("STORE 3 +FLAGS (\\Seen Work)")
        modseq, = imap.fetch("1", "MODSEQ")[1]["MODSEQ"]
        for entry in ("/flags/\\\\seen", "/flags/work"):
            assert imap.search(f'MODSEQ "{entry}" all {int(modseq)}') == [1, 3]
            assert imap.search(f'NOT MODSEQ "{entry}" all {int(modseq) + 1} SEEN') == [1]


def random_store(choice, highest):
    """A STORE of a few ranges, of any kind."""
    uids = ",".join(f"{first}:{first + choice.randrange(8)}"
                    for first in choice.sample(range(1, 41), choice.randrange(1, 4)))
    condition = choice.choice(["", "", f"(UNCHANGEDSINCE {highest - choice.randrange(3) * 65536}) "])
    what = choice.choice(["+FLAGS", "-FLAGS", "FLAGS", "+FLAGS", "-FLAGS"])
    silent = choice.choice(["", ".SILENT"])
    flags = " ".join(choice.sample(["\\Seen", "\\Flagged", "\\Draft", "Word", "word2", "Third"],
                                   choice.randrange(1, 4)))
    return f"UID STORE {uids} {condition}{what}{silent} ({flags})"


@pytest.mark.parametrize("seed", range(3))
def test_own_changes_are_those_that_others_see(frontend_a, frontend_b, user, seed):
    """A session that was up to date does not ask what became of its own change."""
    choice = random.Random(seed)
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        for number in range(40):
            one.append("INBOX", messages.numbered(number))
        one.select("INBOX")
        one.ok("STORE 5:9,20,33 +FLAGS.SILENT (\\Deleted)")
        one.ok("EXPUNGE")
        two.ok("SELECT INBOX (CONDSTORE)")
        for number in range(40):
            highest = one.status("INBOX", "HIGHESTMODSEQ")["HIGHESTMODSEQ"]
            command = random_store(choice, highest)
            (two if number % 7 == 6 else one).ok(command)
            for imap in (one, two):
                imap.ok("NOOP")
            own = one.fetch("1:*", "UID FLAGS MODSEQ")
            others = two.fetch("1:*", "UID FLAGS MODSEQ")
            for values in (*own.values(), *others.values()):
                values["FLAGS"] = set(values["FLAGS"]) - {b"\\Recent"}
            assert own == others, command
