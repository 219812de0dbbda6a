"""IDLE: what one frontend changes, clients of all others see at once.

The frontends ask by themselves only every ten minutes, so what arrives here was notified.
"""

import os
import time

import pytest

from pgboxtest import messages
from pgboxtest.imap import as_pairs
from pgboxtest.process import kill_hard, wait_until
from pgboxtest.services import SLOW_POLL, notified_frontends

# Dovecot's own storages need half a second; the rest is for a busy machine, and much less than
# what the frontends would need by themselves
SOON = 30
# after a failure: the service tries again every few seconds
AFTER_FAILURE = 60


@pytest.fixture(scope="module")
def expected_log():
    return [r"service\(pgbox-notify\): child \d+ killed with signal 9",
            r"pgbox-notify: Error: pgbox_dsn: Can't listen",
            r"imap\(u\d+-killed-database\).*Error: Mailbox INBOX: pgbox: "]


@pytest.fixture(scope="module")
def frontends(lab):
    with notified_frontends(lab, ["notify-a", "notify-b", "notify-c"], extra=SLOW_POLL) as servers:
        yield servers


@pytest.fixture
def watchers(frontends, user):
    """One client in IDLE on each frontend, the mailbox has two messages."""
    with frontends[0].imap(user) as imap:
        for number in range(2):
            imap.append("INBOX", messages.numbered(number))
    clients = [server.imap(user, enable=["CONDSTORE"]) for server in frontends]
    for client in clients:
        client.select("INBOX")
    yield clients
    for client in clients:
        client.close()


def is_exists(count):
    return lambda answer: isinstance(answer, list) and answer == [str(count).encode(), b"EXISTS"]


def is_expunge(answer):
    return isinstance(answer, list) and answer[1:] == [b"EXPUNGE"]


def is_fetch(answer):
    return isinstance(answer, list) and answer[1:2] == [b"FETCH"]


def wait_in_idle(clients, change, condition, timeout=SOON):
    """All clients idle, `change` is done, all clients are told.  The answers and the delays."""
    tags = []
    for client in clients:
        tags.append(client.send("IDLE"))
        client.wait_for(lambda answer: answer == [b"idling"] or answer == [b"idling."], SOON)
    change()
    start = time.monotonic()
    found = []
    for client in clients:
        answer = client.wait_for(condition, timeout)
        found.append((answer, time.monotonic() - start))
    for client, tag in zip(clients, tags):
        client._send_all(b"DONE\r\n")
        client.wait(tag)
    return found


def test_append_elsewhere(frontends, watchers, user):
    def change():
        with frontends[0].imap(user) as imap:
            imap.append("INBOX", messages.numbered(3))

    wait_in_idle(watchers, change, is_exists(3))


def test_delivery(frontends, watchers, user):
    wait_in_idle(watchers, lambda: frontends[1].deliver(user, messages.numbered(3)), is_exists(3))


def test_lda(frontends, watchers, user):
    """The process ends right after it has delivered."""
    wait_in_idle(watchers, lambda: frontends[2].lda(user, messages.numbered(3)), is_exists(3))


def test_flags_have_their_modseq(frontends, watchers, user):
    with frontends[1].imap(user) as imap:
        imap.select("INBOX")
        found = wait_in_idle(watchers, lambda: imap.ok("STORE 2 +FLAGS (\\Flagged)"), is_fetch)
        modseq = imap.fetch("2", "MODSEQ")[2]["MODSEQ"]
    for answer, _delay in found:
        values = as_pairs(answer[2])
        assert b"\\Flagged" in values["FLAGS"]
        assert values["MODSEQ"] == modseq


def test_expunge(frontends, watchers, user):
    def change():
        imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")

    with frontends[2].imap(user) as imap:
        imap.select("INBOX")
        found = wait_in_idle(watchers, change, is_expunge)
    assert all(answer[0] == b"1" for answer, _delay in found)


def test_move_and_copy(frontends, watchers, user):
    """The source of a MOVE is told its expunge, the target of a COPY its new message."""
    with frontends[0].imap(user) as imap:
        imap.ok("CREATE other")
        imap.select("INBOX")
        wait_in_idle(watchers, lambda: imap.ok("MOVE 1 other"), is_expunge)
        imap.select("other")
        wait_in_idle(watchers, lambda: imap.ok("COPY 1 INBOX"), is_exists(2))


