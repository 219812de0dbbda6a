"""client.py PASSWORD: delivers through LMTP, lists, fetches and waits through IMAP."""

import imaplib
import smtplib
import sys
import time

MESSAGE = (b"From: test@example.org\r\nSubject: for both\r\n\r\n"
           b".a line with a dot\r\n\xe4 octet of Latin-1\r\n \r\n")
# Without the service pgbox-notify it takes 30 seconds.
IDLE_SECONDS = 15


def deliver(user):
    """Hands MESSAGE to Dovecot's LMTP server, which must take it."""
    with smtplib.LMTP("/run/dovecot/lmtp") as lmtp:
        lmtp.sendmail("test@example.org", user, MESSAGE)


def log_in(user, password):
    """An IMAP session with INBOX selected."""
    imap = imaplib.IMAP4("127.0.0.1", timeout=IDLE_SECONDS)
    imap.login(user, password)
    status, data = imap.select("INBOX")
    assert status == "OK", data
    return imap


def fetch(imap, number):
    """The octets of a mail, as they came after what the delivery adds."""
    status, data = imap.fetch(number, "(FLAGS BODY.PEEK[])")
    assert status == "OK", data
    return data[0][1]


def wait_for_mail(imap, user):
    """A session in IDLE hears of a mail that another process delivers."""
    imap.send(b"X1 IDLE\r\n")
    assert imap.readline().startswith(b"+ ")
    time.sleep(1)
    began = time.monotonic()
    deliver(user)
    while not imap.readline().endswith(b" EXISTS\r\n"):
        pass
    print(f"IDLE: {time.monotonic() - began:.3f} seconds")
    imap.send(b"DONE\r\n")
    while not imap.readline().startswith(b"X1 OK"):
        pass


def main():
    """See above."""
    password = sys.argv[1]
    for user in ("ana", "bob"):
        deliver(user)
        imap = log_in(user, password)
        status, names = imap.list()
        print(user, status, names)
        assert status == "OK" and any(b"INBOX" in name for name in names)
        assert fetch(imap, "1").endswith(MESSAGE)
        status, data = imap.store("1", "+FLAGS", r"(\Seen)")
        assert status == "OK", data
        imap.logout()
    imap = log_in("ana", password)
    assert rb"\Seen" in imap.fetch("1", "(FLAGS)")[1][0]
    wait_for_mail(imap, "ana")
    imap.store("2", "+FLAGS", r"(\Deleted)")
    assert imap.expunge() == ("OK", [b"2"])
    imap.logout()


main()
