"""What a case is, how it is run on both sides in turn, and what is counted beside the time."""

import dataclasses
import statistics
import time

RELOAD_SECONDS = 0.2  # until all server processes have read their configuration again


@dataclasses.dataclass
class Sample:
    """One timed run of a case."""

    seconds: float
    operations: int = 1


@dataclasses.dataclass
class Counts:
    """What one operation of pgbox costs the database."""

    round_trips: float
    statements: float
    commits: float
    wal: float


@dataclasses.dataclass
class Outcome:
    """All figures of a case.  Values are rates or milliseconds, see `Case.kind`."""

    case: object
    sdbox: float = None
    pgbox: float = None
    ratio: float = None
    bare: float = None
    counts: Counts = None
    notes: list = dataclasses.field(default_factory=list)
    holds: bool = None


class Case:
    """One line of the table.  A subclass says what is done; the sides take turns."""

    name = ""
    title = ""
    target = ""
    kind = "time"         # "time": milliseconds of one operation, "rate": operations a second
    rounds = 5
    pgbox_only = False
    limit = None          # of the ratio: a rate must reach it, a time must not exceed it
    extra_ms = 0.0        # a time may exceed the ratio's limit by that much
    limit_ms = None       # a limit of pgbox's own time
    bare_limit = None     # of the ratio to bare SQL
    bare_extra_ms = None  # a time may exceed that of bare SQL by that much

    def __init__(self, bench):
        self.bench = bench
        self.size = bench.size
        self.notes = []

    def setup(self, side):
        """Once before all samples of a side; not timed."""

    def reset(self, side):
        """Before each sample; not timed."""

    def sample(self, side):
        """The work; returns a Sample."""
        raise NotImplementedError

    def bare(self):
        """What plain SQL reaches with the same octets and clients, as `Sample`; or None."""

    def finish(self, outcome):
        """A last look; may add notes and change `holds`."""

    def value(self, sample):
        if self.kind == "rate":
            return sample.operations / sample.seconds
        return sample.seconds / sample.operations * 1000

    def judge(self, outcome):
        """Whether the target holds; None if there is none."""
        checks = []
        if self.limit is not None and outcome.ratio is not None:
            if self.kind == "rate":
                checks.append(outcome.ratio >= self.limit)
            else:
                checks.append(outcome.ratio <= self.limit
                              or outcome.pgbox <= outcome.sdbox * self.limit + self.extra_ms)
        if self.limit_ms is not None:
            checks.append(outcome.pgbox <= self.limit_ms)
        if self.bare_limit is not None and outcome.bare:
            checks.append(outcome.pgbox >= self.bare_limit * outcome.bare)
        if self.bare_extra_ms is not None and outcome.bare:
            checks.append(outcome.pgbox <= outcome.bare + self.bare_extra_ms)
        return all(checks) if checks else None


class Counters:
    """Statements, commits and WAL of the database between two moments."""

    def __init__(self, postgres):
        self.postgres = postgres

    def _set_tracking(self, what):
        self.postgres.sql(f"alter system set pg_stat_statements.track = '{what}'")
        self.postgres.sql("select pg_reload_conf()")
        time.sleep(RELOAD_SECONDS)

    def measure(self, work):
        """Runs `work()`, which returns a Sample; Counts for one operation of it."""
        self._set_tracking("all")
        try:
            self.postgres.sql("select pg_stat_statements_reset()")
            before = self.postgres.value("select pg_current_wal_insert_lsn()")
            sample = work()
            # flushes what was committed asynchronously; it is a commit itself
            self.postgres.sql("select pg_logical_emit_message(true, 'bench', '')")
            after = self.postgres.value("select pg_current_wal_flush_lsn()")
            calls = self.postgres.sql(
                "select coalesce(sum(calls) filter (where toplevel), 0), coalesce(sum(calls), 0) "
                "from pg_stat_statements s join pg_roles r on r.oid = s.userid "
                "where r.rolname <> 'postgres'")[0]
            wal = self._wal(before, after)
        finally:
            self._set_tracking("top")
        number = sample.operations
        return Counts(int(calls[0]) / number, int(calls[1]) / number,
                      wal[0] / number, wal[1] / number)

    def _wal(self, before, after):
        """Commits that wrote something, without the one of `measure`, and octets."""
        row = self.postgres.sql(
            "select coalesce(sum(count) filter (where \"resource_manager/record_type\" like "
            "'Transaction/COMMIT%'), 0), coalesce(sum(combined_size), 0) "
            f"from pg_get_wal_stats('{before}', '{after}', true)")[0]
        return float(row[0]) - 1, float(row[1])


def run_case(case, sides, rounds, progress):
    """Warm up, then A B A B ...; an Outcome."""
    outcome = Outcome(case)
    used = [side for side in sides if side.name == "pgbox" or not case.pgbox_only]
    for side in used:
        case.setup(side)
    for side in used:
        case.reset(side)
        case.sample(side)
    values = {side.name: [] for side in used}
    bare = []
    for number in range(rounds):
        # the one that begins changes, so that neither always runs after the other
        for side in used if number % 2 == 0 else reversed(used):
            case.reset(side)
            values[side.name].append(case.value(case.sample(side)))
        sample = case.bare()
        if sample is not None:
            bare.append(case.value(sample))
        progress(".")
    pgbox = next(side for side in used if side.name == "pgbox")
    case.reset(pgbox)
    outcome.counts = Counters(pgbox.lab.postgres).measure(lambda: case.sample(pgbox))
    outcome.pgbox = statistics.median(values["pgbox"])
    if "sdbox" in values:
        outcome.sdbox = statistics.median(values["sdbox"])
        outcome.ratio = statistics.median(
            p / s for p, s in zip(values["pgbox"], values["sdbox"]))
    if bare:
        outcome.bare = statistics.median(bare)
    outcome.holds = case.judge(outcome)
    outcome.notes = case.notes
    case.finish(outcome)
    return outcome
