"""Deliveries while the text of messages is extracted for SEARCH."""

import contextlib
import itertools
import os
import signal
import statistics
import time

from pgboxtest.process import wait_until

import report
from cases_save import REALISTIC_MAILS
from clients import FastLmtp
from mails import realistic
from measure import Case, Counters, Sample


class TextCase(Case):
    """A case with the services of pgbox, and mails for ten users."""

    pgbox_only = True

    def __init__(self, bench):
        super().__init__(bench)
        self.mails = [realistic(number) for number in range(REALISTIC_MAILS)]
        self.users = bench.users(self.name, 10)
        self.count = self.size.deliveries // 2
        self.server = None

    def setup(self, side):
        # else the worker would begin with all that the cases before have delivered
        self.bench.lab.postgres.sql("update pgbox.message_text_queue set wanted = 0")
        self.server = side.server("text")
        wait_until(self.server.notifies, "the notification service to listen")
        wait_until(self.server.extracts, "the text service to watch")

    def signal_worker(self, number):
        for process in self.server.processes("pgbox-text"):
            os.kill(process, number)

    def drain(self):
        """Wait until all text is extracted."""
        postgres = self.bench.lab.postgres
        wait_until(lambda: postgres.value("select count(*) from pgbox.message_text_queue "
                                          "where wanted > 0") == "0", "the queue to be empty", 600)

    def deliver_all(self, client):
        """Seconds for `count` deliveries."""
        start = time.perf_counter()
        everyone = zip(itertools.cycle(self.users), itertools.cycle(self.mails))
        for user, mail in itertools.islice(everyone, self.count):
            client.deliver(user, mail)
        return time.perf_counter() - start


class DeliveryText(TextCase):
    """LMTP without text, and with text, while the worker is stopped and while it runs."""

    name = "lmtp-text"
    title = "LMTP with text for SEARCH, without = 1"
    kind = "rate"
    rounds = 9
    limit = 0.95
    target = "rate >= 0.95 while the worker is stopped"

    def __init__(self, bench):
        super().__init__(bench)
        self.clients = {}
        self.rates = {"no": [], "stopped": [], "running": []}
        self.orders = itertools.cycle(itertools.permutations(self.rates))

    def setup(self, side):
        super().setup(side)
        self.clients = {"no": FastLmtp(side.server("no text")), "yes": FastLmtp(self.server)}

    @contextlib.contextmanager
    def _worker(self, runs):
        """Has it idle and running, or stopped, until the end."""
        if runs:
            self.drain()
        else:
            self.signal_worker(signal.SIGSTOP)
        yield
        self.signal_worker(signal.SIGCONT)
        self.drain()

    def _deliver(self, variant):
        with self._worker(variant == "running"):
            return self.deliver_all(self.clients["no" if variant == "no" else "yes"])

    def sample(self, side):
        seconds = {variant: self._deliver(variant) for variant in next(self.orders)}
        for variant, times in self.rates.items():
            times.append(self.count / seconds[variant])
        return Sample(seconds["stopped"], self.count)

    def _ratio(self, variant):
        # the first was the warm-up
        return statistics.median(with_text / without for with_text, without
                                 in zip(self.rates[variant][1:], self.rates["no"][1:]))

    def finish(self, outcome):
        for client in self.clients.values():
            client.close()
        for purpose in ("text", "no text"):
            self.bench.side("pgbox").stop(purpose)
        outcome.counts = None  # of all three; TextExtract has those of the text
        outcome.ratio = self._ratio("stopped")
        outcome.holds = outcome.ratio >= self.limit
        outcome.notes.append(f"while the worker runs: {self._ratio('running'):.2f}")


class TextExtract(TextCase):
    """What the text of a message costs the database after its delivery."""

    name = "text-extract"
    title = "Text for SEARCH of one message; ratio: its WAL to that of the delivery"
    target = "WAL <= 3.0"
    rounds = 3

    def __init__(self, bench):
        super().__init__(bench)
        self.deliveries = None  # Counts

    def _deliver_without_text(self):
        self.signal_worker(signal.SIGSTOP)
        with FastLmtp(self.server) as client:
            return Sample(self.deliver_all(client), self.count)

    def reset(self, side):
        self.drain()
        self.deliveries = Counters(self.bench.lab.postgres).measure(self._deliver_without_text)

    def sample(self, side):
        start = time.perf_counter()
        self.signal_worker(signal.SIGCONT)
        self.drain()
        # what GIN has noted in pending lists is put into the index sooner or later
        self.bench.lab.postgres.sql("vacuum pgbox.message_text")
        return Sample(time.perf_counter() - start, self.count)

    def finish(self, outcome):
        self.bench.side("pgbox").stop("text")
        outcome.ratio = outcome.counts.wal / self.deliveries.wal
        outcome.holds = outcome.ratio <= 3.0
        outcome.notes.append(f"a delivery writes {report.octets(self.deliveries.wal)} of WAL, "
                             f"its text {report.octets(outcome.counts.wal)}")


CASES = [DeliveryText, TextExtract]
