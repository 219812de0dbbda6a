"""Clients in IDLE watch the storm of workers.py: what they were told must be the mailbox.

Each keeps its own list of messages, from EXISTS, EXPUNGE and FETCH alone. The frontends ask by
themselves only every ten minutes, so everything was notified.
"""

import concurrent.futures
import multiprocessing
import os
import threading

import pytest

from pgboxtest import messages
from pgboxtest.imap import ConnectionLost, as_pairs
from pgboxtest.process import wait_until
from workers import BOX, OTHER, run_worker

SECONDS = float(os.environ.get("PGBOX_STRESS_SECONDS", "15"))
WORKERS = 4
SLOW_POLL = "mailbox_idle_check_interval = 10 mins\n"


def plain_flags(flags):
    return frozenset(bytes(flag) for flag in flags) - {b"\\Recent"}


class Watcher:
    """A client in IDLE; `flags` has the flags of each message, None where nobody told them."""

    def __init__(self, server, user):
        self.client = server.imap(user, enable=["CONDSTORE"])
        self.client.select(BOX)
        known = self.client.fetch("1:*", "FLAGS", uid=False)
        self.flags = [plain_flags(known[number]["FLAGS"]) for number in sorted(known)]
        self.wrong = []
        self.changes_told = 0
        self.client.send("IDLE")
        self.client.socket.settimeout(None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                _tag, answer = self.client.read_response()
                if isinstance(answer, list) and len(answer) > 1 and answer[0].isdigit():
                    self._told(int(answer[0]), answer[1], answer[2:])
        except (ConnectionLost, OSError, ValueError) as error:
            self.wrong.append(repr(error))

    def _told(self, number, what, args):
        if what == b"EXISTS":
            if number < len(self.flags):
                self.wrong.append(f"{number} EXISTS after {len(self.flags)}")
            self.flags += [None] * (number - len(self.flags))
        elif what == b"EXPUNGE":
            del self.flags[number - 1]
        elif what == b"FETCH":
            self.flags[number - 1] = plain_flags(as_pairs(args[0])["FLAGS"])
            self.changes_told += 1

    def agrees(self, flags):
        """Whether this is what the client was told."""
        return len(flags) == len(self.flags) and all(
            told is None or told == real for told, real in zip(list(self.flags), flags))


@pytest.fixture(scope="module")
def frontends(lab):
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has this")
    servers = [lab.dovecot("tested", f"watch-{number}", notify=True, hibernate=hibernate,
                           extra=SLOW_POLL)
               for number, hibernate in enumerate((0, 0, 1))]
    for server in servers:
        wait_until(server.notifies, "the notification service to listen")
    yield servers
    for server in servers:
        server.stop()


def test_watchers_know_the_mailbox(lab, frontends):
    user = lab.new_user("watched")
    with frontends[0].imap(user) as imap:
        imap.ok(f"CREATE {OTHER}")
        for number in range(30):
            imap.append(BOX, messages.numbered(number))
    watchers = [Watcher(server, user)
                for server in frontends for _ in range(2)]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(WORKERS, context) as pool:
        running = [pool.submit(run_worker, number, frontends[number % 3].imap_port, user, SECONDS)
                   for number in range(WORKERS)]
        memories = [future.result() for future in running]
    assert sum(memory.commands for memory in memories) > WORKERS
    with frontends[1].imap(user) as imap:
        imap.select(BOX)
        found = imap.fetch("1:*", "FLAGS", uid=False)
    real = [plain_flags(found[number]["FLAGS"]) for number in sorted(found)]
    for watcher in watchers:
        wait_until(lambda watcher=watcher: watcher.agrees(real) or watcher.wrong,
                   "a client in IDLE to know the mailbox", 30)
        assert not watcher.wrong
        assert watcher.changes_told > 0, "the storm changed nothing"
    for watcher in watchers:
        watcher.client.socket.shutdown(2)
