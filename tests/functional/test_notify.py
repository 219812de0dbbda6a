"""IMAP NOTIFY (RFC 5465): one session is told about all mailboxes of the account.

The frontends ask by themselves only every ten minutes, so what arrives here was notified.
"""

import os
import shutil

import pytest

from pgboxtest import config, messages
from pgboxtest.imap import as_pairs
from pgboxtest.process import wait_until
from pgboxtest.services import SLOW_POLL, notified_frontends, wait_for_notify

SOON = 30
ALL = ("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew "
       "MessageExpunge FlagChange MailboxName SubscriptionChange))")


@pytest.fixture(scope="module")
def frontends(lab):
    with notified_frontends(lab, ["events-a", "events-b"], extra=SLOW_POLL) as servers:
        yield servers


@pytest.fixture
def watcher(frontends, user):
    with frontends[0].imap(user, enable=["CONDSTORE"]) as client:
        client.ok("CREATE box")
        client.append("box", messages.numbered(1))
        client.append("box", messages.numbered(2))
        client.ok(ALL)
        yield client


@pytest.fixture
def other(frontends, watcher, user):
    with frontends[1].imap(user) as client:
        yield client


def told(client, name, condition):
    """Waits for an untagged `* NAME arguments` that satisfies the condition."""
    answer = client.wait_for(lambda answer: isinstance(answer, list) and
                             answer[:1] == [name.encode()] and condition(answer[1:]), SOON)
    return answer[1:]


def status(client, mailbox, condition):
    """Waits for a STATUS of the mailbox that satisfies the condition."""
    def fits(args):
        return args[0] == mailbox.encode() and condition(
            {name: int(value) for name, value in as_pairs(args[1]).items()})

    return as_pairs(told(client, "STATUS", fits)[1])


def listed(client, name, flag=None, old=None):
    """Waits for a LIST of a name, with a flag and an old name."""
    def fits(args):
        return (args[2] == name.encode() and (flag is None or flag in args[0]) and
                (old is None or (len(args) > 3 and args[3] == [b"OLDNAME", [old.encode()]])))

    return told(client, "LIST", fits)


def test_new_messages(watcher, other):
    other.append("box", messages.numbered(3))
    found = status(watcher, "box", lambda values: values.get("MESSAGES") == 3)
    assert found["UIDNEXT"] == b"4"
    assert found["UNSEEN"] == b"3"
    assert found["HIGHESTMODSEQ"] == str(other.status("box", "HIGHESTMODSEQ")["HIGHESTMODSEQ"]
                                         ).encode()


def test_delivery_to_inbox(frontends, watcher, user):
    frontends[1].deliver(user, messages.numbered(1))
    status(watcher, "INBOX", lambda values: values.get("MESSAGES") == 1)


def test_flags(watcher, other):
    other.select("box")
    other.ok("STORE 1 +FLAGS (\\Seen)")
    status(watcher, "box", lambda values: values.get("UNSEEN") == 1)


def test_expunge(watcher, other):
    other.select("box")
    other.ok("STORE 1 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    status(watcher, "box", lambda values: values.get("MESSAGES") == 1)


def test_expunge_and_new_message_at_once(watcher, other):
    other.select("box")
    other.ok("COPY 1 box")
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    status(watcher, "box", lambda values: values.get("UIDNEXT") == 4 and
           values.get("MESSAGES") == 2)


def test_create_rename_delete(watcher, other):
    other.ok("CREATE new")
    listed(watcher, "new")
    other.ok("RENAME new newer")
    listed(watcher, "newer", old="new")
    # what was created and renamed is watched too
    other.append("newer", messages.numbered(1))
    status(watcher, "newer", lambda values: values.get("MESSAGES") == 1)
    other.ok("DELETE newer")
    listed(watcher, "newer", b"\\NonExistent")


def test_rename_with_children(watcher, other):
    other.ok("CREATE tree/leaf")
    listed(watcher, "tree/leaf")
    other.ok("RENAME tree trunk")
    listed(watcher, "trunk/leaf", old="tree/leaf")


def test_name_used_again(watcher, other):
    """Another mailbox gets the name of a deleted one."""
    other.ok("DELETE box")
    other.ok("CREATE box")
    listed(watcher, "box")


def test_subscriptions(watcher, other):
    other.ok("SUBSCRIBE box")
    listed(watcher, "box", b"\\Subscribed")
    other.ok("UNSUBSCRIBE box")
    listed(watcher, "box")


def test_selected_mailbox(watcher, other):
    watcher.select("box")
    other.append("box", messages.numbered(3))
    watcher.wait_for(lambda answer: answer == [b"3", b"EXISTS"], SOON)


def test_noop_tells_at_once(watcher, other):
    other.append("box", messages.numbered(3))
    result = watcher.ok("NOOP")
    assert any(args[0] == b"box" for args in result.named("STATUS"))


def test_none(watcher, other):
    """NOTIFY NONE ends it."""
    watcher.ok("NOTIFY NONE")
    other.append("box", messages.numbered(3))
    assert watcher.ok("NOOP").named("STATUS") == []


def test_no_connection_while_waiting(lab, watcher):
    watcher.ok("NOOP")
    wait_until(lambda: lab.postgres.value("""
        select count(*) from pg_stat_activity where application_name = 'pgbox/imap'""") == "0", "connections to be closed")


def test_virtual_mailbox(lab, frontends, user):
    """A virtual mailbox over two others is in IDLE."""
    here = lab.dovecot("tested", "virtual", notify=True, mail_plugins=["virtual"],
                       extra=SLOW_POLL + config.namespace(
                           "virtual", "virtual/", config.Location("virtual", "~/virtual"),
                           more="list = yes\n"))
    wait_for_notify(here)
    write_virtual(here, user)
    with frontends[1].imap(user) as imap, here.imap(user) as client:
        for box in ("one", "two"):
            imap.ok(f"CREATE {box}")
            imap.append(box, messages.numbered(1))
        client.select("virtual/all")
        with client.idle():
            for count, box in ((3, "one"), (4, "two"), (5, "one")):
                imap.append(box, messages.numbered(count))
                client.wait_for(lambda answer, count=count:
                                answer == [str(count).encode(), b"EXISTS"], SOON)
    here.stop()


def write_virtual(server, user):
    root = os.path.join(server.user_home(user), "virtual")
    os.makedirs(os.path.join(root, "all"))
    with open(os.path.join(root, "all", "dovecot-virtual"), "w", encoding="utf-8") as file:
        file.write("one\ntwo\n  all\n")
    for folder in (root, os.path.join(root, "all")):
        shutil.chown(folder, "mail", "mail")
