"""Damaged rows and octets of mail that clients use: "pgbox-schema verify --repair" and
"doveadm force-resync" mend them, and nobody else's mail is touched.

tests/sql/damage.sql has the kinds of damage; tests/sql/tool/repair.sh looks at rows. Here each kind
hits real mail, which is then read through two frontends. PGBOX_REPAIR_EACH=N takes each N-th kind.
"""

import contextlib
import os
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost
from pgboxtest.lab import PROJECT, sql_directory

pytestmark = pytest.mark.usefixtures("pgbox_only")

EACH = int(os.environ.get("PGBOX_REPAIR_EACH", "9"))
ITEMS = "FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]"
NOTICE = b"Subject: A mail that was here is damaged\r\n"


@pytest.fixture(scope="module")
def expected_log():
    """A frontend that has read the damage before it was mended."""
    return [r"broken zstd frame", r"chunk \d+ of message \d+", r"makes? no sense", r"Error: Mailbox \S+: UID[= ]\d+: ",
            r"chunk has \d+ bytes instead of", r"view is now inconsistent"]


def pgbox_schema(lab, *arguments):
    """Runs it, and returns what it printed."""
    environment = {**os.environ, "PATH": f"{lab.postgres.bindir}:{os.environ['PATH']}"}
    done = subprocess.run([os.path.join(sql_directory(), "pgbox-schema"), *arguments, "--dsn", lab.postgres.dsn()],
                          env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def fill(server, user):
    """Mails 1 to 5 and 8 in INBOX, of which 2 has two chunks, and 4 again in "copy"."""
    with server.imap(user) as imap:
        for number in range(1, 9):
            size = 300000 if number == 2 else 3000
            imap.append("INBOX", messages.numbered(number, size=size), ["\\Seen", "work"])
        imap.select("INBOX")
        imap.ok("STORE 8 FLAGS (home)")
        imap.ok("STORE 6:7 +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.ok("CREATE copy")
        imap.ok("COPY 4 copy")
        imap.ok("STORE 1 +FLAGS (\\Flagged)")


def read(server, user):
    """All mail of the account, by folder and UID."""
    found = {}
    with server.imap(user) as imap:
        for name in imap.list_names():
            imap.select(name.decode())
            for uid, values in imap.fetch("1:*", ITEMS, uid=True).items():
                values["FLAGS"] = sorted(set(values["FLAGS"]) - {b"\\Recent"})
                found[name, uid] = values
    return found


def ids(postgres, user):
    """What damage.sql calls by these names."""
    account, box = postgres.sql(
        f"select account_id, mailbox_id from pgbox.mailbox join pgbox.account a using (account_id) "
        f"where a.name = '{user}' and mailbox.name = 'INBOX'")[0]
    of_uid = dict(postgres.sql(f"select uid, message_id from pgbox.mail where mailbox_id = {box}"))
    return {"<a>": account, "<b>": box, "<m>": of_uid["3"], "<big>": of_uid["2"]}


def kinds(postgres):
    """Names, statements and UIDs that they damage; not of what these mailboxes have none of."""
    environment = {**os.environ, "PATH": f"{postgres.bindir}:{os.environ['PATH']}"}
    for name in ("pgtap-setup.sql", "damage.sql"):
        subprocess.run(["psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-d", postgres.dsn(),
                        "-f", PROJECT / "tests" / "sql" / name], check=True, env=environment,
                       stdout=subprocess.DEVNULL)
    found = postgres.sql("select name, statement, coalesce(neighbours, '{3}') from tap.damage order by place")
    newest = "modseq = (select max(modseq) from pgbox.mail_change where mailbox_id = <b>)"
    return [(name, statement.replace("operation = 2", newest), {int(uid) for uid in damaged[1:-1].split(",")})
            for name, statement, damaged in found
            if not name.startswith(("mailbox_attribute", "subscription", "mailbox.pop3_values"))]


def survives(server, user, sound):
    """What a client sees beside the damage. Dovecot ends a session whose FETCH fails, unless
    imap_fetch_failure is set; no process dies."""
    for command in ("FETCH 1:* (FLAGS MODSEQ)", "FETCH 1:* (ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
                    "FETCH 1:* BODY.PEEK[]", "SEARCH SUBJECT message BODY text", "SORT (DATE) UTF-8 ALL"):
        with contextlib.suppress(ConnectionLost, MemoryError), server.imap(user) as imap:
            if imap.command("SELECT INBOX").ok:
                imap.command(command)
                imap.ok("NOOP")
    with server.imap(user) as imap:
        if not sound or not imap.command("SELECT INBOX").ok:
            return {}
        return {uid: imap.fetch(uid, "BODY.PEEK[]")[uid]["BODY[]"] for uid in sound}


def test_every_kind(lab, frontend_a, frontend_b):
    users = {}
    for number, kind in enumerate(kinds(lab.postgres)[::EACH]):
        user = lab.new_user(f"kind{number}")
        fill(frontend_a, user)
        users[user] = kind, read(frontend_a, user)
    lab.postgres.sql("select tap.drop_constraints()")
    for user, ((name, statement, _damaged), _before) in users.items():
        for token, value in ids(lab.postgres, user).items():
            statement = statement.replace(token, value)
        lab.postgres.sql(statement)
    lab.postgres.sql("select tap.add_constraints()")
    status, text = pgbox_schema(lab, "verify", "--bodies")
    assert status == 1, text
    for user, ((name, _statement, damaged), before) in users.items():
        told = survives(frontend_b, user, [] if name.startswith(("mailbox", "account")) else
                        [uid for folder, uid in before if folder == b"INBOX" and uid not in damaged])
        assert told.items() <= {uid: values["BODY[]"] for (folder, uid), values in before.items()
                                if folder == b"INBOX"}.items(), name
    status, text = pgbox_schema(lab, "verify", "--bodies", "--repair")
    lab.postgres.sql("drop schema tap cascade")
    assert "tap" not in text and status == 0, text
    missing = {kind[0] for user, (kind, _before) in users.items() if f"account {user}" not in text}
    # the one without a name is told by its id; some are mended by what sessions do
    assert all(name == "account: deleted" or name.startswith(("mailbox.", "message_text_queue."))
               for name in missing), text
    status, text = pgbox_schema(lab, "verify", "--bodies", "--repair")
    assert status == 0 and "mended" not in text, text
    for user, ((name, _statement, damaged), before) in users.items():
        after = read(frontend_a, user)
        assert read(frontend_b, user) == after, name
        bodies = [values["BODY[]"] for values in after.values()]
        for (folder, uid), values in before.items():
            if name.startswith("mailbox_keyword"):
                assert values["BODY[]"] in bodies, name
            elif folder == b"INBOX" and uid not in damaged and not name.startswith("mailbox"):
                assert after[folder, uid] == values, name
            if (folder, uid) in after:
                assert after[folder, uid]["BODY[]"] == values["BODY[]"], name
        for body in bodies:
            assert NOTICE in body or body in [values["BODY[]"] for values in before.values()] or b"message 6" in body \
                or b"message 7" in body, name


def test_sound_mail_is_left_alone(lab, frontend_a, user):
    """Whatever a message looks like: none of it is a problem."""
    generator = messages.Generator(20)
    pool = [generator.message() for _ in range(100)]
    pool += [data for _name, data in messages.corpus()]
    pool += [b"", b"\r\n", b"no header", b"Subject: x", b"Subject: x\r\n\r\n", b"A: \0\r\n\r\n\0\n\xff", b"\n" * 70000,
             b"Subject: y\r\n\r\n" + bytes(range(256)) * 3000, b"Date: Mon, 1 Jan 0001 00:00:00 +9999\r\n\r\n"]
    for data in pool:
        frontend_a.deliver(user, data)
    with frontend_a.imap(user) as imap:
        for date in ("01-Jan-0001 00:00:00 +1200", "31-Dec-9999 23:59:59 -1200"):
            imap.append("INBOX", messages.numbered(1), ["\\Seen", "a/b", "$x"], date)
        imap.select("INBOX")
        imap.ok("STORE 1:5 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.ok("COPY 1:20 INBOX")
    assert frontend_a.doveadm("force-resync", "-u", user, "INBOX").stderr == b""
    status, text = pgbox_schema(lab, "verify", "--bodies", "--account", user)
    assert status == 0, text


def test_force_resync(lab, frontend_a, frontend_b, user):
    fill(frontend_a, user)
    before = read(frontend_a, user)
    assert read(frontend_b, user) == before
    where = ids(lab.postgres, user)
    account, box = where["<a>"], where["<b>"]
    lab.postgres.sql(f"delete from pgbox.message_chunk where account_id = {account} and message_id = {where['<m>']}")
    lab.postgres.sql(f"update pgbox.mailbox set unseen = 5 where mailbox_id = {box}")
    told = frontend_a.doveadm("force-resync", "-u", user, "INBOX").stderr
    assert b"Mailbox INBOX: Repaired: UID 3: " in told
    assert b"Repaired: messages 6 (counted 6), unseen 5 (1)" in told
    after = read(frontend_b, user)
    assert read(frontend_a, user) == after
    del before[b"INBOX", 3]
    (place, notice), = [item for item in after.items() if item[0] not in before]
    assert place[1] > 8 and NOTICE in notice["BODY[]"] and notice["FLAGS"] == [b"\\Seen", b"work"]
    assert b"Subject: message 3" in notice["BODY[]"].partition(b"\r\n\r\n")[2]
    del after[place]
    assert after == before
    assert b"Repaired" not in frontend_a.doveadm("force-resync", "-u", user, "*").stderr
    with frontend_b.imap(user) as imap:
        imap.select("INBOX")
        assert imap.search("SUBJECT damaged") == imap.search("BODY administrator") == [place[1]]
        (_, values), = imap.fetch(place[1], "ENVELOPE BODYSTRUCTURE").items()
        assert b"A mail that was here is damaged" in values["ENVELOPE"]


def test_wrong_counters_become_quiet(lab, frontend_a, user):
    """A frontend whose index does not fit the row reads the mailbox anew, each time; then no more."""
    fill(frontend_a, user)
    lab.postgres.sql(f"update pgbox.mailbox set messages = messages + 1 where mailbox_id = {ids(lab.postgres, user)['<b>']}")

    def warned():
        mark = frontend_a.log_size()
        for _ in range(2):
            frontend_a.doveadm("mailbox", "status", "-u", user, "messages", "INBOX")
            read(frontend_a, user)
        return frontend_a.log_text(mark).count("fit the database")

    assert warned() > 0
    status, text = pgbox_schema(lab, "verify", "--repair", "--account", user)
    assert status == 0, text
    read(frontend_a, user)
    assert warned() == 0
