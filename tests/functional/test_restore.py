"""An account that went its own way is made equal to another one again: `doveadm backup -R`, twice.

install.md's way to migrate. sdbox as destination, too, shows what is right.
"""

import pytest

from pgboxtest import messages

FOLDERS = ["INBOX", "Sent", "lists", "lists/pgsql"]


def fill(server, user):
    with server.imap(user) as imap:
        for folder in FOLDERS[1:]:
            imap.ok(f"CREATE {folder}")
        for number in range(12):
            imap.append(FOLDERS[number % 4], messages.numbered(number),
                        ["\\Seen", "kw"][:number % 3])
        imap.select("INBOX")
        imap.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")


def state(server, user):
    """Folders with their GUIDs, and what is in them."""
    status = server.doveadm("-f", "tab", "mailbox", "status", "-u", user,
                            "guid uidvalidity messages", "*").stdout.decode().splitlines()
    found = {"status": sorted(status[1:])}
    with server.imap(user) as imap:
        for line in status[1:]:
            folder = line.split("\t")[0]
            imap.select(folder)
            mails = imap.fetch("1:*", "FLAGS X-GUID BODY.PEEK[]") if imap.search("ALL") else {}
            for values in mails.values():
                values["FLAGS"] = sorted(set(values["FLAGS"]) - {b"\\Recent"})
            found[folder] = mails
    return found


def expunge(imap, folder="INBOX", mails="1"):
    imap.select(folder)
    imap.ok(f"STORE {mails} +FLAGS.SILENT (\\Deleted)")
    imap.ok("EXPUNGE")


def deliver(imap, folder="INBOX"):
    imap.append(folder, messages.numbered(100))


def move(imap):
    imap.select("INBOX")
    imap.ok("MOVE 1 Sent")


def change_flags(imap):
    imap.select("INBOX")
    imap.ok("STORE 1:* FLAGS.SILENT (\\Flagged other)")


def make_anew(imap, folder="Sent", mails=1):
    imap.ok(f"DELETE {folder}")
    imap.ok(f"CREATE {folder}")
    for _mail in range(mails):
        deliver(imap, folder)


def rename_inbox(imap):
    imap.ok("RENAME INBOX old")
    deliver(imap)


def swap(imap):
    for old, new in (("Sent", "x"), ("lists/pgsql", "Sent"), ("x", "lists/pgsql")):
        imap.ok(f"RENAME {old} {new}")


CHANGES = {
    "nothing": lambda imap: None,
    "delivered": deliver,
    "delivered to a folder": lambda imap: deliver(imap, "Sent"),
    "expunged": expunge,
    "expunged last": lambda imap: expunge(imap, mails="*"),
    "expunged all": lambda imap: expunge(imap, mails="1:*"),
    "expunged in a folder": lambda imap: expunge(imap, "Sent", "1:*"),
    "moved": move,
    "flags": change_flags,
    "folder deleted": lambda imap: imap.ok("DELETE Sent"),
    "folder deleted, delivered": lambda imap: (imap.ok("DELETE Sent"), deliver(imap)),
    "child deleted": lambda imap: imap.ok("DELETE lists/pgsql"),
    "parent deleted": lambda imap: imap.ok("DELETE lists"),
    "all deleted": lambda imap: [imap.ok(f"DELETE {name}") for name in reversed(FOLDERS[1:])],
    "folder renamed": lambda imap: imap.ok("RENAME Sent away"),
    "parent renamed": lambda imap: imap.ok("RENAME lists away"),
    "child renamed up": lambda imap: imap.ok("RENAME lists/pgsql pgsql"),
    "names swapped": swap,
    "INBOX renamed": lambda imap: imap.ok("RENAME INBOX old"),
    "INBOX renamed, delivered": rename_inbox,
    "made anew, empty": lambda imap: make_anew(imap, mails=0),
    "made anew": make_anew,
    "made anew, longer": lambda imap: make_anew(imap, mails=6),
    "parent made anew": lambda imap: make_anew(imap, "lists"),
    "folder added": lambda imap: (imap.ok("CREATE added"), deliver(imap, "added")),
}


@pytest.fixture(scope="module")
def source(lab):
    """Whose mail is the right one."""
    instance = lab.dovecot("sdbox", "right")
    yield instance
    instance.stop()


def restore(server, user, source):
    place = f"sdbox:{source.user_home('right-' + user)}/mail"
    return server.doveadm("backup", "-R", "-u", user, place, check=False)


# Dovecot deletes the mailbox then, and wants to be run again.
MISSING = {name for name in CHANGES if name.startswith("expunged") or name == "moved"}


@pytest.mark.parametrize("name", CHANGES)
def test_restore(source, server, user, name):
    fill(source, f"right-{user}")
    right = state(source, f"right-{user}")
    assert restore(server, user, source).returncode == 0
    assert state(server, user) == right
    for _round in range(2):
        with server.imap(user) as imap:
            CHANGES[name](imap)
        codes = [restore(server, user, source).returncode for _run in range(2)]
        assert codes == [75 if name in MISSING else 0, 0]
        assert state(server, user) == right


@pytest.mark.parametrize("name", CHANGES)
def test_other_frontends_see_it(source, frontend_a, frontend_b, user, name, pgbox_only):
    """Also those whose index is the one of the deleted mailbox with the same GUID."""
    fill(source, f"right-{user}")
    right = state(source, f"right-{user}")
    restore(frontend_a, user, source)
    for _round in range(2):
        assert state(frontend_b, user) == right
        with frontend_a.imap(user) as imap:
            CHANGES[name](imap)
        state(frontend_b, user)
        for _run in range(2):
            restore(frontend_a, user, source)
    assert state(frontend_b, user) == right
