"""The service pgbox-notify itself: several databases, one of them away, and old wake-up files."""

import os
import socket
import time

import pytest

from pgboxtest import config, messages
from pgboxtest.postgres import Postgres
from pgboxtest.process import kill_hard, wait_until
from pgboxtest.services import SLOW_POLL, leave_old_text, wait_for_notify

pytestmark = pytest.mark.usefixtures("pgbox_only")

SOON = 30


@pytest.fixture(scope="module")
def expected_log():
    return [r"pgbox-notify: Error: pgbox_(notify_)?dsn(\d|/db\d)?: Can't listen",
            r"pgbox-text: Error: pgbox_(notify_)?dsn(\d|/db\d)?: "
            "Text for SEARCH can't be extracted now",
            r"service\(pgbox-notify\): child \d+ killed with signal 9"]


def is_told(watcher, user, change, count=1):
    """A client in IDLE on a frontend is told of the n-th message."""
    with watcher.imap(user) as client:
        client.select("INBOX")
        with client.idle():
            change()
            client.wait_for(lambda answer: answer == [str(count).encode(), b"EXISTS"], SOON)


# --- several databases


@pytest.fixture(scope="module")
def shard(lab):
    """A second database, in a server of its own."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has this")
    postgres = lab.new_cluster("shard")
    yield postgres
    postgres.stop()


@pytest.fixture(scope="module")
def frontends(lab, shard):
    """One host with mail in the first database, two with mail in the second one."""
    leave_old_text(lab.postgres)
    dsns = config.notify_databases([lab.postgres.frontend_dsn, shard.frontend_dsn])
    servers = [lab.dovecot("tested", f"shard-{name}", notify=True, text=name == "a",
                           plugin={"pgbox_dsn": dsn, **dsns}, extra=SLOW_POLL)
               for name, dsn in (("a", lab.postgres.frontend_dsn), ("b", shard.frontend_dsn),
                                 ("c", shard.frontend_dsn))]
    wait_for_notify(*servers)
    yield servers
    for server in servers:
        server.stop()


def test_one_connection_for_each_database(lab, frontends, shard):
    for postgres in (lab.postgres, shard):
        assert postgres.value("select count(*) from pg_stat_activity "
                              "where application_name = 'pgbox/pgbox-notify'") == "3"


def test_each_database_is_listened_to(frontends, user):
    """The same name is another account in each database."""
    one, two, other_two = frontends
    is_told(one, user, lambda: one.deliver(user, messages.numbered(1)))
    is_told(other_two, user, lambda: two.deliver(user, messages.numbered(1)))


def test_text_of_each_database(lab, frontends, shard, user):
    one, two, _other_two = frontends
    one.deliver(user, messages.numbered(1))
    two.deliver(user, messages.numbered(1))
    for postgres in (lab.postgres, shard):
        wait_until(lambda postgres=postgres: postgres.value("""
            select count(*) from pgbox.message_text
            where account_id = (select account_id from pgbox.account where name = '""" + user
                   + "')") == "1", "text to be extracted", SOON)


@pytest.mark.parametrize("away", [0, 1])
def test_one_database_is_away(lab, frontends, shard, user, away):
    """What concerns the other one is told all the same; nobody relies on it for both."""
    lost = [lab.postgres, shard][away]
    left = frontends[:1] * 2 if away else frontends[1:]
    lost.kill()
    try:
        for server in left:
            wait_until(lambda server=server: not server.notifies(), "the loss to be noticed")
        is_told(left[1], user, lambda: left[0].deliver(user, messages.numbered(1)))
    finally:
        started = time.time()
        lost.start()
    for server in frontends:
        wait_until(lambda server=server: server.notifies(started),
                   "the notification service to listen again")


def test_a_database_that_never_answers(lab, user):
    """Connecting to it goes on and on, and keeps nobody waiting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsns = config.notify_databases([f"host=127.0.0.1 port={silent.getsockname()[1]}",
                                        lab.postgres.frontend_dsn])
        servers = [lab.dovecot("tested", f"patient-{name}", notify=True, plugin=dsns,
                               extra=SLOW_POLL) for name in "ab"]
        for server in servers:
            wait_until(lambda server=server: f"{config.notify_database(2)}: Listening"
                       in server.log_text(), "the second database to be listened to")
        for count in range(1, 6):
            is_told(servers[1], user, lambda count=count:
                    servers[0].deliver(user, messages.numbered(count)), count)
        wait_until(lambda: f"{config.notify_database(1)}: Can't listen"
                   in servers[0].log_text(), "the failure to be logged")
        for server in servers:
            assert not server.notifies()
            server.stop()


# --- old wake-up files


def make_old(path):
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(path, (long_ago, long_ago))


def test_old_files_are_removed(lab, user):
    """Those that nobody watches go; one that is watched is made again."""
    server = lab.dovecot("tested", "cleans", notify=True, extra=SLOW_POLL)
    wait_for_notify(server)
    directory = server.notify_directory

    def files():
        return {name for name in os.listdir(directory) if not name.startswith(".")}

    with server.imap(user) as client:
        client.select("INBOX")
        with client.idle():
            [watched] = wait_until(files, "a wake-up file")
            old, young, foreign = "0" * 32, "1" * 32, "not-a-wake-up-file"
            for name in (old, young, foreign):
                with open(os.path.join(directory, name), "wb"):
                    os.chmod(os.path.join(directory, name), 0o664)
            begin = time.time() - 1
            for name in (old, foreign, watched):
                make_old(os.path.join(directory, name))
            # all files are looked at when it begins to listen
            kill_hard(server.processes("pgbox-notify")[0])
            wait_until(lambda: old not in files(), "the old file to be removed")
            wait_until(lambda: watched in files() and
                       os.stat(os.path.join(directory, watched)).st_mtime > begin,
                       "the watched file to be made again")
            assert files() == {watched, young, foreign}
            server.deliver(user, messages.numbered(1))
            client.wait_for(lambda answer: answer == [b"1", b"EXISTS"], SOON)
    server.stop()
