"""Dovecot's own plugins on top: virtual, acl, lazy_expunge, notify with mail_log, imapsieve."""

import os
import re
import shutil

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.process import wait_until


@pytest.fixture(params=["sdbox", "tested"])
def make(lab, request):
    """Starts an instance with the options of one test and stops it afterwards."""
    started = []

    def start(name, **options):
        started.append(lab.dovecot(request.param, name, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def write_virtual(server, user, name, text):
    """Define a virtual mailbox in the user's home."""
    root = os.path.join(server.user_home(user), "virtual")
    os.makedirs(os.path.join(root, name))
    with open(os.path.join(root, name, "dovecot-virtual"), "w", encoding="utf-8") as file:
        file.write(text)
    for path in (root, os.path.join(root, name)):
        shutil.chown(path, MAIL_USER, MAIL_USER)


def test_virtual(make, user):
    """A virtual mailbox shows flagged mails of all others, and changes go through to them."""
    server = make("virtual", mail_plugins=["virtual"],
                  extra=config.namespace("virtual", "virtual/", config.Location(
                      "virtual", "~/virtual", "~/virtual-index")))
    write_virtual(server, user, "Flagged", "INBOX\na\n  flagged\n")
    with server.imap(user) as imap:
        imap.ok("CREATE a")
        for number in range(4):
            imap.append(["INBOX", "a"][number % 2], messages.numbered(number),
                        ["\\Flagged"] * (number > 0))
        imap.select("virtual/Flagged")
        bodies = sorted(imap.bodies().values())
        assert bodies == [messages.numbered(number) for number in (1, 2, 3)]
        assert len(imap.search("SUBJECT message")) == 3
        imap.ok("STORE 1:* +FLAGS (Seen-In-Virtual)")
        imap.append("a", messages.numbered(9), ["\\Flagged"])
        imap.ok("NOOP")
        assert len(imap.search("ALL")) == 4
        imap.select("a")
        assert len(imap.search("KEYWORD Seen-In-Virtual")) == 2


def test_virtual_expunge(make, user):
    server = make("virtual-expunge", mail_plugins=["virtual"],
                  extra=config.namespace("virtual", "virtual/", config.Location(
                      "virtual", "~/virtual", "MEMORY")))
    write_virtual(server, user, "All", "INBOX\n  all\n")
    with server.imap(user) as imap:
        for number in range(3):
            imap.append("INBOX", messages.numbered(number))
        imap.select("virtual/All")
        imap.ok("STORE 2 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.select("INBOX")
        assert list(imap.bodies().values()) == [messages.numbered(0), messages.numbered(2)]


def test_acl(make, user):
    """Rights are enforced; SETACL of imap_acl is kept (in files, as today)."""
    server = make("acl", mail_plugins=["acl"], imap_plugins=["imap_acl"],
                  extra=config.acl())
    with server.imap(user) as imap:
        imap.ok("CREATE box")
        imap.append("box", messages.numbered(1))
        imap.ok("SETACL box colleague lrs")
        entries = imap.ok("GETACL box").named("ACL")[0][1:]
        assert dict(zip(entries[::2], entries[1::2]))[b"colleague"] == b"lrs"
        imap.ok(f"SETACL box {user} lra")
    with server.imap(user) as imap:
        refused = imap.command(*imap.append_parts("box", messages.numbered(2)))
        assert refused.status.code_name() == "NOPERM"
        imap.select("box")
        imap.command("STORE 1 +FLAGS (\\Deleted)")
        imap.command("EXPUNGE")
        assert len(imap.search("ALL")) == 1


def test_lazy_expunge(make, user):
    """Expunged mails move to another mailbox, whole and with their flags."""
    server = make("lazy", mail_plugins=["lazy_expunge"], extra=config.lazy_expunge("Expunged"))
    with server.imap(user) as imap:
        imap.ok("CREATE Expunged")
        for number in range(3):
            imap.append("INBOX", messages.numbered(number), ["Word"])
        imap.select("INBOX")
        imap.ok("STORE 2 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        assert len(imap.search("ALL")) == 2
        imap.select("Expunged")
        assert list(imap.bodies().values()) == [messages.numbered(1)]
        assert b"Word" in imap.fetch("1", "FLAGS")[1]["FLAGS"]


def test_lazy_expunge_of_deleted_folder(make, user):
    """Also the mails of a folder that is deleted as a whole."""
    server = make("lazy-folder", mail_plugins=["lazy_expunge"],
                  extra=config.lazy_expunge("Expunged"))
    with server.imap(user) as imap:
        imap.ok("CREATE Expunged")
        imap.ok("CREATE box")
        for number in range(3):
            imap.append("box", messages.numbered(number))
        imap.ok("DELETE box")
        imap.select("Expunged")
        assert sorted(imap.bodies().values()) == [messages.numbered(number) for number in range(3)]


def test_lazy_expunge_of_last_instance_only(make, user):
    server = make("lazy-last", mail_plugins=["lazy_expunge"],
                  extra=config.lazy_expunge("Expunged", only_last=True))
    with server.imap(user) as imap:
        imap.ok("CREATE Expunged")
        imap.append("INBOX", messages.numbered(1))
        imap.select("INBOX")
        imap.ok("COPY 1 INBOX")
        for expected in (0, 1):
            imap.ok("STORE 1 +FLAGS (\\Deleted)")
            imap.ok("EXPUNGE")
            assert imap.status("Expunged", "MESSAGES") == {"MESSAGES": expected}


def test_mail_log(make, user):
    """notify and mail_log see every kind of change, with the right UIDs and mailboxes."""
    server = make("mail-log", mail_plugins=["notify", "mail_log"],
                  extra=config.plugin_settings({
                      "mail_log_events": "delete undelete expunge copy save mailbox_create "
                                         "mailbox_delete mailbox_rename flag_change",
                      "mail_log_fields": "uid box msgid size flags"}))
    with server.imap(user) as imap:
        imap.append("INBOX", messages.numbered(1))
        imap.ok("CREATE box")
        imap.select("INBOX")
        imap.ok("COPY 1 box")
        imap.ok("STORE 1 +FLAGS (\\Flagged)")
        imap.ok("STORE 1 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.ok("RENAME box box2")
        imap.ok("DELETE box2")
    deleted = r"Mailbox deleted: box2|Mailbox box2: Mailbox deleted"
    wait_until(lambda: re.search(deleted, server.log_text()), "the last event in the log")
    log = server.log_text()
    for event in (r"save: box=INBOX, uid=1, msgid=<1@numbered\.example\.org>, size=\d+",
                  r"copy from INBOX: box=box, uid=1, msgid=<1@numbered\.example\.org>, size=\d+",
                  r"flag_change: box=INBOX, uid=1", r"delete: box=INBOX, uid=1",
                  r"expunge: box=INBOX, uid=1", r"Mailbox created: box|Mailbox box: Mailbox created",
                  r"Mailbox renamed: box -> box2", deleted):
        assert re.search(event, log), f"{event} not in\n{log}"


IMAPSIEVE = """
require ["imap4flags", "environment", "variables"];
addflag "Filed";
"""


def test_imapsieve(make, user):
    """A script runs after APPEND and COPY into a mailbox."""
    server = make("imapsieve", imap_plugins=["imap_sieve"], metadata=True,
                  extra=config.imapsieve("Filing", "~/filing.sieve"))
    with open(os.path.join(server.user_home(user), "filing.sieve"), "w", encoding="utf-8") as file:
        file.write(IMAPSIEVE)
    with server.imap(user) as imap:
        imap.ok("CREATE Filing")
        imap.append("Filing", messages.numbered(1))
        imap.append("INBOX", messages.numbered(2))
        imap.select("INBOX")
        imap.ok("COPY 1 Filing")
        imap.select("Filing")
        wait_until(lambda: imap.ok("NOOP") and len(imap.search("KEYWORD Filed")) == 2,
                   "imapsieve to flag both mails")
