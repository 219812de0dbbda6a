"""Folders: names, hierarchies, subscriptions, and two frontends that see each other's changes."""

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost, quote

ODD_NAMES = ["x y", "Entw&APw-rfe", "&ZeVnLIqe-", 'quo"te', "back\\slash", "per%cent", "st*r",
             "#hash", "-dash", "a,b;c", "(parens)", "[brackets]", "$dollar", "inboxes", "InBox2",
             "l" * 200, "d.o.t.s", "Trash.old", "dbox", "123"]


def run_both(sdbox, tested, user, commands):
    """The answers of both servers to a list of commands, with order made equal."""
    answers = []
    for server in (sdbox, tested):
        with server.imap(user) as imap:
            imap.status("INBOX", "MESSAGES")  # sdbox creates it when it is first asked for
            answers.append([outline(imap.command(command)) for command in commands])
    return zip(commands, *answers)


def outline(result):
    """What of an answer must be equal: everything but timings and UIDVALIDITY."""
    untagged = sorted(repr([sorted(token, key=repr) if isinstance(token, list) else token
                            for token in answer]) for answer in result.untagged
                      if isinstance(answer, list))
    return result.status.word, result.status.code_name(), untagged


def assert_same(sdbox, tested, user, commands):
    for command, expected, got in run_both(sdbox, tested, user, commands):
        assert got == expected, command


