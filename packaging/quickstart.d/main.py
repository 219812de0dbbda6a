"""The demonstration behind packaging/quickstart, which see.  Every claim is checked."""

import argparse
import ctypes
import email.header
import email.parser
import os
import pathlib
import re
import secrets
import shutil
import signal
import sys
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests"))

# pylint: disable=wrong-import-position
from pgboxtest.lmtp import LmtpClient  # noqa: E402
from pgboxtest.modules import install_settings  # noqa: E402
from pgboxtest.process import stop_server  # noqa: E402

import messages  # noqa: E402
from servers import DATABASE, Database, Frontend  # noqa: E402
from transcript import Failed, Imap, check  # noqa: E402

USER = "reader"
# More are delivered, but not all of them are compared.
MAX_COMPARED = 500
PR_SET_PDEATHSIG = 1

ANALYST_QUERIES = (
    "select account, mailbox, messages, unseen, bytes from pgbox.mailbox_view order by mailbox",
    """\
select mailbox, uid, left(from_header, 24) as "from", left(subject, 32) as subject,
    size, seen, flagged
from pgbox.mail_view
order by sent_at desc nulls last
limit 5""",
    """\
select media_type, count(*), sum(encoded_size) as bytes
from pgbox.attachment_view
group by media_type
order by count(*) desc
limit 5""",
)


def say(text):
    print(f"\n== {text}", flush=True)


