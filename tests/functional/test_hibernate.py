"""imap-hibernate: the session's process ends while its client is in IDLE, and comes back.

A session hibernates after one second of IDLE; only the wake-up file brings it back.
"""

import os
import signal
import time

import pytest

from pgboxtest import config, messages
from pgboxtest.imap import as_pairs
from pgboxtest.process import kill_hard, wait_until
from pgboxtest.services import SLOW_POLL, notified_frontends

# much less than the session's own look for changes, and time for a busy machine
SOON = 30


@pytest.fixture(scope="module")
def expected_log():
    return [r"service\(pgbox-notify\): child \d+ killed with signal 9",
            r"pgbox-notify: Error: pgbox_dsn: Can't listen"]


@pytest.fixture(scope="module")
def frontends(lab):
    with notified_frontends(lab, ["hibernate-a", "hibernate-b"], hibernate=1,
                            extra=SLOW_POLL) as servers:
        yield servers


def add(server, user, *numbers):
    with server.imap(user) as imap:
        for number in numbers:
            imap.append("INBOX", messages.numbered(number))
        imap.logout()


def sleeps(server, processes=0):
    """Waits until the sessions have hibernated."""
    wait_until(lambda: len(server.processes("imap")) == processes, "the session to hibernate", 60)
    assert server.processes("imap-hibernate")


def begin_idle(client):
    tag = client.send("IDLE")
    client.wait_for(lambda answer: answer in ([b"idling"], [b"idling."]), SOON)
    return tag


def end_idle(client, tag):
    client._send_all(b"DONE\r\n")
    return client.wait(tag)


def told(client, condition):
    """Untagged answers up to the one that satisfies the condition."""
    seen = []
    client.wait_for(lambda answer: seen.append(answer) or condition(answer), SOON)
    return seen


def is_answer(*words):
    return lambda answer: isinstance(answer, list) and answer[-len(words):] == list(words)


def is_fetch(answer):
    return isinstance(answer, list) and answer[1:2] == [b"FETCH"]


@pytest.mark.parametrize("feature", ["CONDSTORE", "QRESYNC"])
def test_new_mail_expunge_and_flags(frontends, user, feature):
    here, there = frontends
    add(here, user, 1, 2, 3)
    with here.imap(user, enable=[feature]) as client, there.imap(user) as other:
        client.select("INBOX")
        other.select("INBOX")
        tag = begin_idle(client)
        sleeps(here)

        other.append("INBOX", messages.numbered(4))
        told(client, is_answer(b"4", b"EXISTS"))
        sleeps(here)

        other.ok("STORE 2 +FLAGS (\\Flagged)")
        answer = told(client, is_fetch)[-1]
        # As with sdbox, MODSEQ is missing, and below it is EXPUNGE, not VANISHED: Dovecot
        # restores the mailbox before it remembers what was enabled.
        assert b"\\Flagged" in as_pairs(answer[2])["FLAGS"]
        sleeps(here)

        other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        told(client, lambda answer: answer in ([b"1", b"EXPUNGE"], [b"VANISHED", b"1"]))
        sleeps(here)

        assert end_idle(client, tag).ok
        assert client.fetch("1:*", "MODSEQ") == other.fetch("1:*", "MODSEQ")


def test_all_at_once(frontends, user):
    """Expunges, new mail and flags, all while the session slept."""
    here, there = frontends
    add(here, user, *range(1, 9))
    with here.imap(user, enable=["QRESYNC"]) as client:
        client.select("INBOX")
        tag = begin_idle(client)
        sleeps(here)
        # as one change: the session must not wake in between
        with there.imap(user) as other:
            other.select("INBOX")
            other.ok("STORE 2,4:5 +FLAGS.SILENT (\\Deleted)")
            other.ok("EXPUNGE")
            other.append("INBOX", messages.numbered(9))
            other.ok("UID STORE 8 +FLAGS (\\Seen late)")
            expected = other.fetch("1:*", "FLAGS MODSEQ")
        told(client, lambda answer: is_fetch(answer) and
             b"late" in as_pairs(answer[2])["FLAGS"])
        result = end_idle(client, tag)
        assert result.ok
        found = client.fetch("1:*", "FLAGS MODSEQ")
        for values in list(found.values()) + list(expected.values()):
            values["FLAGS"] = {flag for flag in values["FLAGS"] if flag != b"\\Recent"}
        assert found == expected


