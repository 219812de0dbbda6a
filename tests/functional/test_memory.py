"""Large mail must not make processes large: neither Dovecot's nor those of PostgreSQL."""

import os

import pytest

from pgboxtest import messages
from pgboxtest.lmtp import LmtpClient

MEGABYTE = 1024 * 1024
LARGE = 50 * MEGABYTE

pytestmark = pytest.mark.skipif(bool(os.environ.get("PGBOX_VALGRIND")),
                                reason="the memory is valgrind's")


@pytest.fixture(scope="module")
def large():
    return messages.with_attachment(LARGE)


@pytest.fixture(scope="module")
def frontend(lab):
    """Its processes and connections have not handled anything large before."""
    server = lab.dovecot("tested", "memory")
    yield server
    server.stop()


def memory(pid, field):
    """One of the sizes in /proc/PID/status, in octets."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) * 1024 for line in status
                    if line.startswith(field + ":"))


class MemoryGrowth:
    """By how much processes grow at their highest, as the kernel has noted it.

    Mail processes: resident memory.  Backends: address space, because shared buffers become
    resident when they are used first, and have been part of the address space all along.
    """

    def __init__(self, lab, frontend, service):
        self.services = frontend.processes(service)
        self.backends = lab.postgres.frontend_backends() if frontend.backend == "pgbox" else []
        assert self.services and (self.backends or frontend.backend != "pgbox")
        for pid in self.services:
            with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as clear:
                clear.write("5")  # the highest resident size is the present one
        self.start = {pid: memory(pid, "VmRSS") for pid in self.services}
        self.start |= {pid: memory(pid, "VmSize") for pid in self.backends}

    def megabytes(self):
        """{"imap 123": 1.5, "backend 345": 0.5}"""
        peaks = {pid: memory(pid, "VmHWM") for pid in self.services}
        peaks |= {pid: memory(pid, "VmPeak") for pid in self.backends}
        return {f"{'backend' if pid in self.backends else 'service'} {pid}":
                round((peak - self.start[pid]) / MEGABYTE, 1) for pid, peak in peaks.items()}


def test_append(lab, frontend, user, large):
    """50 MB beside 1 KB."""
    with frontend.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.select("INBOX")
        growth = MemoryGrowth(lab, frontend, "imap")
        imap.append("INBOX", large)
        assert max(growth.megabytes().values()) < 20, growth.megabytes()
        assert imap.fetch("2", "BODY.PEEK[]")[2]["BODY[]"] == large
        assert max(growth.megabytes().values()) < 20, growth.megabytes()


def test_delivery(lab, frontend, user, large):
    with LmtpClient(frontend.lmtp_port) as lmtp:
        assert lmtp.deliver(user, messages.numbered(1))[0] == 250
        growth = MemoryGrowth(lab, frontend, "lmtp")
        assert lmtp.deliver(user, large)[0] == 250
        assert max(growth.megabytes().values()) < 20, growth.megabytes()
    with frontend.imap(user) as imap:
        imap.select("INBOX")
        assert imap.fetch("2", "BODY.PEEK[]")[2]["BODY[]"].endswith(large)


def test_fetch_of_many_megabytes(lab, frontend, user):
    """200 MB of bodies: 4 of 25 MB and 1000 of 100 KB."""
    with frontend.imap(user) as imap:
        imap.append("INBOX", messages.with_attachment(25 * MEGABYTE))
        imap.select("INBOX")
        for _ in range(3):
            imap.ok("COPY 1 INBOX")
        for number in range(10):
            imap.append("INBOX", messages.numbered(number, size=102_400))
        for _ in range(99):
            imap.ok("COPY 5:14 INBOX")
    if frontend.backend == "pgbox":
        frontend.clear_cache(user)
    with frontend.imap(user) as imap:
        imap.select("INBOX")
        growth = MemoryGrowth(lab, frontend, "imap")
        assert fetched_octets(imap, "FETCH 1:* (BODY.PEEK[])") > 195 * MEGABYTE
        assert max(growth.megabytes().values()) < 32, growth.megabytes()


def fetched_octets(imap, command):
    """Run a FETCH of one item for each mail and keep nothing but the sum of the sizes."""
    tag = imap.send(command)
    total = 0
    while True:
        got, answer = imap.read_response()
        if got == tag:
            assert answer.word == "OK", answer
            return total
        if answer[1:2] == [b"FETCH"]:
            total += len(answer[2][1])
