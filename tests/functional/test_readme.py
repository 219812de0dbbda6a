"""What packaging/doc tells admins and analysts to do."""

import os
import re
import shutil
import subprocess

import pytest

from pgboxtest import messages
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.lab import PROJECT


def document(name):
    return (PROJECT / "packaging" / "doc" / name).read_text(encoding="utf-8")


ANALYSTS = document("analysts.md")
QUERIES = [query for block in re.findall(r"^```sql\n(.*?)^```", ANALYSTS, re.M | re.S)
           for query in block.split(";") if query.strip()]

pytestmark = pytest.mark.usefixtures("pgbox_only")


@pytest.fixture(scope="module")
def analyst(lab):
    """Runs a query as the analyst of analysts.md; CompletedProcess."""
    role = "CREATE ROLE ana LOGIN IN ROLE pgbox_analyst"
    assert role in ANALYSTS
    lab.postgres.sql(role)

    def run(query):
        return subprocess.run(
            [f"{lab.postgres.bindir}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
             "-d", lab.postgres.dsn("ana"), "-c", query],
            capture_output=True, text=True, check=False)

    yield run
    lab.postgres.sql("drop role ana")


def invoice():
    return messages.crlf(
        b"From: shop@example.org\nSubject: your order\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="edge"\n\n--edge\n\ntext\n--edge\n'
        b"Content-Type: application/pdf\n"
        b'Content-Disposition: attachment; filename="Invoice 17.pdf"\n\npdf\n--edge--\n')


def test_there_are_queries():
    assert len(QUERIES) >= 4


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_query_of_an_analyst(frontend_a, analyst, user, query):
    assert frontend_a.deliver(user, invoice())[0] == 250
    done = analyst(query.replace("'ana'", f"'{user}'"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("table", ["message", "message_chunk", "mail", "mailbox", "account"])
def test_analysts_read_nothing_else(analyst, table):
    assert "permission denied" in analyst(f"select * from pgbox.{table}").stderr


def test_mail_comes_in_from_a_maildir(frontend_a, user):
    """The command of install.md, with the Maildir's own UIDs and dates."""
    assert "doveadm backup -R -u USER maildir:~/Maildir" in document("install.md")
    home = frontend_a.user_home(user)
    for sub in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"):
        os.makedirs(os.path.join(home, "Maildir", sub))
    with open(f"{home}/Maildir/cur/1000000001.M1.host:2,FS", "wb") as mail:
        mail.write(invoice().replace(b"\r\n", b"\n"))
    with open(f"{home}/Maildir/.Sent/cur/1000000002.M2.host:2,S", "wb") as mail:
        mail.write(messages.numbered(2).replace(b"\r\n", b"\n"))
    subprocess.run(["chown", "-R", f"{MAIL_USER}:", home], check=True)
    frontend_a.doveadm("backup", "-R", "-u", user, "maildir:~/Maildir")
    with frontend_a.imap(user) as imap:
        assert {b"INBOX", b"Sent"} <= set(imap.list_names())
        imap.select("INBOX")
        assert list(imap.bodies().values()) == [invoice()]
        assert {b"\\Flagged", b"\\Seen"} <= set(imap.fetch("1", "FLAGS")[1]["FLAGS"])
    shutil.rmtree(f"{home}/Maildir")
