"""A plugin and a database of different schema versions: nothing works, and the log says why."""

import pytest

from pgboxtest import messages


@pytest.fixture(scope="module")
def expected_log():
    return ["pgbox's schema version"]


@pytest.fixture
def host(lab, pgbox_only):
    """A host whose processes have no connection yet."""
    server = lab.dovecot("tested", "versions")
    yield server
    server.stop()


ADVICE = {-1: "run pgbox-schema upgrade", 1: "install the newer plugin"}


@pytest.fixture(params=ADVICE, ids=["older", "newer"])
def other(lab, request):
    """The database is that many versions ahead of the plugin."""
    lab.postgres.sql(f"update pgbox.schema_version set version = version + {request.param}")
    yield request.param
    lab.postgres.sql(f"update pgbox.schema_version set version = version - {request.param}")


def test_is_refused(host, other, lab, user):
    begin = host.log_size()
    with host.imap(user) as imap:
        assert imap.command("SELECT INBOX").status.word == "NO"
    assert host.deliver(user, messages.numbered(1))[0] == 451
    assert not lab.postgres.sql(f"select 1 from pgbox.account where name = '{user}'")
    log = host.log_text(begin)
    assert "pgbox's schema version" in log
    assert [advice for advice in ADVICE.values() if advice in log] == [ADVICE[other]]
