"""Each case of the benchmarks runs on both sides, at a size that tells nothing else."""

import argparse
import pathlib
import sys

import pytest

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))

# pylint: disable=wrong-import-position
import bench as benchmarks  # noqa: E402
import notifications  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402


@pytest.fixture(scope="module", name="bench")
def the_bench():
    bench = benchmarks.Bench(benchmarks.SCALES["tiny"])
    yield bench
    bench.close()


def test_sides_have_the_same_settings(bench):
    """But for where mail is, what pgbox needs, and what the documents say of sdbox."""
    alone = servers.differences(bench.sides)
    assert [line for line in alone["sdbox"] if "mail_" not in line] == []
    assert [line for line in alone["pgbox"] if "pgbox" not in line and "mail_" not in line] == []


@pytest.mark.parametrize("case", benchmarks.CASES, ids=lambda case: case.name)
def test_case_runs(bench, case, tmp_path):
    outcomes = benchmarks.run(bench, [case])
    assert outcomes[0].pgbox > 0
    assert case.pgbox_only or outcomes[0].sdbox > 0
    report.write(tmp_path, outcomes, "")
    assert case.title in (tmp_path / "benchmarks.md").read_text()
    errors = [line for server in bench.lab.instances for line in server.take_alarming_lines()]
    assert not errors


@pytest.mark.parametrize("what", notifications.RUNS)
def test_notifications_run(what):
    options = argparse.Namespace(clients=20, changes=40, rate=20, rounds=1, trouble=False)
    lab = notifications.NotifyLab()
    try:
        assert notifications.RUNS[what](lab, options)
        errors = [line for server in lab.instances for line in server.take_alarming_lines()]
        assert not errors
    finally:
        lab.close()
