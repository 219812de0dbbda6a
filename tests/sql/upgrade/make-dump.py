"""Makes a dump of a database full of mail, and a frontend's index files, by the plugin of a version.

    PGBOX_PLUGIN=... PGBOX_SQL=... /usr/bin/python3 make-dump.py version-1.sql.gz version-1-index.tar.gz

with the plugin, beside it its services, and the directory sql of the commit that the
databases in use are of: 2e45868 for version 1. They are committed and never made anew.
"""

import gzip
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

# pylint: disable=wrong-import-position
from pgboxtest import messages  # noqa: E402
from pgboxtest.imap import quote  # noqa: E402
from pgboxtest.lab import Lab  # noqa: E402
from pgboxtest.process import wait_until  # noqa: E402
from pgboxtest.services import wait_for_notify  # noqa: E402

LARGE = 3 * 262_144 + 1000
FOLDERS = ["Sent", "lists", "lists/pgsql", "Entw&APw-rfe"]
FLAGS = ["", "\\Seen", "\\Answered \\Flagged", "\\Deleted \\Seen", "\\Draft", "$Forwarded Work"]


def fill(server, user, seed):
    """Folders with mails of all kinds, flags, keywords, gaps and copies."""
    generator = messages.Generator(seed)
    with server.imap(user) as imap:
        for folder in FOLDERS:
            imap.ok(f"CREATE {folder}")
            imap.ok(f"SUBSCRIBE {folder}")
        for number in range(24):
            folder = ["INBOX", *FOLDERS][number % 5]
            imap.append(folder, generator.message(), FLAGS[number % 6].split(),
                        messages.imap_date(number))
        imap.select("INBOX")
        imap.ok("COPY 1:3 Sent")
        imap.ok("MOVE 2 lists")
        imap.ok("STORE 1 +FLAGS (kwA kwB)")
        imap.ok("STORE 3 FLAGS (\\Seen kwB)")
        imap.select("Sent")
        imap.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")


def fill_specials(server, user):
    """METADATA, renamed and deleted folders, nodes without mail, mails of several chunks."""
    with server.imap(user) as imap:
        imap.ok(b'SETMETADATA INBOX (/private/comment "mine" /shared/comment "ours")')
        imap.ok(b'SETMETADATA Sent (/private/vendor/x ' + quote("a" * 100) + b')')
        imap.ok('SETMETADATA "" (/private/comment "of the server")')
        for name in ("gone", "gone-too", "node/leaf", "old"):
            imap.ok(f"CREATE {name}")
            imap.append(name, messages.numbered(1), ["kw"])
        imap.ok("SUBSCRIBE gone-too")
        imap.ok("DELETE gone")
        imap.ok("DELETE gone-too")
        imap.ok("CREATE gone")  # again, beside the deleted one
        imap.append("gone", messages.numbered(2))
        imap.ok("RENAME old renamed")
        imap.append("INBOX", messages.numbered(7, size=LARGE))
        imap.append("INBOX", messages.numbered(8, size=262_144))
        imap.select("INBOX")
        imap.ok("COPY * renamed")
    with server.pop3(user):
        pass
    with server.imap(user) as imap:  # makes index files
        for name in imap.list_names():
            if imap.command(b"SELECT " + quote(name)).ok and imap.search("ALL"):
                imap.fetch("1:*", "FLAGS ENVELOPE")


def abandon_upload(postgres):
    """A large message whose host died before the message was there."""
    postgres.sql("select pgbox.upload_chunks(account_id, null, 0, 4, 'mail') "
                 "from pgbox.account where name = 'bert'")


def dump(lab, path):
    """Plain SQL; without what only a psql of today understands."""
    text = subprocess.run([f"{lab.postgres.bindir}/pg_dump", "-d", lab.postgres.dsn()],
                          capture_output=True, check=True).stdout
    lines = [line for line in text.split(b"\n") if not line.startswith((b"\\restrict", b"\\unrestrict"))]
    with open(path, "wb") as file:
        file.write(gzip.compress(b"\n".join(lines), mtime=0))
    print(f"{path}: {os.path.getsize(path)} bytes")
    for table, in lab.postgres.sql("select relname from pg_class where relkind = 'r' and "
                                   "relnamespace = 'pgbox'::regnamespace order by 1"):
        print(f"{lab.postgres.value(f'select count(*) from pgbox.{table}'):>6} {table}")


def main():
    lab = Lab()
    try:
        server = lab.dovecot("tested", "maker", notify=True, text=True, metadata=True)
        wait_for_notify(server)
        wait_until(server.extracts, "the text service to watch")
        source = lab.dovecot("sdbox", "source")
        for number, user in enumerate(("anna", "bert", "public")):
            fill(server, user, number)
        fill_specials(server, "anna")
        # dsync gives POP3 UIDLs and GUIDs of its own
        with source.imap("zoe") as imap:
            imap.append("INBOX", messages.numbered(1), ["\\Seen"])
        server.doveadm("backup", "-R", "-u", "zoe", f"sdbox:{source.user_home('zoe')}/mail")
        wait_until(lambda: not lab.postgres.sql(
            "select 1 from pgbox.message_text_queue where wanted > 0 and error is null"), "the text of all messages")
        server.stop()
        cache = server.cache
        server = lab.dovecot("tested", "without-text")
        assert server.deliver("anna", messages.numbered(10))[0] == 250  # its text stays queued
        abandon_upload(lab.postgres)
        server.stop()
        dump(lab, sys.argv[1])
        subprocess.run(["tar", "czf", sys.argv[2], "-C", cache, "anna"], check=True)
    finally:
        lab.close()


if __name__ == "__main__":
    main()
