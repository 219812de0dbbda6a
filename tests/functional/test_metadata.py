"""IMAP METADATA: entries of mailboxes and of the server, kept in the database by pgbox."""

import random
import string

import pytest

from pgboxtest import messages
from pgboxtest.imap import Literal, quote

LIMIT = 100_000


@pytest.fixture(scope="module", params=["sdbox", "tested"])
def pair(lab, request):
    """Two frontends with METADATA (for sdbox they share the files)."""
    servers = [lab.dovecot(request.param, f"metadata-{name}", metadata=True) for name in "ab"]
    yield servers
    for server in servers:
        server.stop()


def set_entry(imap, mailbox, entry, value):
    parts = [b"SETMETADATA " + quote(mailbox) + b" (" + entry.encode() + b" "]
    imap.ok(*parts, *([Literal(value), ")"] if value is not None else ["NIL)"]))


def get_entry(imap, mailbox, entry, options=""):
    result = imap.ok(b"GETMETADATA " + options.encode() + quote(mailbox) + b" " + entry.encode())
    found = {}
    for args in result.named("METADATA"):
        found.update(zip([bytes(name).decode() for name in args[1][::2]], args[1][1::2]))
    return found


VALUES = {"text": b"a comment", "empty": b"", "utf-8": "Größe 日本".encode(),
          "lines": b"one\r\ntwo\r\n", "long": b"v" * LIMIT}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("scope", ["private", "shared"])
def test_set_and_get(pair, user, scope, value):
    entry = f"/{scope}/comment"
    with pair[0].imap(user) as imap:
        set_entry(imap, "INBOX", entry, value)
        assert get_entry(imap, "INBOX", entry) == {entry: value}


def test_other_frontend_sees_it(pair, user):
    with pair[0].imap(user) as one, pair[1].imap(user) as two:
        set_entry(one, "INBOX", "/private/comment", b"first")
        assert get_entry(two, "INBOX", "/private/comment") == {"/private/comment": b"first"}
        set_entry(two, "INBOX", "/private/comment", b"second")
        assert get_entry(one, "INBOX", "/private/comment") == {"/private/comment": b"second"}


def test_delete(pair, user):
    with pair[0].imap(user) as imap:
        set_entry(imap, "INBOX", "/private/comment", b"text")
        set_entry(imap, "INBOX", "/private/comment", None)
        assert get_entry(imap, "INBOX", "/private/comment") == {"/private/comment": None}


def test_server_entry(pair, user):
    with pair[0].imap(user) as imap:
        set_entry(imap, "", "/private/vendor/example/key", b"value")
    with pair[1].imap(user) as imap:
        assert get_entry(imap, "", "/private/vendor/example/key") == \
            {"/private/vendor/example/key": b"value"}


def test_depth(pair, user):
    with pair[0].imap(user) as imap:
        for name in ("a", "a/b", "a/b/c"):
            set_entry(imap, "INBOX", f"/private/vendor/{name}", name.encode())
        found = get_entry(imap, "INBOX", "/private/vendor/a", "(DEPTH infinity) ")
        assert found == {"/private/vendor/a": b"a", "/private/vendor/a/b": b"a/b",
                         "/private/vendor/a/b/c": b"a/b/c"}


def test_very_long_entry_name(lab, pgbox_only, user):
    """Longer than a key of the database can be: refused for what it is, not logged."""
    server = lab.dovecot("tested", "metadata-long", metadata=True)
    generator = random.Random(1)
    entry = "/private/vendor/" + "".join(generator.choices(string.ascii_lowercase, k=4000))
    with server.imap(user) as imap:
        refused = imap.command(f"SETMETADATA INBOX ({entry} x)")
        assert refused.status.code_name() == "LIMIT"
        assert get_entry(imap, "INBOX", entry) == {entry: None}
    server.stop()


def test_rename_takes_it_along_and_delete_removes_it(pair, user):
    with pair[0].imap(user) as imap:
        imap.ok("CREATE box")
        imap.append("box", messages.numbered(1))
        set_entry(imap, "box", "/private/comment", b"mine")
        imap.ok("RENAME box other")
        assert get_entry(imap, "other", "/private/comment") == {"/private/comment": b"mine"}
        imap.ok("DELETE other")
        imap.ok("CREATE other")
        assert get_entry(imap, "other", "/private/comment") == {"/private/comment": None}


def test_users_do_not_see_each_other(pair, user, lab):
    stranger = lab.new_user("stranger")
    with pair[0].imap(user) as imap:
        set_entry(imap, "INBOX", "/private/comment", b"secret")
    with pair[0].imap(stranger) as imap:
        assert get_entry(imap, "INBOX", "/private/comment") == {"/private/comment": None}
