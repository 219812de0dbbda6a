"""What a command costs: octets and round trips to the database, memory of the processes."""

import base64
import random
import threading

import pytest

from pgboxtest import messages
from pgboxtest.imap import as_pairs
from pgboxtest.proxy import CountingProxy

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def metered(lab):
    """(proxy, frontend): all the frontend's database traffic goes through the proxy."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has a database")
    proxy = CountingProxy(lab.postgres.port)
    dsn = (f"host=127.0.0.1 port={proxy.port} dbname=pgbox user=pgbox_frontend sslmode=disable "
           "gssencmode=disable")
    server = lab.dovecot("tested", "metered", plugin={"pgbox_dsn": dsn})
    yield proxy, server
    server.stop()
    proxy.close()


def with_attachment(size):
    """A message with a text part and a base64 part of about `size` octets."""
    data = base64.encodebytes(random.Random(1).randbytes(size * 3 // 4 * 76 // 77))
    return messages.crlf(
        b"Subject: attached\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="edge"\n\n--edge\n\ntext\n--edge\n'
        b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
        + data + b"--edge--\n")


def test_partial_of_large_part(metered, user):
    """A range of a 25 MB attachment must not bring the whole message over."""
    proxy, server = metered
    data = with_attachment(25 * MEGABYTE)
    with server.imap(user) as imap:
        imap.append("INBOX", data)
    with server.imap(user) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            part = imap.fetch("1", "BODY.PEEK[2]<12000000.20000>")[1]["BODY[2]<12000000>"]
        start = data.index(b"base64\r\n\r\n") + len(b"base64\r\n\r\n") + 12_000_000
        assert part == data[start:start + 20_000]
    assert cost["received"] < MEGABYTE, cost


def test_structure_of_large_mail_needs_no_body(metered, user):
    proxy, server = metered
    with server.imap(user) as imap:
        imap.append("INBOX", with_attachment(5 * MEGABYTE))
    server.clear_cache(user)
    with server.imap(user) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            imap.fetch("1", "ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE "
                            "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]")
    assert cost["received"] < 100_000, cost


LISTING = {
    "envelope": "ENVELOPE RFC822.SIZE INTERNALDATE FLAGS",
    "structure": "BODYSTRUCTURE",
    "headers": "BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]",
    "small bodies": "BODY.PEEK[]",
}


@pytest.mark.parametrize("items", LISTING.values(), ids=LISTING)
def test_no_query_for_each_message(metered, user, items):
    """FETCH 1:* with a cold cache: round trips do not grow with the number of messages."""
    proxy, server = metered
    fill(server, user, 300)
    server.clear_cache(user)
    with server.imap(user) as imap:
        imap.select("INBOX")
        with proxy.measured() as cost:
            assert len(imap.fetch("1:*", items)) == 300
    assert cost["round_trips"] < 60, cost


def fill(server, user, count):
    """Many small messages in one MULTIAPPEND."""
    parts = ["APPEND INBOX"]
    with server.imap(user) as imap:
        for number in range(count):
            parts += [" ", *imap.append_parts("", messages.numbered(number))[1:]]
        imap.ok(*parts)


CHANGES = {
    "store": "STORE 1:* +FLAGS (\\Seen Word)",
    "copy": "COPY 1:* INBOX",
    "move": "MOVE 1:* other",
    "search flags": "SEARCH UNSEEN",
}


@pytest.mark.parametrize("command", CHANGES.values(), ids=CHANGES)
def test_change_of_many_is_few_round_trips(metered, user, command):
    proxy, server = metered
    fill(server, user, 300)
    with server.imap(user) as imap:
        imap.ok("CREATE other")
        imap.select("INBOX")
        with proxy.measured() as cost:
            imap.ok(command)
    assert cost["round_trips"] <= 10, cost
    assert cost["received"] < 200_000, "COPY and MOVE must not move the bytes"


def test_list_status_is_few_round_trips(metered, user):
    """STATUS of all mailboxes comes from the counters, in one query for all."""
    proxy, server = metered
    with server.imap(user) as imap:
        for number in range(40):
            imap.ok(f"CREATE box{number}")
        with proxy.measured() as cost:
            result = imap.ok('LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT SIZE))')
    assert len(result.named("STATUS")) == 41
    assert all(as_pairs(args[1])["MESSAGES"] == b"0" for args in result.named("STATUS"))
    assert cost["round_trips"] <= 6, cost


def test_noop_is_one_round_trip(metered, user):
    proxy, server = metered
    fill(server, user, 10)
    with server.imap(user) as imap:
        imap.select("INBOX")
        imap.ok("NOOP")
        with proxy.measured() as cost:
            imap.ok("NOOP")
    assert cost["round_trips"] <= 1, cost
    assert cost["received"] < 2_000, cost


def test_cut_connection_is_not_noticed(metered, user):
    """The network breaks an idle connection: reads and writes go on over a new one."""
    proxy, server = metered
    with server.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.select("INBOX")
        for command in ("NOOP", "FETCH 1 (BODY.PEEK[])", "STORE 1 +FLAGS (\\Seen)", "CREATE box",
                        "COPY 1 box", "STATUS box (MESSAGES)"):
            proxy.cut()
            imap.ok(command)


# --- memory ------------------------------------------------------------------------------


class MemoryWatch:
    """Samples the private memory of processes (VmHWM would count shared buffers as well)."""

    def __init__(self, pids):
        self.start = {pid: private_memory(pid) for pid in pids}
        self.peak = dict(self.start)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self):
        while not self._over.wait(0.003):
            for pid, peak in self.peak.items():
                self.peak[pid] = max(peak, private_memory(pid))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._over.set()
        self._thread.join()

    def grown(self):
        """Megabytes by process id."""
        return {pid: (self.peak[pid] - self.start[pid]) / MEGABYTE for pid in self.peak}


def private_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def test_large_mail_needs_little_memory(lab, frontend_a, user, pgbox_only):
    """50 MB in and out: less than 20 MB more in the imap process and in the backend."""
    data = with_attachment(50 * MEGABYTE)
    with frontend_a.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))  # connects
        imap.select("INBOX")
        imap.fetch("1", "BODY.PEEK[]")
        watched = frontend_a.processes("imap") + lab.postgres.frontend_backends()
        assert len(watched) >= 2
        with MemoryWatch(watched) as memory:
            imap.append("INBOX", data)
            imap.ok("NOOP")
            assert imap.fetch("2", "BODY.PEEK[]")[2]["BODY[]"] == data
    assert max(memory.grown().values()) < 20, memory.grown()


def test_large_deliveries_at_once(frontend_a, frontend_b, lab):
    """Several big deliveries beside each other on both frontends, all whole."""
    data = messages.numbered(1, size=8 * MEGABYTE)
    users = [lab.new_user("big") for _ in range(4)]
    codes = []

    def deliver(index):
        server = (frontend_a, frontend_b)[index % 2]
        codes.append(server.deliver(users[index % 4], data)[0])

    threads = [threading.Thread(target=deliver, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [250] * 8
    for name in users:
        with frontend_b.imap(name) as imap:
            imap.select("INBOX")
            bodies = list(imap.bodies().values())
            assert len(bodies) == 2 and all(body.endswith(data) for body in bodies)
