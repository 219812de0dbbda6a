"""A database and index files of schema version 1, upgraded and used by this version."""

import gzip
import os
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.imap import quote
from pgboxtest.lab import PROJECT, sql_directory
from pgboxtest.postgres import FRONTEND_ROLE

DUMPS = PROJECT / "tests" / "sql" / "upgrade"


def load_and_upgrade(postgres, database):
    postgres.sql(f"create database {database}", "postgres")
    dsn = postgres.dsn(database=database)
    environment = {**os.environ, "PATH": f"{postgres.bindir}:{os.environ['PATH']}"}
    subprocess.run(["psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-d", dsn], check=True, env=environment,
                   input=gzip.decompress((DUMPS / "version-1.sql.gz").read_bytes()),
                   stdout=subprocess.DEVNULL)
    subprocess.run([os.path.join(sql_directory(), "pgbox-schema"), "upgrade", "--dsn", dsn],
                   check=True, env=environment, stdout=subprocess.DEVNULL)


@pytest.fixture
def hosts(lab, pgbox_only):
    """One with the index files that it had, and a new one."""
    load_and_upgrade(lab.postgres, "upgraded")
    dsn = lab.postgres.dsn(FRONTEND_ROLE, "upgraded")
    servers = [lab.dovecot("tested", name, plugin={"pgbox_dsn": dsn}) for name in ("old", "new")]
    subprocess.run(["tar", "xzf", DUMPS / "version-1-index.tar.gz", "--no-same-owner",
                    "-C", servers[0].cache], check=True)
    subprocess.run(["chown", "-R", "mail:mail", servers[0].cache], check=True)
    yield servers
    for server in servers:
        server.stop()


def state(imap):
    """All mail of all folders."""
    found = {}
    for name in imap.list_names():
        if imap.command(b"SELECT " + quote(name)).ok and imap.search("ALL"):
            found[name] = imap.fetch("1:*", "FLAGS MODSEQ ENVELOPE BODY.PEEK[]")
    return found


def test_old_index_files_are_used(lab, hosts):
    old, new = hosts
    with old.imap("anna") as imap:
        imap.append("INBOX", messages.numbered(11), ["kwNew"])
        imap.select("INBOX")
        imap.ok("STORE 1 +FLAGS (\\Flagged kwNew)")
        found = state(imap)
    with new.imap("anna") as imap:
        assert state(imap) == found
    mails = lab.postgres.sql(
        "select count(*) from pgbox.mail join pgbox.mailbox using (account_id, mailbox_id) "
        "join pgbox.account a using (account_id) where a.name = 'anna' and deleted_at is null",
        "upgraded")[0][0]
    assert sum(len(mails) for mails in found.values()) == int(mails) > 30
    with old.imap("anna") as imap:
        assert state(imap) == found
    assert "Warning" not in old.log_text()
