"""doveadm: migration in and out without losing anything, and every mail command."""

import pytest

from pgboxtest import messages

FOLDERS = ["INBOX", "Sent", "lists/pgsql", "Entw&APw-rfe"]
ITEMS = "FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]"


def fill(server, user, count=40):
    """Several folders with gaps in the UIDs, flags, keywords, dates and subscriptions."""
    generator = messages.Generator(12)
    pool = [generator.message() for _ in range(count)]
    pool += [data for _name, data in messages.corpus("parser-rfc")]
    with server.imap(user) as imap:
        for folder in FOLDERS[1:]:
            imap.ok(f"CREATE {folder}")
        imap.ok("SUBSCRIBE Sent")
        imap.ok("SUBSCRIBE lists/pgsql")
        for number, data in enumerate(pool):
            flags = (["\\Seen"] * (number % 2) + ["$Forwarded"] * (number % 3 == 0)
                     + ["\\Flagged", "Project"] * (number % 5 == 0))
            imap.append(FOLDERS[number % 4], data, flags, messages.imap_date(number))
        for folder in FOLDERS:
            imap.select(folder)
            imap.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
            imap.ok("EXPUNGE")


def state(server, user, guids=True):
    """Everything a migration must keep, by folder."""
    found = {}
    with server.imap(user) as imap:
        for folder in FOLDERS:
            selected = imap.select(folder)
            mails = imap.fetch("1:*", ITEMS + (" X-GUID" if guids else ""))
            for values in mails.values():
                values["FLAGS"] = sorted(set(values["FLAGS"]) - {b"\\Recent"})
            found[folder] = (selected.code("UIDVALIDITY"), selected.code("UIDNEXT"), mails)
        found["subscribed"] = imap.list_names('LSUB "" "*"')
    return found


@pytest.fixture(scope="module")
def source(lab):
    """An sdbox server whose mail is migrated."""
    return lab.dovecot("sdbox", "source")


def location(server, user):
    """Where doveadm of another instance finds this user's sdbox mail."""
    return f"sdbox:{server.user_home(user)}/mail"


def test_backup_from_sdbox(source, frontend_a, frontend_b, user):
    fill(source, user)
    frontend_a.doveadm("backup", "-R", "-u", user, location(source, user))
    assert state(frontend_a, user) == state(source, user)
    assert state(frontend_b, user) == state(source, user)


def test_backup_from_maildir(source, frontend_a, user):
    """sdbox -> Maildir -> pgbox; Maildir stores lines with LF, hence no GUIDs but all else."""
    fill(source, user)
    place = f"maildir:{source.user_home('maildir-' + user)}/Maildir"
    source.doveadm("backup", "-u", user, place)
    frontend_a.doveadm("backup", "-R", "-u", user, place)
    assert without_crs(state(frontend_a, user)) == without_crs(state(source, user))


def without_crs(found):
    """The same state, bodies compared without bare CRs (Maildir cannot keep those)."""
    for folder in FOLDERS:
        for values in found[folder][2].values():
            values["BODY[]"] = values["BODY[]"].replace(b"\r", b"")
            values.pop("RFC822.SIZE")
    return found


def test_backup_out_again(lab, source, frontend_a, frontend_b, user):
    """sdbox -> pgbox -> sdbox: nothing is different."""
    fill(source, user)
    original = state(source, user)
    frontend_a.doveadm("backup", "-R", "-u", user, location(source, user))
    back = lab.dovecot("sdbox", "back")
    place = f"sdbox:{back.user_home('back-' + user)}/mail"
    frontend_b.doveadm("backup", "-u", user, place)
    assert state(back, f"back-{user}") == original
    back.stop()


def test_backup_twice_changes_nothing(source, frontend_a, user):
    fill(source, user)
    frontend_a.doveadm("backup", "-R", "-u", user, location(source, user))
    with frontend_a.imap(user) as imap:
        before = imap.status("INBOX", "HIGHESTMODSEQ UIDNEXT")
    frontend_a.doveadm("backup", "-R", "-u", user, location(source, user))
    with frontend_a.imap(user) as imap:
        assert imap.status("INBOX", "HIGHESTMODSEQ UIDNEXT") == before


