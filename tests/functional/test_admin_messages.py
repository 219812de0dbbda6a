"""A database that refuses: the log says what an admin can run."""

import os
import shutil

import pytest

from pgboxtest.dovecot import MAIL_USER

pytestmark = pytest.mark.usefixtures("pgbox_only")

PASSWORD_ROLE = "with_password"
LINE = "*:*:*:with_password:"


@pytest.fixture(scope="module")
def server(lab):
    """Its configuration is written anew for each connection string, which doveadm reads."""
    dovecot = lab.dovecot("tested", "messages")
    yield dovecot
    dovecot.stop()


@pytest.fixture
def log_of(server, user):
    """What is logged with a connection string."""

    def log(dsn):
        server.options.plugin["pgbox_dsn"] = dsn
        server.write_config()
        done = server.doveadm("mailbox", "status", "-u", user, "messages", "INBOX", check=False)
        assert done.returncode != 0
        return done.stderr.decode()

    return log


@pytest.fixture(scope="module")
def roles(lab):
    """Roles and databases with which something is wrong."""
    made = [("role without_grant", "login"), ("role without_login", "in role pgbox_mail"),
            ("role limited", "login connection limit 0 in role pgbox_mail"),
            ("role shut_out", "login in role pgbox_mail"),
            ("database crowded", "connection limit 0"), ("database closed", "")]
    for what, how in made:
        lab.postgres.sql(f"create {what} {how}")
    lab.postgres.sql("revoke connect on database closed from public")
    yield
    for what, _how in reversed(made):
        lab.postgres.sql(f"drop {what}")


@pytest.mark.parametrize("role, database, said", [
    ("pgbox_frontend", "postgres", "The database postgres has not the schema of pgbox: "
     "run pgbox-schema install --dsn 'dbname=postgres ...'"),
    ("pgbox_frontend", "nowhere", "createdb --encoding=UTF8 --template=template0 nowhere, "
     "then pgbox-schema install"),
    ("pgbox_frontend", "crowded", "ALTER DATABASE crowded CONNECTION LIMIT -1"),
    ("shut_out", "closed", "GRANT CONNECT ON DATABASE closed TO pgbox_mail"),
    ("without_grant", "pgbox", "GRANT pgbox_mail TO without_grant"),
    ("without_login", "pgbox", "ALTER ROLE without_login LOGIN"),
    ("limited", "pgbox", "ALTER ROLE limited CONNECTION LIMIT -1"),
    ("stranger", "pgbox", "CREATE ROLE stranger LOGIN IN ROLE pgbox_mail"),
])
def test_says_what_to_run(lab, log_of, roles, role, database, said):
    assert said in log_of(lab.postgres.dsn(role, database))


@pytest.fixture(scope="module")
def password_dsn(lab):
    """A role that the server wants a password of."""
    hba = f"{lab.postgres.data}/pg_hba.conf"
    with open(hba, encoding="utf-8") as file:
        before = file.read()
    with open(hba, "w", encoding="utf-8") as file:
        file.write(f"local all {PASSWORD_ROLE} scram-sha-256\n{before}")
    lab.postgres.sql(f"create role {PASSWORD_ROLE} login password 'right' in role pgbox_mail")
    lab.postgres.sql("select pg_reload_conf()")
    yield lab.postgres.dsn(PASSWORD_ROLE)
    with open(hba, "w", encoding="utf-8") as file:
        file.write(before)
    lab.postgres.sql(f"drop role {PASSWORD_ROLE}")
    lab.postgres.sql("select pg_reload_conf()")


@pytest.fixture
def passfile(tmp_path):
    os.chmod(tmp_path, 0o755)

    def write(text, mode=0o600, owner=MAIL_USER):
        path = tmp_path / "passfile"
        path.write_text(text, encoding="utf-8")
        os.chmod(path, mode)
        shutil.chown(path, owner, owner)
        return path

    return write


def test_passfile_is_used(server, passfile, password_dsn, user):
    server.options.plugin["pgbox_dsn"] = f"{password_dsn} passfile={passfile(LINE + 'right')}"
    server.write_config()
    server.doveadm("mailbox", "status", "-u", user, "messages", "INBOX")


def test_no_passfile(log_of, password_dsn):
    assert "passfile=FILE" in log_of(password_dsn)


def test_no_passfile_of_somebody_elses_home(log_of, password_dsn, passfile, monkeypatch):
    path = passfile(LINE + "right")
    os.rename(path, path.parent / ".pgpass")
    monkeypatch.setenv("HOME", str(path.parent))
    assert "passfile=FILE" in log_of(password_dsn)


def test_missing_passfile(log_of, password_dsn, tmp_path):
    path = f"{tmp_path}/nothing"
    os.chmod(tmp_path, 0o755)
    assert f"stat({path}) failed: No such file" in log_of(f"{password_dsn} passfile={path}")


@pytest.mark.parametrize("text, mode, owner, said", [
    ("right", 0o644, MAIL_USER, "has mode 0644, with which it is not used: chmod 600 {path}"),
    ("right", 0o600, "root", "belongs to uid 0, and this process has uid 8: chown 8 {path}"),
    ("wrong", 0o600, MAIL_USER, "see whether {path} has a line HOST:PORT:DATABASE:ROLE:PASSWORD "
     "for database pgbox and role with_password"),
])
def test_passfile_that_is_of_no_use(log_of, passfile, password_dsn, text, mode, owner, said):
    path = passfile(LINE + text, mode, owner)
    log = log_of(f"{password_dsn} passfile={path}")
    assert said.format(path=path) in log
    assert text not in log.replace("with_password", "")