def test_no_change_is_missed_in_a_burst(frontends, watchers, user):
    def change():
        with frontends[0].imap(user) as imap:
            for number in range(30):
                imap.append("INBOX", messages.numbered(number))

    wait_in_idle(watchers, change, is_exists(32))


def test_the_same_host_without_service(lab, user, pgbox_only):
    """Dovecot's own log file tells sessions of one host, as with its own storages."""
    server = lab.dovecot("tested", "alone", extra=SLOW_POLL)
    with server.imap(user) as first, server.imap(user) as second:
        first.select("INBOX")
        second.select("INBOX")

        def change():
            second.append("INBOX", messages.numbered(1))
            second.ok("NOOP")

        wait_in_idle([first], change, is_exists(1))


def test_polling_without_service(lab, frontends, user):
    """A host without the service asks at Dovecot's interval."""
    server = lab.dovecot("tested", "polls", extra="mailbox_idle_check_interval = 1 secs\n")
    with server.imap(user) as client:
        client.select("INBOX")
        wait_in_idle([client], lambda: frontends[0].deliver(user, messages.numbered(1)),
                     is_exists(1))


def test_a_host_may_be_silent(lab, frontends, user):
    """pgbox_notify = no: nobody is told."""
    silent = lab.dovecot("tested", "silent", plugin={"pgbox_notify": "no"})
    other = lab.new_user("loud")
    with frontends[0].imap(user) as quiet, frontends[0].imap(other) as loud:
        quiet.select("INBOX")
        loud.select("INBOX")
        with quiet.idle():
            silent.deliver(user, messages.numbered(1))
            before = written_files(frontends[0])
            # a notification sent later comes in later
            wait_in_idle([loud], lambda: frontends[1].deliver(other, messages.numbered(1)),
                         is_exists(1))
            changed = written_files(frontends[0]).items() - before.items()
            assert len(changed) == 1, changed
    silent.stop()


def written_files(server):
    """Wake-up files and when they were last written."""
    directory = server.notify_directory
    return {name: os.stat(os.path.join(directory, name)).st_mtime_ns
            for name in os.listdir(directory) if not name.startswith(".")}


def listen_again(servers, since):
    for server in servers:
        wait_until(lambda server=server: server.notifies(since),
                   "the notification service to listen again")


def service_pid(server):
    return wait_until(lambda: server.processes("pgbox-notify"), "the service to run")[0]


def test_killed_service(frontends, watchers, user):
    """Dovecot starts it again; what was changed meanwhile is told then."""
    def change():
        pid = service_pid(frontends[0])
        kill_hard(pid)
        frontends[1].deliver(user, messages.numbered(1))
        wait_until(lambda: frontends[0].processes("pgbox-notify") not in ([], [pid]),
                   "the service to be started again")

    killed = time.time()
    wait_in_idle(watchers, change, is_exists(3), AFTER_FAILURE)
    listen_again([frontends[0]], killed)


def test_lost_connection(lab, frontends, watchers, user):
    def change():
        assert lab.postgres.value("""
            select count(pg_terminate_backend(pid)) from pg_stat_activity
            where application_name = 'pgbox/pgbox-notify'""") != "0"
        frontends[1].deliver(user, messages.numbered(1))

    lost = time.time()
    wait_in_idle(watchers, change, is_exists(3), AFTER_FAILURE)
    listen_again(frontends, lost)


def test_killed_database(lab, frontends, watchers, user):
    def change():
        lab.postgres.kill()
        wait_until(lambda: not frontends[0].notifies(), "the service to notice the loss")
        lab.postgres.start()
        frontends[1].deliver(user, messages.numbered(1))

    killed = time.time()
    wait_in_idle(watchers, change, is_exists(3), AFTER_FAILURE)
    listen_again(frontends, killed)


def test_one_connection_for_a_host(lab, frontends, user):
    """Clients in IDLE hold no connection; each host's service holds one."""
    clients = [server.imap(user) for server in frontends for _client in range(4)]
    for client in clients:
        client.select("INBOX")
        client.send("IDLE")
        client.wait_for(lambda answer: answer in ([b"idling"], [b"idling."]), SOON)
    try:
        wait_until(lambda: lab.postgres.value("""
            select count(*) from pg_stat_activity where application_name = 'pgbox/imap'""") == "0",
                   "the connections of idle clients to be closed")
        assert int(lab.postgres.value("""
            select count(*) from pg_stat_activity
            where application_name = 'pgbox/pgbox-notify'""")) >= 3
    finally:
        for client in clients:
            client.close()
