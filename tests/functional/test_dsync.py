"""`doveadm sync` in both directions, and what dsync reads from a local index."""

import os
import re

import pytest

from pgboxtest import config, messages
from pgboxtest.process import wait_until

# What a session does to a mail that has \\Answered and k0 on both sides
CHANGES = [
    "+FLAGS (\\Seen)", "+FLAGS (kw)", "+FLAGS (\\Flagged other)", "-FLAGS (\\Answered)",
    "-FLAGS (k0)", "FLAGS (\\Answered k0 \\Draft)", "FLAGS (k0 new \\Answered)", "+FLAGS (\\Answered)",
]
PAIRS = [(left, right) for left in [None, *CHANGES] for right in [None, *CHANGES]]
BASE = {b"\\Answered", b"k0"}


def apply(change, flags):
    """The flags that a mail has after a STORE."""
    if change is None:
        return flags
    action, _, words = change.partition(" ")
    words = {word.encode() for word in words.strip("()").split()}
    return {"+FLAGS": flags | words, "-FLAGS": flags - words, "FLAGS": words}[action]


def losses(found, left, right):
    """Changes of one side that are not on both afterwards; what both change may go either way."""
    results = [apply(left, BASE), apply(right, BASE)]
    changed = [result ^ BASE for result in results]
    return {flag for own, other, result in zip(changed, reversed(changed), results)
            for flag in own - other if (flag in found) != (flag in result)}


@pytest.fixture(scope="module")
def partner(lab):
    """The other server, with sdbox."""
    instance = lab.dovecot("sdbox", "partner")
    yield instance
    instance.stop()


def place(partner, user):
    return f"sdbox:{partner.user_home('partner-' + user)}/mail"


def sync(server, user, partner, check=True):
    return server.doveadm("sync", "-f", "-u", user, place(partner, user), check=check)


def flags(server, user):
    with server.imap(user) as imap:
        imap.select("INBOX")
        mails = imap.fetch("1:*", "FLAGS")
    return [set(mails[uid]["FLAGS"]) - {b"\\Recent"} for uid in sorted(mails)]


def merged(server, changing, user, partner):
    """{pair: changes that were lost} when the one's sync brings its partner's mails together."""
    with partner.imap(f"partner-{user}") as imap:
        for number in range(len(PAIRS)):
            imap.append("INBOX", messages.numbered(number), ["\\Answered", "k0"])
    sync(server, user, partner)
    for host, name, side in ((changing, user, 0), (partner, f"partner-{user}", 1)):
        with host.imap(name) as imap:
            imap.select("INBOX")
            for number, pair in enumerate(PAIRS, 1):
                if pair[side] is not None:
                    imap.ok(f"STORE {number} {pair[side]}")
    sync(server, user, partner)
    found = flags(server, user)
    assert found == flags(partner, f"partner-{user}")
    lost = {pair: losses(mail, *pair) for pair, mail in zip(PAIRS, found)}
    return {pair: flag for pair, flag in lost.items() if flag}


@pytest.fixture(scope="module")
def lost_by_sdbox(lab, sdbox, partner):
    return merged(sdbox, sdbox, lab.new_user("oracle"), partner)


@pytest.mark.parametrize("through", ["frontend_a", "frontend_b"])
def test_flags_are_merged(request, frontend_a, partner, user, lost_by_sdbox, through):
    """Changed by sessions of the frontend where dsync runs, and of another one."""
    lost = merged(frontend_a, request.getfixturevalue(through), user, partner)
    print(len(lost), "of", len(PAIRS), "lost, sdbox", len(lost_by_sdbox))
    assert {pair: flag for pair, flag in lost.items() if pair not in lost_by_sdbox} == {}


def taken_back(server, changing, user, partner):
    """What is left of flags that one side set, both have seen, and the other or the same removed."""
    sides = [(changing, user), (partner, f"partner-{user}")]
    with partner.imap(f"partner-{user}") as imap:
        for number in range(4):
            imap.append("INBOX", messages.numbered(number))
    sync(server, user, partner)
    for action in "+-":
        for number in range(4):
            # 1: here, here; 2: here, there; 3: there, here; 4: there, there
            host, name = sides[number >> 1 if action == "+" else number & 1]
            with host.imap(name) as imap:
                imap.select("INBOX")
                imap.ok(f"STORE {number + 1} {action}FLAGS (\\Flagged kw)")
        sync(server, user, partner)
        assert flags(server, user) == flags(partner, f"partner-{user}")
    return flags(server, user)


@pytest.mark.parametrize("through", ["frontend_a", "frontend_b"])
def test_flags_are_taken_back(request, lab, frontend_a, sdbox, partner, user, through):
    oracle = taken_back(sdbox, sdbox, lab.new_user("oracle"), partner)
    assert taken_back(frontend_a, request.getfixturevalue(through), user, partner) == oracle


def imapc(partner, user):
    """Where doveadm finds a user's mail by IMAP: options before and arguments behind the command."""
    settings = {"imapc_host": "127.0.0.1", "imapc_port": partner.imap_port, "imapc_user": user,
                "imapc_password": "x"}
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return options, config.Location("imapc", "").arguments()


