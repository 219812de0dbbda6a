#!/usr/bin/python3
"""tests/bench/notifications.py idle|hibernate|rate|text: what the services bring, and what they cost.

idle       clients in IDLE on three frontends: from the writer's OK to the client's EXISTS
hibernate  sessions that hibernate, and are all woken by one change each
rate       deliveries a second with notifications on and off, in turns
text       deliveries a second while pgbox-text works, while it is stopped, and where no text is
           wanted, in turns; then how fast it works alone

Each session that waits needs an inotify instance: raise fs.inotify.max_user_instances (128) above
the number of clients before, and set it back.

It needs root and the module, as tests/bench/run does; --help tells more.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import re
import selectors
import signal
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
BENCH = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(BENCH), str(BENCH.parent)]

# pylint: disable=wrong-import-position
from pgboxtest.imap import ConnectionLost, ImapClient  # noqa: E402
from pgboxtest.lab import Lab, sql_directory  # noqa: E402
from pgboxtest.messages import numbered  # noqa: E402
from pgboxtest.postgres import Postgres  # noqa: E402
from pgboxtest.process import kill_hard, wait_until  # noqa: E402
from clients import FastLmtp, in_parallel  # noqa: E402
from mails import message  # noqa: E402

LIMITS = "service imap {\n  process_limit = 4000\n}\nservice imap-login {\n  client_limit = 4000\n}\n"
SLOW_POLL = "mailbox_idle_check_interval = 10 mins\n"
EXISTS = re.compile(rb"\* (\d+) EXISTS\r\n")
LMTP_LIMITS = "service lmtp {\n  process_limit = 100\n}\n"
SESSIONS_OF_A_USER = 10
MESSAGE_BYTES = 10_000


class NotifyLab(Lab):
    """A lab with room for many connections."""

    @property
    def postgres(self):
        if self._postgres is None:
            self._postgres = Postgres(os.path.join(self.directory, "pg"),
                                      settings={"max_connections": 500})
            self._postgres.start()
            self._postgres.install_schema(sql_directory())
        return self._postgres

    def frontends(self, count, **options):
        options.setdefault("extra", LIMITS + SLOW_POLL)
        servers = [self.dovecot("pgbox", f"host{number}", notify=True, **options)
                   for number in range(count)]
        for server in servers:
            wait_until(server.notifies, "the notification service to listen")
        return servers


class Sleeper(ImapClient):
    """A client in IDLE, which reads no more than the number of messages."""

    def __init__(self, server, user):
        super().__init__(server.imap_port, user, timeout=120)
        self.user = user
        self.select("INBOX")
        self.send("IDLE")
        self.read_response()
        self.reader.detach()
        self.socket.setblocking(False)
        self.exists = 0
        self.rest = b""

    def receive(self):
        """The new number of messages, or None."""
        data = self.rest + self.socket.recv(1 << 16)
        if data == self.rest:
            raise ConnectionLost("closed")
        end = data.rfind(b"\r\n") + 2
        self.rest = data[end:]
        found = EXISTS.findall(data[:end])
        if not found:
            return None
        self.exists = int(found[-1])
        return self.exists

    def close(self):
        self.socket.close()


class Watch:
    """Reads from all sleepers in one thread; remembers when each saw which number."""

    def __init__(self, sleepers):
        self.sleepers = sleepers
        self.seen = {sleeper: [] for sleeper in sleepers}
        self.stopped = False
        self.selector = selectors.DefaultSelector()
        for sleeper in sleepers:
            self.selector.register(sleeper.socket, selectors.EVENT_READ, sleeper)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopped:
            for key, _mask in self.selector.select(0.2):
                try:
                    number = key.data.receive()
                except (ConnectionLost, OSError):
                    # it never sees everything, which is counted
                    self.selector.unregister(key.fileobj)
                    continue
                if number is not None:
                    self.seen[key.data].append((number, time.perf_counter()))

    def wait(self, total, timeout):
        """How many sleepers have seen all messages of their user in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            late = [s for s in self.sleepers if s.exists < total[s.user]]
            if not late:
                break
            time.sleep(0.05)
        return sum(s.exists >= total[s.user] for s in self.sleepers)

    def stop(self):
        self.stopped = True
        self.thread.join()

    def delays(self, done):
        """Seconds for each change and client; `done` is {user: [time of the n-th OK]}."""
        found = []
        for sleeper, seen in self.seen.items():
            known = 0
            for number, moment in seen:
                for count in range(max(known, 1), number):
                    if count < len(done[sleeper.user]):
                        found.append(moment - done[sleeper.user][count])
                known = max(known, number)
        return found


