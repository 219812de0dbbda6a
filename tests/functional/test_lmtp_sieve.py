"""Deliveries: LMTP and dovecot-lda, with and without Sieve."""

import os
import shutil

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.lmtp import LmtpClient

SCRIPT = """\
require ["fileinto", "imap4flags", "copy", "mailbox", "reject"];
if header :contains "Subject" "folder" { fileinto :create "Sorted/One"; stop; }
if header :contains "Subject" "flags" { setflag "\\\\Flagged"; addflag "Sieved"; keep; stop; }
if header :contains "Subject" "twice" { fileinto :copy :create "Copy"; keep; stop; }
if header :contains "Subject" "discard" { discard; stop; }
if header :contains "Subject" "refuse" { reject "not wanted"; stop; }
"""


@pytest.fixture(scope="module", params=["sdbox", "tested"])
def sieving(lab, request):
    """An instance with Sieve; `~/.dovecot.sieve` is the user's script."""
    server = lab.dovecot(request.param, "sieve", delivery_plugins=["sieve"],
                         extra=config.sieve() + "lda_mailbox_autocreate = yes\n"
                         + config.protocol("lmtp", "lmtp_save_to_detail_mailbox = yes\n"))
    yield server
    server.stop()


def install_script(server, user, text=SCRIPT):
    path = os.path.join(server.user_home(user), ".dovecot.sieve")
    with open(path, "w", encoding="utf-8") as script:
        script.write(text)
    shutil.chown(path, MAIL_USER, MAIL_USER)


def mail_about(subject):
    return messages.crlf(f"From: a@example.org\nSubject: {subject}\n\nbody\n".encode())


def contents(server, user):
    """{mailbox: [(subject, flags)]} of the whole account."""
    found = {}
    with server.imap(user) as imap:
        for name in imap.list_names():
            if imap.command(b'SELECT "' + name + b'"').ok:
                mails = imap.fetch("1:*", "FLAGS ENVELOPE").values() if imap.search("ALL") else []
                found[name.decode()] = [(values["ENVELOPE"][1].decode(),
                                         sorted(set(values["FLAGS"]) - {b"\\Recent"}))
                                        for values in mails]
    return found


EXPECTED = {
    "INBOX": [("flags", [b"Sieved", b"\\Flagged"]), ("twice", []), ("plain", [])],
    "Sorted/One": [("folder", [])],
    "Copy": [("twice", [])],
}
SUBJECTS = ["folder", "flags", "twice", "discard", "plain"]


def test_sieve_by_lmtp(sieving, user):
    install_script(sieving, user)
    for subject in SUBJECTS:
        code, text = sieving.deliver(user, mail_about(subject))
        assert code == 250, text
    found = contents(sieving, user)
    assert {name: found[name] for name in EXPECTED} == EXPECTED


def test_sieve_by_lda(sieving, user):
    install_script(sieving, user)
    for subject in SUBJECTS:
        done = sieving.lda(user, mail_about(subject))
        assert done.returncode == 0, done.stderr
    found = contents(sieving, user)
    assert {name: found[name] for name in EXPECTED} == EXPECTED


def test_lda_into_mailbox(sieving, user):
    assert sieving.lda(user, mail_about("direct"), "-m", "Direct/Box").returncode == 0
    assert contents(sieving, user)["Direct/Box"] == [("direct", [])]


def test_detail_address(sieving, user):
    """user+folder: LMTP saves to the folder."""
    sieving.doveadm("mailbox", "create", "-u", user, "detail")
    assert sieving.deliver(f"{user}+detail", mail_about("plain"))[0] == 250
    assert contents(sieving, user)["detail"] == [("plain", [])]


def test_several_recipients(server, lab):
    """One DATA for several users: each gets one copy, an answer for each."""
    users = [lab.new_user("many") for _ in range(5)]
    with LmtpClient(server.lmtp_port) as lmtp:
        answers = lmtp.deliver(users, messages.numbered(1, size=300_000))
    assert [code for code, _text in answers] == [250] * 5
    for user in users:
        with server.imap(user) as imap:
            imap.select("INBOX")
            body, = imap.bodies().values()
            assert body.endswith(messages.numbered(1, size=300_000))


def test_many_deliveries_over_one_connection(server, user):
    with LmtpClient(server.lmtp_port) as lmtp:
        for number in range(100):
            assert lmtp.deliver(user, messages.numbered(number))[0] == 250
    with server.imap(user) as imap:
        imap.select("INBOX")
        subjects = [values["ENVELOPE"][1] for _uid, values in
                    sorted(imap.fetch("1:*", "ENVELOPE").items())]
    assert subjects == [f"message {number}".encode() for number in range(100)]


def test_delivery_is_seen_by_open_session(frontend_a, frontend_b, user):
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        frontend_b.deliver(user, messages.numbered(1))
        assert imap.ok("NOOP").numbered("EXISTS") == [(1, [])]


def test_idle_hears_of_delivery(frontend_a, frontend_b, user):
    """Within Dovecot's own polling interval at the latest."""
    with frontend_a.imap(user) as imap:
        imap.select("INBOX")
        with imap.idle():
            frontend_b.deliver(user, messages.numbered(1))
            imap.wait_for(lambda answer: answer == [b"1", b"EXISTS"], timeout=45)


def test_interrupted_data_stores_nothing(server, user):
    lmtp = LmtpClient(server.lmtp_port)
    for line in ("MAIL FROM:<a@example.org>", f"RCPT TO:<{user}>", "DATA"):
        lmtp.command(line)
    lmtp.socket.sendall(messages.numbered(1, size=400_000))
    lmtp.close()
    assert server.deliver(user, messages.numbered(2))[0] == 250
    with server.imap(user) as imap:
        assert imap.status("INBOX", "MESSAGES") == {"MESSAGES": 1}
