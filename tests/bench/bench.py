"""The command line of tests/bench/run, and the accounts that cases share."""

import argparse
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cases_change
import cases_read
import cases_save
import cases_search
import cases_text
import report
from clients import FastImap
from mails import append_many, fill_small, message, size_4_to_10_kb, text_of, write_maildir
from measure import run_case
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.imap import Literal
from servers import BenchLab, Side

CASES = (cases_save.CASES + cases_text.CASES + cases_read.CASES + cases_change.CASES
         + cases_search.CASES)


@dataclasses.dataclass
class Size:
    """How much of everything; the defaults are those of the published table."""

    large: int = 100_000       # messages of the mailbox that is only opened
    mailbox: int = 20_000      # messages of the mailbox that is read and changed
    search: int = 20_000       # messages of the mailbox that is searched, 4 to 10 KB each
    part: int = 5_000          # messages of COPY, MOVE and EXPUNGE
    folders: int = 500
    deliveries: int = 400      # in one sample
    singles: int = 200
    mixed: int = 3_000         # commands in one sample
    attachment: int = 25_000_000
    stored: int = 2_000
    growth: int = 1_000_000
    rounds: int = None


SCALES = {
    "full": Size(),
    "large": Size(search=100_000, rounds=3),
    "quick": Size(large=20_000, mailbox=4_000, search=4_000, part=1_000, folders=100, deliveries=100,
                  singles=60, mixed=1_000, stored=400, growth=100_000, rounds=3),
    "tiny": Size(large=50, mailbox=20, search=20, part=10, folders=5, deliveries=8,
                 singles=3, mixed=50, attachment=600_000, stored=3, growth=1_000, rounds=1),
}


class Bench:
    """One run: the servers of both sides and the accounts that were filled so far."""

    def __init__(self, size, fsync="always"):
        self.size = size
        self.lab = BenchLab()
        self.sides = [Side(self.lab, "sdbox", fsync), Side(self.lab, "pgbox", fsync)]
        self._filled = {}
        self._memory = None

    def side(self, name):
        return next(side for side in self.sides if side.name == name)

    def users(self, hint, count):
        """New accounts, empty on both sides."""
        names = [f"{hint}-u{number}" for number in range(count)]
        for side in self.sides:
            for name in names:
                side.server().user_home(name)
        return names

    def _filled_user(self, name, fill):
        if name not in self._filled:
            user = self._filled[name] = self.users(name, 1)[0]
            for side in self.sides:
                fill(side, user)
        return self._filled[name]

    def large_user(self):
        """100,000 small messages in INBOX; they are opened, never read."""
        return self._filled_user("large",
                                 lambda side, user: fill_small(side, user, self.size.large))

    def full_user(self):
        """20,000 different realistic messages in INBOX."""
        return self._filled_user("full", lambda side, user: append_many(
            side.server("fill"), user, "INBOX", self.size.mailbox))

    def search_user(self):
        """20,000 or more different messages of 4 to 10 KB in INBOX, their text extracted."""
        def fill(side, user):
            append_many(side.server("fill"), user, "INBOX", self.size.search,
                        text_of(size_4_to_10_kb))
            if side.name == "pgbox":
                side.server("fill").doveadm("index", "-u", user, "INBOX", timeout=None)
                side.lab.postgres.sql("vacuum analyze")
        return self._filled_user("search", fill)

    def folder_user(self):
        """500 folders with three messages in each."""
        def fill(side, user):
            with FastImap(side.server("fill"), user) as imap:
                for number in range(self.size.folders):
                    imap.run(f'CREATE "folder {number}"')
                    for _ in range(3):
                        imap.run(f'APPEND "folder {number}" ', Literal(message(number, 1000)))
        return self._filled_user("folders", fill)

    def maildir(self):
        """20,000 messages in a Maildir."""
        path = os.path.join(self.lab.directory, "maildir")
        if not os.path.exists(path):
            write_maildir(path, self.size.mailbox)
        return path

    def memory_directory(self):
        """A directory on no disk, for output whose writing is not what is measured."""
        if self._memory is None:
            parent = "/dev/shm" if os.path.isdir("/dev/shm") else self.lab.directory
            self._memory = tempfile.mkdtemp(prefix="pgbox-", dir=parent)
            shutil.chown(self._memory, MAIL_USER, MAIL_USER)
        return self._memory

    def close(self):
        self.lab.close()
        if self._memory is not None:
            shutil.rmtree(self._memory, ignore_errors=True)


def choose(names):
    """Case classes by name or the beginning of it."""
    if not names:
        return CASES
    chosen = [case for case in CASES if any(case.name.startswith(name) for name in names)]
    if not chosen:
        sys.exit(f"no such case: {' '.join(names)}; --list shows all")
    return chosen


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description="sdbox and pgbox side by side; run it as root.")
    parser.add_argument("cases", nargs="*", help="names or beginnings of names; default: all")
    parser.add_argument("--list", action="store_true", help="print the cases and their targets")
    parser.add_argument("--rounds", type=int, help="samples of each side (default: the case's)")
    parser.add_argument("--scale", choices=SCALES, default="full",
                        help="large: search 100,000 messages; quick: a fifth of the sizes; "
                             "tiny: whether everything works")
    parser.add_argument("--sdbox-fsync", choices=("always", "optimized", "never"),
                        default="always", help="mail_fsync of sdbox (default: always)")
    parser.add_argument("--output", metavar="DIR", default="bench-results",
                        help="where the table, the data and the plot go (default: %(default)s)")
    return parser.parse_args(arguments)


def run(bench, classes, rounds=None, progress=lambda text: None, done=lambda outcomes: None):
    """All outcomes, in the order of the cases; `done` gets those there are, after each case."""
    outcomes = []
    for number, case_class in enumerate(classes):
        start = time.monotonic()
        progress(f"{number + 1:2}/{len(classes)} {case_class.name} ")
        case = case_class(bench)
        outcome = run_case(case, bench.sides, rounds or bench.size.rounds or case.rounds,
                           progress)
        outcomes.append(outcome)
        progress(f" {time.monotonic() - start:.0f} s\n")
        progress(report.lines_of(outcome))
        done(outcomes)
    alarming = [line for server in bench.lab.instances for line in server.take_alarming_lines()]
    if alarming:
        progress("Errors were logged:\n" + "\n".join(alarming[:20]) + "\n")
    return outcomes


def main(arguments):
    options = parse(arguments)
    classes = choose(options.cases)
    if options.list:
        for case in classes:
            print(f"{case.name:18} {case.title}; target: {case.target}")
        return 0
    if os.geteuid() != 0:
        sys.exit("the benchmarks start Dovecot and PostgreSQL as other users: run them as root")

    def progress(text):
        print(text, end="", flush=True)

    # a killed run cleans up as an interrupted one does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench = Bench(SCALES[options.scale], options.sdbox_fsync)
    try:
        bench.lab.age_wal()
        notes = report.circumstances(bench, options)
        # a run that is stopped leaves what it has
        run(bench, classes, options.rounds, progress,
            lambda outcomes: report.write(options.output, outcomes, notes))
    finally:
        bench.close()
    try:
        report.plot(options.output)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no plot: {error}", file=sys.stderr)
    print(f"\n{options.output}/benchmarks.md")
    return 0