SCRIPTS = {
    "create": ["CREATE a", "CREATE a", "CREATE INBOX", "CREATE inbox", "CREATE a/b/c",
               "CREATE d/", 'LIST "" "*"', 'LIST "" "%"', 'LIST "" "a/%"', 'LIST "" "*c"'],
    "delete": ["CREATE a/b", "CREATE c", "DELETE a", "DELETE c", "DELETE missing", "DELETE INBOX",
               'LIST "" "*"', "DELETE a/b", 'LIST "" "*"'],
    "rename": ["CREATE a/b/c", "CREATE a", "CREATE z", "RENAME a y/a", 'LIST "" "*"',
               "RENAME y/a/b z", "RENAME missing q", "RENAME z z", "RENAME z z/sub",
               "RENAME y/a/b b", "RENAME INBOX old", 'LIST "" "*"', "SELECT old", "SELECT INBOX"],
    "inbox children": ["CREATE INBOX/sub", "CREATE inbox/other", 'LIST "" "*"', 'LIST "" "INBOX/%"',
                       "SELECT INBOX/sub", "RENAME INBOX moved", 'LIST "" "*"'],
    "subscribe": ["CREATE a", "CREATE a/b", "SUBSCRIBE a", "SUBSCRIBE a/b", "SUBSCRIBE missing",
                  'LSUB "" "*"', 'LSUB "" "%"', "DELETE a/b", 'LSUB "" "*"', "UNSUBSCRIBE a",
                  "UNSUBSCRIBE a", "UNSUBSCRIBE never", 'LSUB "" "*"', "CREATE a/b",
                  'LIST (SUBSCRIBED) "" "*"', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"',
                  'LIST "" "*" RETURN (SUBSCRIBED CHILDREN)'],
    "status": ["CREATE a", "STATUS a (MESSAGES UNSEEN RECENT UIDNEXT SIZE)", "STATUS b (MESSAGES)",
               "STATUS INBOX (MESSAGES UNSEEN RECENT UIDNEXT SIZE)", "SELECT a",
               "STATUS a (MESSAGES)", 'LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT SIZE))'],
    "deep": ["CREATE 1/2/3/4/5/6/7/8", 'LIST "" "1/2/%"', 'LIST "" "%/%/%"', "DELETE 1/2/3",
             "CREATE 1/2/3", "RENAME 1/2 other", 'LIST "" "*"', 'LIST "" ("other/%" "1*")'],
    "selecting what is no mailbox": ["CREATE a/b", "SELECT a", "SELECT missing", "SELECT a/b",
                                     "STATUS a (MESSAGES)", "UNSELECT", "DELETE a/b",
                                     "EXAMINE a/b"],
    "bad names": ["CREATE \"\"", "CREATE a//b", "CREATE /", "CREATE /a", 'CREATE "&bad"',
                  "CREATE &AGE-", "SELECT \"\"", "RENAME a \"\"", 'LIST "" "*"'],
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_like_sdbox(sdbox, frontend_a, user, script):
    assert_same(sdbox, frontend_a, user, script)


def test_odd_names(server, user):
    with server.imap(user) as imap:
        for name in ODD_NAMES:
            imap.ok(b"CREATE " + quote(name))
            imap.append(name, messages.numbered(1))
            imap.ok(b"SUBSCRIBE " + quote(name))
        expected = sorted({name.encode() for name in ODD_NAMES})
        assert imap.list_names() == sorted([b"INBOX", *expected])
        assert imap.list_names('LSUB "" "*"') == expected
        for name in ODD_NAMES:
            imap.ok(b"RENAME " + quote(name) + b" " + quote(f"parent/{name}"))
            assert imap.status(f"parent/{name}", "MESSAGES") == {"MESSAGES": 1}
            imap.ok(b"DELETE " + quote(f"parent/{name}"))
        assert set(imap.list_names()) - {b"parent"} == {b"INBOX"}


def test_utf8_names(server, user):
    """ENABLE UTF8=ACCEPT is not in 2.3; doveadm speaks UTF-8, IMAP mUTF-7: one name."""
    server.doveadm("mailbox", "create", "-u", user, "Entwürfe/日本語")
    with server.imap(user) as imap:
        assert b"Entw&APw-rfe/&ZeVnLIqe-" in imap.list_names()
        imap.append("Entw&APw-rfe/&ZeVnLIqe-", messages.numbered(1))
    listed = server.doveadm("mailbox", "list", "-u", user).stdout.decode().splitlines()
    assert "Entwürfe/日本語" in listed


def test_inbox_from_first_use(server, user):
    with server.imap(user) as imap:
        assert imap.list_names() == [b"INBOX"]
        assert imap.status("INBOX", "MESSAGES UIDNEXT") == {"MESSAGES": 0, "UIDNEXT": 1}


def test_recreated_mailbox_gets_new_uidvalidity(server, user):
    validities = []
    with server.imap(user) as imap:
        for _ in range(4):
            imap.ok("CREATE again")
            imap.append("again", messages.numbered(1))
            validities.append(imap.status("again", "UIDVALIDITY")["UIDVALIDITY"])
            imap.ok("DELETE again")
    assert validities == sorted(set(validities)), validities


def test_rename_keeps_everything(server, user):
    items = "UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES UNSEEN X-GUID"
    with server.imap(user) as imap:
        imap.ok("CREATE a/b")
        imap.append("a/b", messages.numbered(1), ["Word"])
        before = imap.status("a/b", items)
        imap.ok("RENAME a/b c/d/e")
        assert imap.status("c/d/e", items) == before


def test_rename_inbox_keeps_messages(server, user):
    """INBOX's messages go, an empty INBOX stays."""
    with server.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.ok("RENAME INBOX old")
        assert imap.status("old", "MESSAGES") == {"MESSAGES": 1}
        assert imap.status("INBOX", "MESSAGES") == {"MESSAGES": 0}


def test_special_use(lab):
    for backend in ("sdbox", "tested"):
        server = lab.dovecot(backend, "special", special_use=True)
        with server.imap(lab.new_user("special")) as imap:
            imap.ok("CREATE Drafts")
            result = imap.ok('LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)')
            assert [(args[2], b"\\Drafts" in args[0]) for args in result.named("LIST")] == \
                [(b"Drafts", True)]
        server.stop()


# --- two frontends -----------------------------------------------------------------------


def test_other_frontend_sees_changes_at_once(frontend_a, frontend_b, user):
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        one.ok("CREATE box/sub")
        assert b"box/sub" in two.list_names()
        two.append("box/sub", messages.numbered(1))
        assert one.status("box/sub", "MESSAGES") == {"MESSAGES": 1}
        two.ok("RENAME box/sub elsewhere")
        assert one.list_names() == [b"INBOX", b"elsewhere"]
        one.select("elsewhere")
        assert list(one.bodies().values()) == [messages.numbered(1)]
        one.ok("SUBSCRIBE elsewhere")
        assert two.list_names('LSUB "" "*"') == [b"elsewhere"]
        one.ok("UNSELECT")
        one.ok("DELETE elsewhere")
        assert two.list_names() == [b"INBOX"]
        assert two.command("SELECT elsewhere").status.text.startswith(b"Mailbox doesn't exist")


def test_both_create_the_same(frontend_a, frontend_b, user):
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        one.ok("CREATE same")
        assert two.command("CREATE same").status.code_name() == "ALREADYEXISTS"
        items = "UIDVALIDITY X-GUID"
        assert one.status("same", items) == two.status("same", items)
        assert one.status("INBOX", items) == two.status("INBOX", items)


def test_session_in_deleted_mailbox_ends_cleanly(frontend_a, frontend_b, user):
    """It may be told BYE or NO, but nobody else is disturbed and nothing reappears."""
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        one.ok("CREATE gone")
        one.append("gone", messages.numbered(1))
        one.select("gone")
        two.ok("DELETE gone")
        assert said_goodbye(one)
        assert two.list_names() == [b"INBOX"]
        one.close()
        with frontend_a.imap(user) as again:
            assert again.list_names() == [b"INBOX"]


def said_goodbye(imap):
    """Whether a NOOP ends the session with BYE (or at least with the connection)."""
    try:
        answers = imap.command("NOOP").untagged
        answers += imap.command("NOOP").untagged
    except ConnectionLost as lost:
        return True if not lost.untagged else said_bye(lost.untagged)
    return said_bye(answers)


def said_bye(answers):
    return any(getattr(answer, "word", None) == "BYE" for answer in answers)


def test_session_in_renamed_mailbox_goes_on(frontend_a, frontend_b, user, pgbox_only):
    """A mailbox is its GUID: a rename elsewhere is nothing the session has to notice."""
    with frontend_a.imap(user) as one, frontend_b.imap(user) as two:
        one.ok("CREATE old")
        one.append("old", messages.numbered(1))
        one.select("old")
        two.ok("RENAME old new")
        one.ok("STORE 1 +FLAGS (\\Flagged)")
        two.select("new")
        assert b"\\Flagged" in two.fetch("1", "FLAGS")[1]["FLAGS"]
