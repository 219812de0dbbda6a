"""PostgreSQL settings that an admin may have given the frontends' role."""

import re

import pytest

from pgboxtest import messages
from pgboxtest.postgres import FRONTEND_ROLE
from pgboxtest.process import wait_until

pytestmark = pytest.mark.usefixtures("pgbox_only")

HARMLESS = {
    "bytea_output": "escape", "standard_conforming_strings": "off", "array_nulls": "off",
    "datestyle": "German, DMY", "intervalstyle": "sql_standard", "timezone": "Asia/Kathmandu",
    "extra_float_digits": "-15", "client_encoding": "latin1", "transform_null_equals": "on",
    "search_path": "hostile, pg_catalog", "default_transaction_deferrable": "on",
    "work_mem": "64kB", "plan_cache_mode": "force_custom_plan", "jit_above_cost": "0",
    "parallel_setup_cost": "0", "enable_indexscan": "off", "row_security": "off",
    "plpgsql.variable_conflict": "use_column", "plpgsql.extra_errors": "all",
    "idle_in_transaction_session_timeout": "100ms",
}
HOSTILE = """
create schema hostile;
grant usage on schema hostile to public;
create function hostile.octet_length(bytea) returns int language sql as 'select 0';
create function hostile.lower(text) returns text language sql as $$select 'x'::text$$;
create view hostile.mail as select 1 as account_id;
"""


@pytest.fixture(scope="module")
def expected_log():
    return [r"Error: .*default_transaction_isolation"]


@pytest.fixture
def role_settings(lab):
    """Gives the frontends' role settings for the time of a test."""
    given = []

    def give(settings):
        for name, value in settings.items():
            lab.postgres.sql(f"alter role {FRONTEND_ROLE} set {name} = '{value}'"
                             .replace("'hostile, pg_catalog'", "hostile, pg_catalog"))
            given.append(name)

    yield give
    for name in given:
        lab.postgres.sql(f"alter role {FRONTEND_ROLE} reset {name}")


def session(server, user):
    """All answers to one command of each kind, and the state that is left."""
    answers = []
    with server.imap(user) as imap:
        imap.ok("CREATE box")
        for number in range(6):
            imap.append("INBOX", messages.numbered(number, size=3000),
                        ["\\Flagged", "Word"] * (number % 2), messages.imap_date(number))
        imap.append("INBOX", messages.numbered(6, size=600_000), [], messages.imap_date(6))
        imap.select("INBOX")
        for command in ("STORE 1:3 +FLAGS (\\Seen $New)", "SEARCH BODY message", "SEARCH TO box",
                        "SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "STORE 2 +FLAGS (\\Deleted)",
                        "EXPUNGE", "FETCH 1:* (FLAGS INTERNALDATE ENVELOPE RFC822.SIZE)"):
            answers.append(imap.ok(command).untagged)
        imap.ok("COPY 1:2 box")
        imap.ok("MOVE 3 box")
        imap.ok("RENAME box other")
        answers += [imap.status("other", "MESSAGES UNSEEN UIDNEXT"), imap.bodies()]
    return answers


def test_settings_of_the_role_change_nothing(lab, frontend_a, role_settings, user):
    expected = session(frontend_a, user)
    lab.postgres.sql(HOSTILE)
    role_settings(HARMLESS)
    assert session(frontend_a, lab.new_user()) == expected


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_other_isolation_is_refused(lab, frontend_a, role_settings, level):
    """Else each change that waits for another one would fail, now and then."""
    role_settings({"default_transaction_isolation": level})
    before = frontend_a.log_size()
    with frontend_a.imap(lab.new_user("isolation")) as imap:
        assert not imap.command("SELECT INBOX").ok
    line = wait_until(lambda: re.search(
        f"Error: .*needs default_transaction_isolation .*{level}.*ALTER ROLE.*\n",
        frontend_a.log_text(before)), "the setting to be named in the log")
    assert line.group().count("SQLSTATE") == 1, line
