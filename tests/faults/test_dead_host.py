"""One of the hosts of the connection string does not answer: the host's processes wait for it once.

`pytest -s` shows what a session costs.
"""

import glob
import os
import socket
import struct
import time
import zlib

import pytest

from pgboxtest import config
from pgboxtest.process import wait_until
from pgboxtest.services import wait_for_notify
from test_hangs import HoldingProxy

CONNECT = 2  # seconds, of which each of two hosts has half
SESSIONS = 10
RECORD = "<16q"  # when each host is looked at again
LEFT, USED = "does not answer, and is left for now", "is used again"


@pytest.fixture(scope="module")
def expected_log():
    """The services' own connections go through the proxy, too."""
    return [r"pgbox-(notify|text): Error: "]


@pytest.fixture(scope="module")
def two_hosts(lab):
    """(proxy, frontend): the first host is the proxy, the second one PostgreSQL itself."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    proxy = HoldingProxy(lab.postgres.port)
    dsn = lab.postgres.frontend_dsn_at(proxy.port, lab.postgres.port)
    server = lab.dovecot("tested", "two-hosts", notify=True, plugin={
        "pgbox_dsn": dsn, "pgbox_connect_timeout": f"{CONNECT}s",
        **config.notify_databases([lab.postgres.frontend_dsn])})
    wait_for_notify(server)
    yield proxy, server
    proxy.open.set()
    server.stop()
    proxy.close()


@pytest.fixture
def dead_host(two_hosts):
    """The same with a first host that does not answer."""
    proxy, server = two_hosts
    forget(server)
    proxy.open.clear()
    yield server
    proxy.open.set()
    forget(server)


def records(server):
    return glob.glob(os.path.join(server.notify_directory, ".hosts.*"))


def forget(server):
    for path in records(server):
        os.unlink(path)


def write_record(server, times, checksum=None):
    """What a process may have left there."""
    (path,) = records(server)
    body = struct.pack("<I", 0) + struct.pack(RECORD, *times, *[0] * (16 - len(times)))
    with open(path, "r+b") as record:
        record.write(struct.pack("<I", zlib.crc32(body) if checksum is None else checksum) + body)


def session(server, user):
    """How long it takes from the greeting to a mailbox."""
    with server.imap(None) as imap:
        start = time.monotonic()
        imap.login(user)
        imap.select("INBOX")
        return time.monotonic() - start


def log_count(server, text, since):
    return server.log_text(since).count(text)


def test_one_waits(two_hosts, user):
    proxy, server = two_hosts
    forget(server)
    session(server, user)
    plain = sorted(session(server, user) for _ in range(SESSIONS))
    since = server.log_size()
    proxy.open.clear()
    first = session(server, user)
    later = sorted(session(server, user) for _ in range(SESSIONS))
    print(f"\n  plain {plain[0]:.3f} {plain[SESSIONS // 2]:.3f}, first {first:.3f}, "
          f"later {later[0]:.3f} {later[SESSIONS // 2]:.3f} s (least and median)")
    assert first > CONNECT / 2
    assert later[-1] < CONNECT / 2
    assert later[0] < plain[0] + 0.02
    assert log_count(server, LEFT, since) == 1

    # it is back: somebody looks, and then it is used
    since = server.log_size()
    proxy.open.set()
    write_record(server, [int(time.time()) - 1])
    wait_until(lambda: session(server, user) and log_count(server, USED, since), "the first host", 20)
    for _ in range(3):
        session(server, user)
    assert log_count(server, USED, since) == 1
    assert log_count(server, LEFT, since) == 0


def test_looking_costs_nothing(dead_host, user):
    """The first host is still dead when a process looks at it."""
    session(dead_host, user)
    since = dead_host.log_size()
    for _ in range(3):
        write_record(dead_host, [int(time.time()) - 1])
        assert session(dead_host, user) < CONNECT / 2
    assert log_count(dead_host, LEFT, since) == 0


def test_both_left(dead_host, user):
    """What is left is asked all the same when there is nothing else."""
    session(dead_host, user)
    later = int(time.time()) + 20
    write_record(dead_host, [later, later])
    assert session(dead_host, user) < CONNECT


def test_no_answer_to_the_first_packet(lab, user):
    """A real black hole: the queue of a socket that nobody accepts from is full."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(hole.getsockname())
        dsn = lab.postgres.frontend_dsn_at(hole.getsockname()[1], lab.postgres.port)
        server = lab.dovecot("tested", "hole", plugin={
            "pgbox_dsn": dsn, "pgbox_connect_timeout": f"{CONNECT}s"})
        # without pgbox-notify the sessions of one user know it
        assert session(server, user) > CONNECT / 2
        assert max(session(server, user) for _ in range(3)) < CONNECT / 2
        server.stop()
        for client in waiting:
            client.close()


@pytest.mark.parametrize("times,checksum", [
    ([2**63 - 1, -2**63], None), ([-2, 2**62], None), ([2**62, 2**62], 0)],
    ids=["extremes", "never", "damaged"])
def test_record_is_input(dead_host, user, times, checksum):
    """What no process writes is as good as nothing, and what comes next puts it right."""
    session(dead_host, user)
    write_record(dead_host, times, checksum)
    assert session(dead_host, user) > CONNECT / 2
    assert session(dead_host, user) < CONNECT / 2


@pytest.mark.parametrize("content", [b"", b"\xff" * 7, b"\xff" * 10_000, None])
def test_file_is_input(dead_host, user, content):
    session(dead_host, user)
    (path,) = records(dead_host)
    os.unlink(path)
    if content is None:
        os.symlink("/etc/passwd", path)
    else:
        with open(path, "wb") as record:
            record.write(content)
    for _ in range(2):
        session(dead_host, user)
