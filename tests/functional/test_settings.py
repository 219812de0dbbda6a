"""A wrong setting is named: Dovecot 2.4 does not start, or the session ends at once."""

import re

import pytest

from pgboxtest import config, messages
from pgboxtest.process import wait_until

WRONG = [
    ("pgbox_dsn", None),
    ("pgbox_dsn", "this is no conninfo"),
    ("pgbox_dsn", "host=localhost no_such_option=1"),
    ("pgbox_account_create", "maybe"),
    ("pgbox_query_timeout", "soon"),
    ("pgbox_query_timeout", "-1s"),
    ("pgbox_connect_timeout", "5 parsecs"),
    ("pgbox_idle_disconnect", "x"),
    ("pgbox_expunge_retention", "7 fortnights"),
    ("pgbox_compression", "gzip"),
    ("pgbox_search_text", "bodies"),
    ("pgbox_search_timeout", "0"),
    ("pgbox_notify", "maybe"),
    ("pgbox_notify_dir", "not/absolute"),
]
# What pgbox says of them; with Dovecot 2.4 it is Dovecot that does.
MUST_BE = {
    "pgbox_account_create": "yes or no",
    "pgbox_query_timeout": "a time greater than zero with its unit, such as 30s",
    "pgbox_expunge_retention": "a time greater than zero with its unit, such as 7d",
    "pgbox_compression": "zstd or none",
    "pgbox_search_text": "yes, headers or no",
    "pgbox_notify_dir": "an absolute path",
}


@pytest.fixture(scope="module")
def expected_log():
    return [r"(Error|Fatal): .*pgbox_\w+", r"Error: .*(login|user).*pgbox"]


@pytest.fixture
def configured(lab, pgbox_only):
    """Starts a pgbox instance with some settings; stops it after the test."""
    started = []

    def start(user_fields=None, **plugin):
        started.append(lab.dovecot("pgbox", "settings", plugin=plugin,
                                   user_fields=user_fields or {}))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def ends_at_once(server, user):
    """Dovecot may say OK to LOGIN before it opens the mail; but then the session must end."""
    with server.imap(None) as imap:
        try:
            return not (imap.command(f"LOGIN {user} x").ok and imap.command("SELECT INBOX").ok)
        except ConnectionError:
            return True


def ends_with_one_line(server, user, setting):
    before = server.log_size()
    assert ends_at_once(server, user)
    named = wait_until(lambda: [line for line in server.log_text(before).splitlines()
                                if re.search(rf"(Error|Fatal): .*\b{setting}\b", line)],
                       f"a log line that names {setting}")
    assert len(named) == 1, named
    assert config.is_24() or MUST_BE.get(setting, "") in named[0], named


@pytest.mark.parametrize("setting,value", WRONG)
def test_wrong_value(configured, user, setting, value):
    if config.is_24() and setting != "pgbox_dsn":
        with pytest.raises(RuntimeError, match=rf"doveconf: Fatal: .*\b{setting}\b"):
            configured(**{setting: value})
    else:
        ends_with_one_line(configured(**{setting: value}), user, setting)


@pytest.mark.parametrize("setting,value", WRONG[1:])
def test_wrong_value_of_a_user(configured, user, setting, value):
    """Users can have settings of their own, which nobody checks before they log in."""
    ends_with_one_line(configured(user_fields={setting: value}), user, setting)


@pytest.mark.parametrize("setting,value", WRONG[1:3])
def test_connection_string_is_not_logged(configured, user, setting, value):
    secret = "tops3cret"
    server = configured(**{setting: f"{value} password={secret}"})
    assert ends_at_once(server, user)
    wait_until(lambda: setting in server.log_text(), "the log line")
    assert secret not in server.log_text()


def test_password_is_in_no_process_title(configured, lab, user):
    server = configured(pgbox_dsn=lab.postgres.frontend_dsn + " password=tops3cret")
    with server.imap(user) as imap:
        imap.select("INBOX")
        for pid in server.processes("imap"):
            with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                assert b"tops3cret" not in cmdline.read()


def test_account_is_not_created_unless_asked(configured, lab, user):
    """pgbox_account_create = no: a user without account is refused, politely."""
    server = configured(pgbox_account_create="no")
    assert ends_at_once(server, user)
    assert lab.postgres.value(f"select count(*) from pgbox.account where name = '{user}'") == "0"


def test_other_account(configured, lab, user):
    """pgbox_account: several logins may share one account."""
    account = lab.new_user("common")
    server = configured(pgbox_account=account)
    others = [user, lab.new_user("second")]
    with server.imap(others[0]) as imap:
        imap.append("INBOX", messages.numbered(1))
    with server.imap(others[1]) as imap:
        imap.select("INBOX")
        assert list(imap.bodies().values()) == [messages.numbered(1)]


def test_idle_sessions_hold_no_connection(configured, lab, user):
    """After pgbox_idle_disconnect the connection is gone; the session notices nothing."""
    mark = "idle-disconnect"  # other instances have connections too
    server = configured(pgbox_idle_disconnect="1s",
                        pgbox_dsn=f"{lab.postgres.frontend_dsn} application_name={mark}")
    connections = f"select pid from pg_stat_activity where application_name = '{mark}'"
    with server.imap(user) as imap:
        imap.select("INBOX")
        assert lab.postgres.sql(connections)
        wait_until(lambda: not lab.postgres.sql(connections), "the connection to be dropped",
                   timeout=15)
        imap.append("INBOX", messages.numbered(1))
        imap.ok("NOOP")
        assert list(imap.bodies().values()) == [messages.numbered(1)]