def test_client_wakes_it(frontends, user):
    here, _there = frontends
    add(here, user, 1)
    with here.imap(user) as client:
        client.select("INBOX")
        tag = begin_idle(client)
        sleeps(here)
        assert end_idle(client, tag).ok
        assert client.fetch("1", "UID")


def test_rotated_log(lab, frontends, user):
    """The index log that the session knew is not the current one any more."""
    here, there = frontends
    # shares the index files, and wakes nobody
    silent = lab.dovecot("tested", "silent", plugin={"pgbox_notify": "no"},
                         extra=config.Location("pgbox", here.cache + "/%{user}").settings()
                               + "mail_index_log_rotate_min_size = 1k\n"
                               "mail_index_log_rotate_min_age = 1 secs\n")
    add(here, user, 1, 2, 3)
    with here.imap(user, enable=["QRESYNC"]) as client:
        client.select("INBOX")
        tag = begin_idle(client)
        sleeps(here)
        with silent.imap(user) as other:
            other.select("INBOX")
            wait_until(lambda: rotated_log(here, user) or
                       not other.ok("STORE 2 +FLAGS (a b c)", "") or
                       not other.ok("STORE 2 -FLAGS (a b c)"), "the log to be rotated")
            other.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
            other.ok("EXPUNGE")
        assert here.processes("imap") == []
        there.deliver(user, messages.numbered(4))
        told(client, is_answer(b"3", b"EXISTS"))
        assert end_idle(client, tag).ok
        assert client.fetch("1:*", "UID").keys() == {2, 3, 4}
    silent.stop()


def rotated_log(server, user):
    return [folder for folder, _dirs, names in os.walk(os.path.join(server.cache, user))
            if "dovecot.index.log.2" in names]


def test_no_connection(lab, frontends, user):
    here, _there = frontends
    clients = [here.imap(user) for _client in range(3)]
    for client in clients:
        client.select("INBOX")
        begin_idle(client)
    sleeps(here)
    # a server process ends a little after its client
    wait_until(lambda: lab.postgres.value("""
        select count(*) from pg_stat_activity where application_name = 'pgbox/imap'""") == "0",
               "the connections of the sessions to be closed")
    for client in clients:
        client.close()


def test_change_while_it_falls_asleep(frontends, user):
    """The process was told of a change and hibernates before it looks: for Dovecot's event loop
    time comes first."""
    here, there = frontends
    add(here, user, 1)
    with here.imap(user) as client:
        client.select("INBOX")
        tag = begin_idle(client)
        [pid] = here.processes("imap")
        os.kill(pid, signal.SIGSTOP)
        there.deliver(user, messages.numbered(2))
        # until after its time to hibernate, and the notification has come
        time.sleep(2)
        os.kill(pid, signal.SIGCONT)
        told(client, is_answer(b"2", b"EXISTS"))
        assert end_idle(client, tag).ok


def test_service_killed_while_it_sleeps(frontends, user):
    """What was changed while there was no service is told when it is back."""
    here, there = frontends
    add(here, user, 1)
    with here.imap(user) as client:
        client.select("INBOX")
        tag = begin_idle(client)
        sleeps(here)
        pid = here.processes("pgbox-notify")[0]
        killed = time.time()
        kill_hard(pid)
        there.deliver(user, messages.numbered(2))
        told(client, is_answer(b"2", b"EXISTS"))
        assert end_idle(client, tag).ok
    wait_until(lambda: here.notifies(since=killed), "the notification service to listen again")


def test_no_service_no_hibernation(lab, user, pgbox_only):
    """Without the service nobody would wake it, so it stays and polls."""
    server = lab.dovecot("tested", "insomnia", hibernate=1,
                         extra="mailbox_idle_check_interval = 3 secs\n")
    sender = lab.dovecot("tested", "sender")
    with server.imap(user) as client:
        client.select("INBOX")
        begin_idle(client)
        sender.deliver(user, messages.numbered(1))
        told(client, is_answer(b"1", b"EXISTS"))
        sender.deliver(user, messages.numbered(2))
        told(client, is_answer(b"2", b"EXISTS"))
        assert server.processes("imap")
        assert not server.processes("imap-hibernate")
    server.stop()
    sender.stop()