def maildir(partner, user):
    path = f"maildir:{partner.user_home('maildir-' + user)}/Maildir"
    partner.doveadm("backup", "-u", user, path)
    return [], [path]


@pytest.mark.parametrize("where", [imapc, maildir])
def test_first_sync_into_a_new_account(server, partner, lab, where):
    """Nobody has used its INBOX, which takes the GUID of the other one, whichever is higher."""
    for _number in range(6):
        user = lab.new_user("first")
        with partner.imap(f"partner-{user}") as imap:
            imap.append("INBOX", messages.numbered(1))
            imap.ok("CREATE box")
            imap.append("box", messages.numbered(2))
        server.user_home(user)
        options, arguments = where(partner, f"partner-{user}")
        server.doveadm(*options, "sync", "-u", user, *arguments)
        with server.imap(user) as imap:
            imap.select("INBOX")
            assert list(imap.bodies().values()) == [messages.numbered(1)]


# --- UIDs of which only is known that no mail has them ------------------------------------


def begin_epoch(lab, user):
    """The user's mailboxes leap over UIDs when they are used next, as after a promotion."""
    lab.postgres.sql("update pgbox.epoch set continued_from = continued_from || 1::bigint")
    lab.postgres.sql("update pgbox.mailbox set epoch = 1 where account_id = "
                     f"(select account_id from pgbox.account where name = '{user}')")


def forget_expunges(lab, user):
    """As a purge does when they are old."""
    mailboxes = (f"account_id = (select account_id from pgbox.account where name = '{user}')")
    lab.postgres.sql(f"delete from pgbox.expunged where {mailboxes}")
    lab.postgres.sql(f"update pgbox.mailbox set history_floor = modseq where {mailboxes}")


def expunge(imap, mails):
    imap.select("INBOX")
    imap.ok(f"STORE {mails} +FLAGS.SILENT (\\Deleted)")
    imap.ok("EXPUNGE")


@pytest.fixture
def leapt(lab, frontend_a, user, pgbox_only):
    """A user with mails before and behind a leap; one was expunged so long ago that nobody knows."""
    with frontend_a.imap(user) as imap:
        for number in range(4):
            imap.append("INBOX", messages.numbered(number))
        imap.select("INBOX")
        validity = int(imap.status("INBOX", "UIDVALIDITY")["UIDVALIDITY"])
        modseq = int(imap.status("INBOX", "HIGHESTMODSEQ")["HIGHESTMODSEQ"])
        expunge(imap, 2)
    forget_expunges(lab, user)
    begin_epoch(lab, user)
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.numbered(5))
        assert int(imap.status("INBOX", "UIDNEXT")["UIDNEXT"]) > 1_000_000
    return validity, modseq


def test_dsync_does_not_see_a_leap(lab, frontend_a, frontend_b, partner, leapt, user):
    """What goes to another server through a pipe is in proportion to the mails."""
    home = partner.user_home("partner-" + user)
    script, count = os.path.join(home, "count"), os.path.join(lab.directory, "count-" + user)
    with open(script, "w", encoding="utf-8") as file:
        # env -i: doveadm would go on with the settings of the one that runs it
        file.write(f"#!/bin/bash\ntee >(wc -c >{count}.new; mv {count}.new {count}) | env -i "
                   f"/usr/bin/doveadm -c {partner.conf} dsync-server -u partner-{user}\n")
    os.chmod(script, 0o755)
    for server in (frontend_a, frontend_b):
        server.doveadm("backup", "-u", user, script)
        wait_until(lambda: os.path.exists(count), "the count of octets")
        with open(count, encoding="utf-8") as file:
            assert 1000 < int(file.read()) < 20_000
        os.unlink(count)
    assert len(flags(partner, f"partner-{user}")) == 4


def test_clients_are_told_of_a_leap(frontend_a, frontend_b, leapt, user):
    """QRESYNC: what a client may have of the UIDs before it is gone."""
    validity, modseq = leapt
    for server in (frontend_a, frontend_b):
        with server.imap(user, enable=["QRESYNC"]) as imap:
            vanished = imap.select("INBOX", f" (QRESYNC ({validity} {modseq}))").named("VANISHED")
        assert [bool(re.match(rb"(2,|2$)", args[-1])) for args in vanished] == [True]


@pytest.mark.parametrize("forget", [forget_expunges, begin_epoch])
def test_forgotten_expunges_are_expunges(lab, frontend_a, frontend_b, partner, user, forget,
                                         pgbox_only):
    """A new frontend tells a dsync that remembers where it was, of mails before and at the end."""
    def sync_since(server, state):
        return server.doveadm("sync", "-s", state, "-u", user, place(partner, user)).stdout.strip()

    with partner.imap(f"partner-{user}") as imap:
        for number in range(6):
            imap.append("INBOX", messages.numbered(number))
    sync(frontend_a, user, partner)
    state = sync_since(frontend_a, "")
    with frontend_a.imap(user) as imap:
        expunge(imap, "2:3,6")
    forget(lab, user)
    sync_since(frontend_b, state)
    assert len(flags(frontend_b, user)) == 3
    assert len(flags(partner, f"partner-{user}")) == 3
