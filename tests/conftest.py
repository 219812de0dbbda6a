"""Fixtures of all tests that drive real servers.  The work is done in pgboxtest/."""

import os
import pathlib
import re
import signal
import sys
import tempfile

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from pgboxtest.lab import Lab  # noqa: E402

GROUPS = ("functional", "differential", "stress", "faults", "bench")


def pytest_configure(config):
    """Markers are the directory names: `-m functional` is the same as tests/functional."""
    for group in GROUPS:
        config.addinivalue_line("markers", f"{group}: the tests of tests/{group}")
    # a killed test run cleans up as an interrupted one does
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        group = pathlib.Path(item.fspath).parent.name
        if group in GROUPS:
            item.add_marker(group)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the servers said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and "lab" in item.funcargs and call.when != "teardown":
        report.sections.append(("server logs", item.funcargs["lab"].log_tails()))


@pytest.fixture(scope="session")
def lab():
    """All servers of this run; removed at the end, however it ends."""
    if os.geteuid() != 0:
        pytest.exit("these tests start Dovecot and PostgreSQL as other users: run them as root")
    the_lab = Lab()
    yield the_lab
    the_lab.close()


@pytest.fixture(autouse=True)
def marked_logs(lab):
    """What the servers log from here on belongs to this test."""
    lab.mark_logs()


@pytest.fixture(scope="session")
def sdbox(lab):
    """The oracle: a Dovecot instance with sdbox."""
    return lab.dovecot("sdbox", "oracle")


@pytest.fixture(scope="session")
def frontend_a(lab):
    """A frontend of the backend under test, with its own index directory."""
    return lab.dovecot("tested", "a")


@pytest.fixture(scope="session")
def frontend_b(lab):
    """A second frontend beside `frontend_a`: same database, other index directory."""
    return lab.dovecot("tested", "b")


@pytest.fixture(params=["sdbox", "tested"])
def server(request):
    """Runs a test twice: sdbox shows that the test is right, then the backend under test."""
    return request.getfixturevalue("sdbox" if request.param == "sdbox" else "frontend_a")


@pytest.fixture
def user(lab, request):
    """A fresh account."""
    return lab.new_user(request.node.originalname.removeprefix("test_"))


@pytest.fixture
def tmp_path(lab):
    """Instead of pytest's own, which would leave its directories behind."""
    return pathlib.Path(tempfile.mkdtemp(dir=lab.directory))


@pytest.fixture
def pgbox_only(lab):
    """For what only exists in pgbox (the database, cache directories)."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has this")


@pytest.fixture(scope="module")
def expected_log():
    """Regular expressions of error lines that a test of this module provokes on purpose."""
    return []


@pytest.fixture(scope="module", autouse=True)
def clean_logs(lab, expected_log):
    """After each module: no Panic, Fatal or Error that nobody declared, no valgrind report."""
    yield
    unexpected = []
    for instance in lab.instances:
        for line in instance.take_alarming_lines():
            if not any(re.search(pattern, line) for pattern in expected_log):
                unexpected.append(f"{instance.name}: {line}")
        unexpected += instance.valgrind_errors()
    assert not unexpected, "unexpected log lines:\n" + "\n".join(unexpected)