def quantiles(delays):
    ordered = sorted(delays)

    def at(part):
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    return f"p50 {at(0.5):.3f} s, p99 {at(0.99):.3f} s, longest {ordered[-1]:.3f} s"


def trouble_begins(lab, servers, when, ended):
    """Kills a service, and restarts the database, in the middle of a run."""
    def run():
        time.sleep(when)
        for pid in servers[0].processes("pgbox-notify"):
            kill_hard(pid)
        time.sleep(when / 4)
        lab.postgres.restart()
        # the server ends with the thread that has started it
        ended.wait()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def append_until_ok(server, user, number):
    """The moment of the OK."""
    while True:
        with contextlib.suppress(ConnectionLost, OSError, AssertionError):
            with server.imap(user, timeout=60) as imap:
                imap.append("INBOX", numbered(number))
                return time.perf_counter()


def run_idle(lab, options):
    servers = lab.frontends(3)
    users = [lab.new_user("idle") for _ in range(options.clients // SESSIONS_OF_A_USER)]
    done = {}
    for user in users:
        servers[0].deliver(user, numbered(0))
        done[user] = [0]
    sleepers = [Sleeper(servers[number % 3], user)
                for user in users for number in range(SESSIONS_OF_A_USER)]
    watch = Watch(sleepers)
    writers = {user: random.choice(servers).imap(user) for user in users}
    ended = threading.Event()
    if options.trouble:
        trouble_begins(lab, servers, options.changes / options.rate / 3, ended)
    start = time.perf_counter()
    late = 0
    for number in range(options.changes):
        pause = start + number / options.rate - time.perf_counter()
        time.sleep(max(pause, 0))
        late = max(late, -pause)
        user = users[number % len(users)]
        if options.trouble:
            done[user].append(append_until_ok(random.choice(servers), user, number))
        else:
            writers[user].append("INBOX", numbered(number))
            done[user].append(time.perf_counter())
    seconds = time.perf_counter() - start
    total = {user: len(times) for user, times in done.items()}
    complete = watch.wait(total, 60)
    watch.stop()
    ended.set()
    print(f"{len(sleepers)} clients, 3 frontends, {options.changes} changes in {seconds:.0f} s: "
          f"{quantiles(watch.delays(done))}; {complete} clients saw everything; "
          f"writer late by {late:.2f} s at most")
    return complete == len(sleepers)


def memory_of(pids):
    """Proportional set size in KiB."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def run_hibernate(lab, options):
    [server] = lab.frontends(1, hibernate=2, extra=LIMITS + SLOW_POLL
                             + "service imap-hibernate {\n  client_limit = 4000\n}\n")
    users = [lab.new_user("sleep") for _ in range(options.clients // SESSIONS_OF_A_USER)]
    for user in users:
        server.deliver(user, numbered(0))
    start = time.perf_counter()
    sleepers = [Sleeper(server, user) for user in users for _ in range(SESSIONS_OF_A_USER)]
    watch = Watch(sleepers)
    print(f"{len(sleepers)} sessions logged in in {time.perf_counter() - start:.0f} s")
    wait_until(lambda: not server.processes("imap"), "all sessions to hibernate", 120)
    connections = lab.postgres.sql("""
        select application_name, count(*) from pg_stat_activity
        where usename = 'pgbox_frontend' group by 1 order by 1""")
    memory = memory_of(server.processes("imap-hibernate"))
    service = memory_of(server.processes("pgbox-notify"))
    print(f"hibernated: connections {connections}; imap-hibernate {memory / len(sleepers):.1f} "
          f"KiB a session; pgbox-notify {service} KiB")
    done = {user: [0] for user in users}
    for user in users:
        server.deliver(user, numbered(1))
        done[user].append(time.perf_counter())
        time.sleep(1 / options.rate)
    complete = watch.wait({user: 2 for user in users}, 120)
    watch.stop()
    print(f"{complete} of {len(sleepers)} were told of their change; "
          f"{quantiles(watch.delays(done))}")
    return complete == len(sleepers)


def ratio(rates, one, other):
    return statistics.median(a / b for a, b in zip(rates[one], rates[other]))


class Writing:
    """Deliveries by several clients at once, to one account each, on several sides in turns."""

    def __init__(self, lab, sides, writers, each, before=lambda name: None):
        self.users = [lab.new_user("rate") for _ in range(writers)]
        self.clients = {name: [FastLmtp(server) for _ in self.users]
                        for name, server in sides.items()}
        self.each = each
        self.before = before
        self.data = message(1, MESSAGE_BYTES)

    def sample(self, name):
        """Deliveries a second."""
        def work(client, user):
            for _ in range(self.each):
                client.deliver(user, self.data)

        self.before(name)
        seconds = in_parallel([lambda c=c, u=u: work(c, u)
                               for c, u in zip(self.clients[name], self.users)])
        return self.each * len(self.users) / seconds

    def in_turns(self, rounds):
        """{side: [rate]}, after one round that does not count."""
        names = list(self.clients)
        for name in names:
            self.sample(name)
        rates = {name: [] for name in names}
        for number in range(rounds):
            for name in names[::-1] if number % 2 else names:
                rates[name].append(self.sample(name))
        return rates

    def close(self):
        for clients in self.clients.values():
            for client in clients:
                client.close()


def run_rate(lab, options):
    lab.frontends(2)  # others listen
    sides = {"on": lab.dovecot("pgbox", "on", notify=True, extra=LMTP_LIMITS),
             "off": lab.dovecot("pgbox", "off", plugin={"pgbox_notify": "no"},
                                extra=LMTP_LIMITS)}
    wait_until(sides["on"].notifies, "the notification service to listen")
    for writers in (8, 32):
        writing = Writing(lab, sides, writers, max(1, options.changes // writers))
        rates = writing.in_turns(options.rounds)
        print(f"{writers} writers: {statistics.median(rates['off']):.0f} deliveries/s without, "
              f"{statistics.median(rates['on']):.0f} with notifications, median ratio "
              f"{ratio(rates, 'on', 'off'):.3f}")
        writing.close()
    return True


def queue_length(lab):
    return int(lab.postgres.value(
        "select count(*) from pgbox.message_text_queue where wanted > 0 and error is null"))


def run_text(lab, options):
    server = lab.dovecot("pgbox", "text", notify=True, text=True, extra=LMTP_LIMITS)
    none = lab.dovecot("pgbox", "none", notify=True, plugin={"pgbox_search_text": "no"},
                       extra=LMTP_LIMITS)
    for host in (server, none):
        wait_until(host.notifies, "the notification service to listen")
    [service] = wait_until(lambda: server.processes("pgbox-text"), "the text service")
    sides = {"working": server, "stopped": server, "none": none}

    def before(name):
        os.kill(service, signal.SIGCONT if name == "working" else signal.SIGSTOP)

    writing = Writing(lab, sides, 8, max(1, options.changes // 8), before)
    rates = writing.in_turns(options.rounds)
    writing.close()
    # what was delivered while it was stopped is there for it while it works
    assert queue_length(lab) > 0
    print(f"8 writers: {statistics.median(rates['none']):.0f} deliveries/s where no text is wanted; "
          f"median ratio with the service stopped {ratio(rates, 'stopped', 'none'):.3f}, "
          f"always working {ratio(rates, 'working', 'none'):.3f}")
    count = queue_length(lab)
    start = time.perf_counter()
    os.kill(service, signal.SIGCONT)
    server.deliver(lab.new_user("wakes"), numbered(1))
    wait_until(lambda: queue_length(lab) == 0, "the service to extract all text", 600, 0.2)
    seconds = time.perf_counter() - start
    print(f"alone: {count / seconds:.0f} texts/s of {MESSAGE_BYTES} bytes, which is half of its time; "
          f"{memory_of([service])} KiB")
    return True


RUNS = {"idle": run_idle, "hibernate": run_hibernate, "rate": run_rate, "text": run_text}


def print_errors(lab):
    """What the servers complained of; a killed service and a restarted database are no news."""
    lines = collections.Counter(
        re.sub(r"[0-9]+", "N", re.sub(r"\([^)]*\)|<[^>]*>", "", line.split(" ", 2)[2]))
        for server in lab.instances for line in server.take_alarming_lines())
    for line, count in lines.most_common(10):
        print(f"logged {count} times: {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=RUNS)
    parser.add_argument("--clients", type=int, help="IDLE clients (200), sessions (2000)")
    parser.add_argument("--changes", type=int, default=2000,
                        help="changes in all, deliveries in a sample (default: %(default)s)")
    parser.add_argument("--rate", type=float,
                        help="changes a second (20); hibernate: accounts a second (2), each of "
                             "which has a process started for each of its ten sessions")
    parser.add_argument("--rounds", type=int, default=6,
                        help="samples of each side of rate and text (default: %(default)s)")
    parser.add_argument("--trouble", action="store_true",
                        help="idle: kill a service and restart the database in the middle")
    options = parser.parse_args()
    options.clients = options.clients or {"hibernate": 2000}.get(options.what, 200)
    options.rate = options.rate or {"hibernate": 2}.get(options.what, 20)
    lab = NotifyLab()
    try:
        good = RUNS[options.what](lab, options)
        print_errors(lab)
        return 0 if good else 1
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
