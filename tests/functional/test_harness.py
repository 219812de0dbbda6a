"""The harness itself: an instance serves IMAP, POP3 and LMTP and leaves clean logs."""

import subprocess
import sys

from pgboxtest.lab import PROJECT

MESSAGE = b"From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n.dot\r\n"


def test_append_and_fetch(server, user):
    with server.imap(user) as imap:
        validity, uid = imap.append("INBOX", MESSAGE, ("\\Seen", "Work"),
                                     "01-Feb-2020 03:04:05 +0000")
        selected = imap.select("INBOX")
        assert int(selected.code("UIDVALIDITY")[0]) == validity
        fetched = imap.fetch(uid, "BODY.PEEK[] FLAGS INTERNALDATE")[uid]
        assert fetched["BODY[]"] == MESSAGE
        assert set(fetched["FLAGS"]) == {b"\\Seen", b"Work", b"\\Recent"}
        assert fetched["INTERNALDATE"] == b"01-Feb-2020 03:04:05 +0000"


def test_lmtp_pop3_and_doveadm(server, user):
    code, text = server.deliver(user, MESSAGE)
    assert code == 250, text
    with server.pop3(user) as pop3:
        assert pop3.retrieve(1).endswith(MESSAGE)
    assert server.doveadm("search", "-u", user, "all").stdout.count(b"\n") == 1


def test_runs_at_one_time_share_no_port():
    """Also if they begin with the same random number."""
    script = ("import random; random.seed(1); from pgboxtest.process import free_port; "
              "print(*(free_port() for _ in range(700)), flush=True); input()")
    runs = [subprocess.Popen([sys.executable, "-B", "-c", script], cwd=PROJECT / "tests", text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    first, second = (set(run.stdout.readline().split()) for run in runs)
    for run in runs:
        run.communicate("\n")
    assert len(first) == len(second) == 700
    assert first.isdisjoint(second)
