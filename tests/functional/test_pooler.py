"""pgbouncer in transaction mode between Dovecot and PostgreSQL: every statement may run on
another server connection, and many sessions share few of them."""

import os

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import Dovecot, Options
from pgboxtest.lab import plugin_path
from pgboxtest.postgres import DATABASE
from pgboxtest.process import free_port, port_answers, start_server, stop_server, wait_until

pytestmark = pytest.mark.usefixtures("pgbox_only")

ROLE = "pgbox_pooled"  # its own, to count its connections
POOL_SIZE = 2
CONFIG = """\
[databases]
; auth_type = any needs the server's role here
{database} = host={socket_dir} port={server_port} dbname={database} user={role}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
"""


@pytest.fixture(scope="module")
def expected_log():
    return [r"pgbox-notify: Error: pgbox_notify_dsn(/db1)?: Can't listen.*There is a pooler "
            "between"]


@pytest.fixture(scope="module")
def pooler(lab):
    """The port of a running pgbouncer."""
    lab.postgres.sql(f"create role {ROLE} login in role pgbox_mail")
    directory = os.path.join(lab.directory, "pooler")
    os.makedirs(directory)
    port = free_port()
    config = os.path.join(directory, "pgbouncer.ini")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(database=DATABASE, role=ROLE, port=port,
                                 socket_dir=lab.postgres.directory,
                                 server_port=lab.postgres.port, pool_size=POOL_SIZE))
    process = start_server(["/usr/sbin/pgbouncer", config], os.path.join(directory, "log"),
                           user="postgres")
    wait_until(lambda: port_answers(port), "pgbouncer to answer")
    yield port
    stop_server(process)


@pytest.fixture(scope="module")
def servers(lab, pooler):
    """Two frontends behind the pooler."""
    dsn = f"host=127.0.0.1 port={pooler} dbname={DATABASE} user={ROLE}"
    home = os.path.join(lab.directory, "home-pooled")
    instances = []
    for name in "ab":
        server = Dovecot(os.path.join(lab.directory, f"pooled-{name}"), "pgbox", home, Options(),
                         dsn, plugin_path())
        lab.instances.append(server)
        instances.append(server.start())
    return instances


def test_sessions_share_connections(lab, servers, user):
    """Ten sessions at once, on two server connections, and all of them right."""
    sessions = [servers[number % 2].imap(user) for number in range(10)]
    for number, imap in enumerate(sessions):
        imap.append("INBOX", messages.numbered(number), [f"kw{number}"])
        imap.select("INBOX")
    for number, imap in enumerate(sessions):
        imap.ok("NOOP")
        imap.ok(f"STORE {number + 1} +FLAGS (\\Flagged)")
    for imap in sessions:
        imap.ok("NOOP")
    bodies = [list(imap.bodies().values()) for imap in sessions]
    flags = [imap.fetch("1:*", "FLAGS MODSEQ") for imap in sessions]
    assert bodies == [[messages.numbered(number) for number in range(10)]] * 10
    for answer in flags:
        for values in answer.values():
            values["FLAGS"] = sorted(set(values["FLAGS"]) - {b"\\Recent"})
            assert b"\\Flagged" in values["FLAGS"]
        assert answer == flags[0]
    connections = lab.postgres.sql(f"select pid from pg_stat_activity where usename = '{ROLE}'")
    assert 1 <= len(connections) <= POOL_SIZE
    for imap in sessions:
        imap.logout()


def test_large_message(servers, user):
    """Its chunks go through several transactions, and maybe several connections."""
    data = messages.numbered(1, size=3_000_000)
    with servers[0].imap(user) as imap:
        imap.append("INBOX", data)
    with servers[1].imap(user) as imap:
        imap.select("INBOX")
        assert list(imap.bodies().values()) == [data]


def test_mixed_transaction(servers, user):
    """MOVE and MULTIAPPEND through the pooler; nothing of a session stays on a connection."""
    with servers[0].imap(user) as imap, servers[1].imap(user) as other:
        imap.ok("CREATE box")
        for number in range(4):
            imap.append("INBOX", messages.numbered(number))
        imap.select("INBOX")
        other.select("box")
        imap.ok("MOVE 1:2 box")
        other.ok("NOOP")
        assert len(other.search("ALL")) == 2
        assert len(imap.search("ALL")) == 2


def test_notifications_need_a_direct_connection(lab, pooler, user):
    """The service says so, and sessions ask by themselves."""
    server = lab.dovecot("tested", "listens-to-pooler", notify=True,
                         plugin=config.notify_databases([f"host=127.0.0.1 port={pooler} "
                                                         f"dbname={DATABASE} user={ROLE}"]),
                         extra="mailbox_idle_check_interval = 1 secs\n")
    wait_until(lambda: "There is a pooler between" in server.log_text(), "the line in the log")
    assert not server.notifies()
    with server.imap(user) as client:
        client.select("INBOX")
        with client.idle():
            server.deliver(user, messages.numbered(1))
            client.wait_for(lambda answer: answer == [b"1", b"EXISTS"], 30)
    server.stop()
