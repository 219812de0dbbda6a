"""Deliveries while the text of messages is extracted for SEARCH."""

import contextlib
import itertools
import os
import signal
import statistics
import time

from pgboxtest.process import wait_until

from cases_save import DELIVERY_SIZE
from clients import FastLmtp
from mails import message
from measure import Case, Sample


class DeliveryText(Case):
    """LMTP without text, and with text, while the worker is stopped and while it runs."""

    name = "lmtp-text"
    title = "LMTP 10 KB with text for SEARCH, without = 1"
    kind = "rate"
    pgbox_only = True
    rounds = 9
    limit = 0.95
    target = "rate >= 0.95 while the worker is stopped"

    def __init__(self, bench):
        super().__init__(bench)
        self.data = message(1, DELIVERY_SIZE)
        self.users = bench.users(self.name, 10)
        self.count = self.size.deliveries // 2
        self.server = None
        self.clients = {}
        self.rates = {"no": [], "stopped": [], "running": []}
        self.orders = itertools.cycle(itertools.permutations(self.rates))

    def setup(self, side):
        # else the worker would begin with all that the cases before have delivered
        self.bench.lab.postgres.sql("update pgbox.message_text_queue set wanted = 0")
        self.server = side.server("text")
        wait_until(self.server.notifies, "the notification service to listen")
        wait_until(self.server.extracts, "the text service to watch")
        self.clients = {"no": FastLmtp(side.server("no text")), "yes": FastLmtp(self.server)}

    @contextlib.contextmanager
    def _worker(self, runs):
        """Has it idle and running, or stopped, until the end."""
        processes = self.server.processes("pgbox-text")
        if runs:
            self._drain()
        else:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
        yield
        for process in processes:
            os.kill(process, signal.SIGCONT)
        self._drain()

    def _drain(self):
        postgres = self.bench.lab.postgres
        wait_until(lambda: postgres.value("select count(*) from pgbox.message_text_queue "
                                          "where wanted > 0") == "0", "the queue to be empty", 120)

    def _deliver(self, variant):
        client = self.clients["no" if variant == "no" else "yes"]
        with self._worker(variant == "running"):
            start = time.perf_counter()
            for user in itertools.islice(itertools.cycle(self.users), self.count):
                client.deliver(user, self.data)
            return time.perf_counter() - start

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
        outcome.counts = None  # of all three
        outcome.ratio = self._ratio("stopped")
        outcome.holds = outcome.ratio >= self.limit
        outcome.notes.append(f"while the worker runs: {self._ratio('running'):.2f}")


CASES = [DeliveryText]