def test_backup_follows_changes(source, frontend_a, user):
    """A second run brings over what happened meanwhile: flags, expunges, new mail, folders."""
    fill(source, user)
    frontend_a.doveadm("backup", "-R", "-u", user, location(source, user))
    with source.imap(user) as imap:
        imap.select("INBOX")
        imap.ok("STORE 1:3 +FLAGS.SILENT (\\Answered Later)")
        imap.ok("STORE 5 +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.append("Sent", messages.numbered(1))
    frontend_a.doveadm("backup", "-R", "-u", user, location(source, user))
    assert state(frontend_a, user) == state(source, user)


def test_sync_both_ways(source, frontend_a, user):
    fill(source, user)
    place = location(source, user)
    frontend_a.doveadm("backup", "-R", "-u", user, place)
    with source.imap(user) as left, frontend_a.imap(user) as right:
        left.append("INBOX", messages.numbered(1))
        left.select("INBOX")
        left.ok("STORE 1 +FLAGS.SILENT (FromLeft)")
        right.append("Sent", messages.numbered(2))
        right.select("INBOX")
        right.ok("STORE 2 +FLAGS.SILENT (FromRight)")
    frontend_a.doveadm("sync", "-u", user, place)
    found = state(frontend_a, user)
    assert found == state(source, user)
    flags = [values["FLAGS"] for _uid, values in sorted(found["INBOX"][2].items())]
    assert b"FromLeft" in flags[0] and b"FromRight" in flags[1]


def test_sync_of_conflicting_uids(source, frontend_a, frontend_b, user):
    """Mails that have the UIDs of others move to new ones: dsync adds the highest UIDs first."""
    for server, numbers in ((source, (1, 2, 3)), (frontend_a, (4, 5))):
        with server.imap(user) as imap:
            for number in numbers:
                imap.append("INBOX", messages.numbered(number))
        server.doveadm("mailbox", "update", "-u", user, "--uid-validity", "2000000000", "INBOX")
    frontend_a.doveadm("sync", "-1", "-R", "-u", user, location(source, user))
    with frontend_b.imap(user) as imap:
        imap.select("INBOX")
        mails = imap.fetch("1:*", "BODY.PEEK[]")
    assert sorted(mails) == [3, 4, 5, 6, 7]
    octets = [values["BODY[]"] for values in mails.values()]
    assert [octets.count(messages.numbered(number)) for number in range(1, 6)] == [1] * 5


def test_import(source, frontend_a, user):
    fill(source, user)
    frontend_a.doveadm("import", "-u", user, location(source, user), "imported", "mailbox", "INBOX")
    with source.imap(user) as imap:
        imap.select("INBOX")
        expected = list(imap.bodies().values())
    with frontend_a.imap(user) as imap:
        imap.select("imported/INBOX")
        assert list(imap.bodies().values()) == expected


# --- single commands, each with sdbox first ----------------------------------------------


@pytest.fixture
def filled(server, user):
    with server.imap(user) as imap:
        imap.ok("CREATE target")
        for number in range(1, 7):
            imap.append("INBOX", messages.numbered(number), ["\\Seen"] * (number % 2))
    return user


def numbers(server, user, mailbox):
    """The numbers of the messages in a mailbox, in order."""
    with server.imap(user) as imap:
        imap.select(mailbox)
        if not imap.search("ALL"):
            return []
        fetched = sorted(imap.fetch("1:*", "ENVELOPE").items())
    return [int(values["ENVELOPE"][1].split()[-1]) for _uid, values in fetched]


def test_search(server, filled):
    found = server.doveadm("search", "-u", filled, "mailbox", "INBOX", "seen").stdout.split()
    assert found[1::2] == [b"1", b"3", b"5"]
    assert len(set(found[::2])) == 1


def test_fetch(server, filled):
    text = server.doveadm("-f", "flow", "fetch", "-u", filled, "uid size.virtual hdr.subject",
                          "mailbox", "INBOX", "uid", "2:3").stdout.decode().splitlines()
    assert text == [f"uid={number} size.virtual={len(messages.numbered(number))} "
                    f"hdr.subject=message {number}" for number in (2, 3)]
    body = server.doveadm("fetch", "-u", filled, "text", "mailbox", "INBOX", "uid", "4").stdout
    assert body.replace(b"\r\n", b"\n").endswith(messages.numbered(4).replace(b"\r\n", b"\n"))


def test_expunge(server, filled):
    server.doveadm("expunge", "-u", filled, "mailbox", "INBOX", "seen")
    assert numbers(server, filled, "INBOX") == [2, 4, 6]


def test_copy(server, filled):
    server.doveadm("copy", "-u", filled, "target", "mailbox", "INBOX", "uid", "2:3")
    assert numbers(server, filled, "target") == [2, 3]
    assert numbers(server, filled, "INBOX") == [1, 2, 3, 4, 5, 6]


def test_move(server, filled):
    server.doveadm("move", "-u", filled, "target", "mailbox", "INBOX", "unseen")
    assert numbers(server, filled, "target") == [2, 4, 6]
    assert numbers(server, filled, "INBOX") == [1, 3, 5]


def test_save(server, filled):
    server.doveadm("save", "-u", filled, "-m", "target", stdin=messages.numbered(77))
    assert numbers(server, filled, "target") == [77]


def test_flags(server, filled):
    server.doveadm("flags", "add", "-u", filled, "\\Flagged Word", "mailbox", "INBOX", "uid", "1")
    server.doveadm("flags", "remove", "-u", filled, "\\Seen", "mailbox", "INBOX", "uid", "1")
    with server.imap(filled) as imap:
        imap.select("INBOX")
        assert set(imap.fetch("1", "FLAGS")[1]["FLAGS"]) - {b"\\Recent"} == {b"\\Flagged", b"Word"}


def test_mailbox_commands(server, filled):
    def mailboxes():
        return sorted(server.doveadm("mailbox", "list", "-u", filled).stdout.decode().split())

    server.doveadm("mailbox", "create", "-u", filled, "new/box")
    server.doveadm("mailbox", "subscribe", "-u", filled, "new/box")
    server.doveadm("mailbox", "rename", "-u", filled, "target", "renamed")
    assert [name for name in mailboxes() if name != "new"] == ["INBOX", "new/box", "renamed"]
    subscribed = server.doveadm("mailbox", "list", "-s", "-u", filled).stdout.decode().split()
    assert subscribed == ["new/box"]
    server.doveadm("mailbox", "delete", "-u", filled, "new/box", "renamed")
    assert [name for name in mailboxes() if name != "new"] == ["INBOX"]
    status = server.doveadm("-f", "flow", "mailbox", "status", "-u", filled,
                            "messages unseen uidnext vsize", "INBOX").stdout.decode().split()
    size = sum(len(messages.numbered(number)) for number in range(1, 7))
    assert status == ["INBOX", "messages=6", "uidnext=7", "unseen=3", f"vsize={size}"]


def test_mailbox_update(server, filled):
    """A new UIDVALIDITY and UIDNEXT, as dsync and admins set them."""
    server.doveadm("mailbox", "update", "-u", filled, "--min-next-uid", "100", "INBOX")
    with server.imap(filled) as imap:
        assert imap.append("INBOX", messages.numbered(7))[1] == 100


@pytest.mark.parametrize("renew", [
    ("create", "-g", "{guid}", "again"),
    ("update", "--mailbox-guid", "{guid}", "other"),
], ids=["create", "update"])
def test_guid_of_deleted_mailbox(server, filled, renew):
    def guids():
        lines = server.doveadm("-f", "tab", "mailbox", "status", "-u", filled, "guid",
                               "*").stdout.decode().splitlines()
        return dict(line.split("\t") for line in lines[1:])

    server.doveadm("mailbox", "create", "-u", filled, "other")
    guid = guids()["target"]
    server.doveadm("mailbox", "delete", "-u", filled, "target")
    action, *arguments = [argument.format(guid=guid) for argument in renew]
    server.doveadm("mailbox", action, "-u", filled, *arguments)
    assert guids()[arguments[-1]] == guid
    with server.imap(filled) as imap:
        imap.append(arguments[-1], messages.numbered(9))
    assert numbers(server, filled, arguments[-1]) == [9]


def test_force_resync(server, filled):
    before = numbers(server, filled, "INBOX")
    server.doveadm("force-resync", "-u", filled, "*")
    assert numbers(server, filled, "INBOX") == before


def test_purge(server, filled):
    server.doveadm("expunge", "-u", filled, "mailbox", "INBOX", "uid", "1")
    server.doveadm("purge", "-u", filled)
    assert numbers(server, filled, "INBOX") == [2, 3, 4, 5, 6]


def test_deduplicate(server, filled):
    """By Message-ID, and by the GUID that copies share."""
    server.doveadm("copy", "-u", filled, "INBOX", "mailbox", "INBOX", "uid", "1:2")
    server.doveadm("deduplicate", "-u", filled, "mailbox", "INBOX")
    assert sorted(numbers(server, filled, "INBOX")) == [1, 2, 3, 4, 5, 6]


def test_index(server, filled):
    server.doveadm("index", "-u", filled, "*")
    assert numbers(server, filled, "INBOX") == [1, 2, 3, 4, 5, 6]