class Demonstration:
    """The servers and the steps, in the order in which main() calls them."""

    def __init__(self, directory, port=None):
        self.directory = directory
        self.ports = [port + i for i in range(5)] if port else [None] * 5
        self.sql_directory = os.environ.get("PGBOX_SQL", str(PROJECT / "sql"))
        self.password = secrets.token_hex(4)
        self.database = None
        self.frontends = []
        self.delivered = []

    def path(self, name):
        return os.path.join(self.directory, name)

    # life

    def start(self):
        install_settings(os.path.abspath(os.environ["PGBOX_PLUGIN"]))
        say("start PostgreSQL and install the schema")
        self.database = Database(self.path("pg"), self.ports[4])
        self.database.start()
        print("   " + self.database.prepare(self.sql_directory).splitlines()[0], flush=True)
        dsn = self.database.write_passfile(self.path("passfile"))
        with open(self.path("users"), "w", encoding="utf-8") as users:
            users.write(f"{USER}:{{PLAIN}}{self.password}\n")
        shutil.chown(self.path("users"), "dovecot", "dovecot")
        os.chmod(self.path("users"), 0o600)
        say("start two Dovecots with pgbox; they share the database, nothing else")
        for name, imap, lmtp in (("a", 0, 1), ("b", 2, 3)):
            frontend = Frontend(self.path(name), dsn=dsn, users=self.path("users"),
                                imap_port=self.ports[imap], lmtp_port=self.ports[lmtp])
            self.frontends.append(frontend)
            frontend.start()
            print(f"   {name.upper()}: IMAP 127.0.0.1:{frontend.imap_port}, "
                  f"LMTP 127.0.0.1:{frontend.lmtp_port}, cache {frontend.cache}", flush=True)

    def stop(self):
        for frontend in self.frontends:
            frontend.stop()
        if self.database is not None and self.database.process is not None:
            stop_server(self.database.process, signal.SIGINT)

    def imap(self, number):
        return Imap("AB"[number], self.frontends[number].imap_port, USER, self.password)

    # steps

    def deliver(self, mails):
        say(f"deliver {len(mails)} messages through LMTP, to A and B in turn")
        clients = [LmtpClient(frontend.lmtp_port) for frontend in self.frontends]
        refused = 0
        for count, mail in enumerate(mails, 1):
            code, text = clients[count % 2].deliver(USER, mail.octets())
            if code == 250:
                self.delivered.append(mail)
            else:
                refused += 1
                print(f"   {mail.name}: {code} {text}", flush=True)
            if len(mails) <= messages.COUNT:
                print(f"   {'BA'[count % 2]}: {code} {mail.name}", flush=True)
            elif count % 500 == 0:
                print(f"   {count} of {len(mails)}", flush=True)
        for client in clients:
            client.close()
        check(refused == 0, f"{len(self.delivered)} messages were accepted, {refused} refused")

    def read(self):
        say("list, search and fetch on A")
        count = len(self.delivered)
        imap = self.imap(0)
        check(b" INBOX\r\n" in imap.run('LIST "" *'), "LIST has INBOX")
        check(f"* {count} EXISTS\r\n".encode() in imap.run("SELECT INBOX"), f"{count} mails exist")
        first = max(1, count - 7)
        fetched = imap.fetch(f"FETCH {first}:* (UID FLAGS RFC822.SIZE "
                             "BODY.PEEK[HEADER.FIELDS (SUBJECT)])", quiet=False)
        check(len(fetched) == count - first + 1, "each of them was answered")
        self._search(imap)
        imap.run(f"UID FETCH {count} (ENVELOPE BODYSTRUCTURE)")
        self._compare_octets(imap)
        imap.logout()

    def _search(self, imap):
        uid, word = self._word_of_a_subject()
        if uid is not None:
            check(uid in imap.search(f"SUBJECT {word}"), f'SEARCH found "{word}" in mail {uid}')
            check(not imap.search("SUBJECT surely-in-no-subject-7b1e"), "and nothing else in none")
        check(len(imap.search("UNSEEN")) == len(self.delivered), "all mails are unseen")

    def _word_of_a_subject(self):
        """(UID, word) of the newest mail whose subject has a plain word."""
        for uid in range(len(self.delivered), max(0, len(self.delivered) - 100), -1):
            header = self.delivered[uid - 1].octets().partition(b"\r\n\r\n")[0]
            subject = email.parser.BytesHeaderParser().parsebytes(header)["Subject"]
            text = str(email.header.make_header(email.header.decode_header(str(subject or ""))))
            if found := re.search(r"(?a:\b[A-Za-z]{4,}\b)", text):
                return uid, found[0]
        return None, None

    def _compare_octets(self, imap):
        """LMTP puts its own headers first; the rest must be the message."""
        step = max(1, -(-len(self.delivered) // MAX_COMPARED))
        compared = 0
        for uid in range(1, len(self.delivered) + 1, step):
            sent = self.delivered[uid - 1].octets()
            if b"\0" in sent:
                continue  # LMTP does not carry these
            got = imap.literal(f"UID FETCH {uid} BODY.PEEK[]")
            if not got.endswith(sent):
                raise Failed(f"mail {uid} differs from {self.delivered[uid - 1].name}")
            compared += 1
        check(compared > 0, f"{compared} mails came back octet for octet")

    def share(self):
        say("change on A, see it on B")
        count = len(self.delivered)
        imap_a, imap_b = self.imap(0), self.imap(1)
        imap_a.run("SELECT INBOX", quiet=True)
        check(f"* {count} EXISTS\r\n".encode() in imap_b.run("SELECT INBOX"),
              "B, whose cache is its own, has the same mails")
        imap_a.run("UID STORE 1 +FLAGS (\\Flagged $Important)")
        answer = imap_b.run("NOOP")
        check(b"\\Flagged" in answer and b"$Important" in answer, "B was told of flag and keyword")
        imap_b.run("CREATE Archive/2024")
        imap_b.run(f"UID MOVE {count} Archive/2024")
        check(re.search(rb"\* (\d+ EXPUNGE|VANISHED)", imap_a.run("NOOP")) is not None,
              "A was told that the mail is gone")
        check(b"Archive/2024" in imap_a.run('LIST "" *'), "A lists the new folder")
        check(imap_a.status("Archive/2024", "MESSAGES", quiet=False) == 1, "the mail is in it")
        check(imap_a.status("INBOX", "HIGHESTMODSEQ") == imap_b.status("INBOX", "HIGHESTMODSEQ"),
              "HIGHESTMODSEQ is the same on A and B")
        imap_a.logout()
        imap_b.logout()

    def lose_cache(self):
        say("lose B's cache")
        items = "UID FETCH 1:* (FLAGS MODSEQ INTERNALDATE RFC822.SIZE)"
        imap_a = self.imap(0)
        imap_a.run("SELECT INBOX", quiet=True)
        expected = imap_a.fetch(items)
        imap_a.logout()
        cache = os.path.join(self.frontends[1].cache, USER)
        check(os.path.isdir(cache), f"there is something to lose: {cache}")
        shutil.rmtree(cache)
        imap_b = self.imap(1)
        imap_b.run("SELECT INBOX", quiet=True)
        got = imap_b.fetch(items)
        imap_b.logout()
        check(got == expected and len(got) == len(self.delivered) - 1,
              f"UIDs, flags, MODSEQs, dates and sizes of {len(got)} mails are those of A")

    def analyse(self):
        say("what an analyst sees, with the role pgbox_analyst")
        for query in ANALYST_QUERIES:
            print("\n".join(f"   {DATABASE}=> {line}" if i == 0 else f"      {line}"
                            for i, line in enumerate(query.splitlines())))
            done = self.database.query_as_analyst(query)
            print("".join(f"   {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
            check(done.returncode == 0, f"the query ran {done.stderr}".rstrip())
        done = self.database.query_as_analyst("select data from pgbox.message_chunk limit 1")
        check("permission denied" in done.stderr, "the text of messages is not for analysts")

    def verify(self):
        say("pgbox-schema verify: recount everything")
        last = self.database.schema(self.sql_directory, "verify").splitlines()[-1]
        check(last.endswith("passed"), last)
        alarming = [line for frontend in self.frontends for line in frontend.take_alarming_lines()]
        check(not alarming, "\n".join(["no errors in Dovecot's logs", *alarming]))

    def invite(self):
        frontend_a, frontend_b = self.frontends
        say("your turn")
        print(f"""\
   Mail client   IMAP, host 127.0.0.1, port {frontend_a.imap_port} (A) or {frontend_b.imap_port} (B)
                 no encryption, user {USER}, password {self.password}
   By hand       curl -u {USER}:{self.password} 'imap://127.0.0.1:{frontend_a.imap_port}/INBOX;UID=1'
   Deliver       LMTP, host 127.0.0.1, port {frontend_a.lmtp_port} (A) or {frontend_b.lmtp_port} (B), to {USER}
   SQL           PGPASSWORD={self.database.passwords['analyst']} psql '{self.database.analyst_dsn()}'
                 as superuser: psql '{self.database.dsn(database=DATABASE)}'
   Dovecot       doveadm -c {frontend_a.conf} mailbox list -u {USER}
   Logs          {frontend_a.log}
                 {frontend_b.log}
                 {self.database.log}

   Ctrl-C ends all of it and removes {self.directory}""", flush=True)

    def wait(self):
        """Until Ctrl-C; a server that ends before is an error."""
        while True:
            time.sleep(1)
            for server in [self.database, *self.frontends]:
                if server.process.poll() is not None:
                    raise Failed(f"a server ended by itself, see {server.log}")

    def logs(self):
        tails = [server.log_tail() for server in [self.database, *self.frontends]
                 if server is not None and os.path.exists(server.log)]
        return "\n".join(tails)


def choose_messages(options):
    if options.mail is None:
        return messages.made_up(options.seed)
    found, left_out = messages.from_path(options.mail)
    if not found:
        raise Failed(f"{options.mail} is no Maildir, mbox file or folder of .eml files with mail")
    if left_out:
        print(f"   left out: {left_out}; doveadm backup or import brings whole accounts")
    return found


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--mail")
    parser.add_argument("--port", type=int)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def end_by_signal(_number, _frame):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # once is enough; now we clean up
    raise KeyboardInterrupt


def main():
    options = parse_arguments()
    # The shell started us in the background, where Ctrl-C is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_by_signal)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    demonstration = Demonstration(options.directory, options.port)
    try:
        mails = choose_messages(options)
        demonstration.start()
        demonstration.deliver(mails)
        demonstration.read()
        demonstration.share()
        demonstration.lose_cache()
        demonstration.analyse()
        demonstration.verify()
        if not options.once:
            demonstration.invite()
            demonstration.wait()
        say("all of it worked")
        return 0
    except KeyboardInterrupt:
        say("stop")
        return 0 if not options.once else 1
    except (Failed, AssertionError, RuntimeError, OSError) as error:
        print(f"\npackaging/quickstart: FAILED: {error}\n\n{demonstration.logs()}",
              file=sys.stderr, flush=True)
        return 1
    finally:
        demonstration.stop()


if __name__ == "__main__":
    sys.exit(main())
