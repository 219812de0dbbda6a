"""Databases that go back to an older state, or part into two histories.

Whatever has happened: no (mailbox, UIDVALIDITY, UID) stands for two messages, no MODSEQ for two
states, clients get what is there without a failure, and nobody restarts Dovecot.
"""

import os
import re
import shutil
import struct
import subprocess
import time

import pytest

from pgboxtest import messages
from pgboxtest.dovecot import Dovecot, Options
from pgboxtest.imap import ConnectionLost
from pgboxtest.lab import plugin_path, sql_directory
from pgboxtest.postgres import DATABASE, FRONTEND_ROLE, Postgres
from pgboxtest.process import wait_until
from pgboxtest.services import wait_for_notify

pytestmark = pytest.mark.usefixtures("pgbox_only")


@pytest.fixture(scope="module")
def expected_log():
    """The database goes away in the middle of sessions, and servers are refused."""
    return [r"Error: (?!Raw backtrace)"]


# a standby that finds no primary asks again soon
SETTINGS = {"wal_retrieve_retry_interval": "200ms"}


class Site:
    """Database servers of one test, and frontends that share nothing but these."""

    def __init__(self, lab, directory, template):
        self.lab = lab
        self.directory = directory
        self.servers = []
        self.frontends = []
        self.main = self.add(Postgres(self.place("pg"), fsync=False, settings=SETTINGS,
                                      template=template))
        self.main.start()

    def place(self, name):
        return os.path.join(self.directory, name)

    def add(self, server):
        self.servers.append(server)
        return server

    def frontend(self, *servers, **options):
        """A new frontend with an empty cache, which asks the servers in this order."""
        servers = servers or (self.main,)
        dsn = (f"host={','.join('127.0.0.1' for _server in servers)} "
               f"port={','.join(str(server.port) for server in servers)} "
               f"dbname={DATABASE} user={FRONTEND_ROLE}")
        dovecot = Dovecot(self.place(f"f{len(self.frontends)}"), "pgbox", self.place("home"),
                          Options(**options), dsn, plugin_path())
        self.lab.instances.append(dovecot)
        self.frontends.append(dovecot)
        return dovecot.start()

    def standby(self, name):
        server = self.add(self.main.standby(self.place(name)))
        server.start()
        return server

    def let_lag(self, *standbys):
        self.main.bring_up_to_date(*standbys)
        for standby in standbys:
            standby.stop_following()

    # the data directory, as a snapshot of the host would have it

    def save_data(self):
        self.main.stop()
        self.main.copy_data(self.place("saved"))
        self.main.start()

    def restore_data(self):
        self.main.stop()
        shutil.rmtree(self.main.data)
        subprocess.run(["cp", "-a", self.place("saved"), self.main.data], check=True)
        self.main.start()

    # dumps

    def dump(self):
        subprocess.run([f"{self.main.bindir}/pg_dump", "-Fc", "-f", self.place("dump"),
                        "-d", self.main.dsn()], check=True)

    def load(self, server=None, database=DATABASE):
        """Into an empty database of a server."""
        server = server or self.main
        server.sql(f"drop database if exists {database} with (force)", "postgres")
        server.sql(f"create database {database} template template0", "postgres")
        subprocess.run([f"{server.bindir}/pg_restore", "--exit-on-error", "-d",
                        server.dsn(database=database), self.place("dump")], check=True)

    def raise_epoch(self, server=None):
        subprocess.run([os.path.join(sql_directory(), "pgbox-schema"), "raise-epoch", "--dsn",
                        (server or self.main).dsn()], check=True, stdout=subprocess.DEVNULL)

    def close(self):
        for frontend in self.frontends:
            frontend.process.terminate()  # all at once; each takes a second
        for frontend in self.frontends:
            frontend.stop()
        for server in self.servers:
            server.stop()
            # Soon: what is on the disk already takes seconds to delete where that means "discard".
            if not os.environ.get("PGBOX_KEEP"):
                shutil.rmtree(server.data)


@pytest.fixture(scope="module")
def other_template(lab):
    """A stopped cluster with the schema and another system identifier."""
    server = lab.new_cluster("other-template")
    server.stop()
    return server


@pytest.fixture
def site(lab):
    directory = os.path.join(lab.directory, lab.new_user("site"))
    os.makedirs(directory)
    os.chmod(directory, 0o755)
    it = Site(lab, directory, lab.template)
    yield it
    it.close()


def plain(flags):
    return tuple(sorted(set(flags) - {b"\\Recent"}))


class Witness:
    """Remembers all that clients were told, and a client's cache of each mailbox."""

    def __init__(self, user):
        self.user = user
        self.messages = {}  # by mailbox, UIDVALIDITY, UID
        self.states = {}    # by mailbox, UIDVALIDITY, HIGHESTMODSEQ
        self.cache = {}     # by mailbox: UIDVALIDITY, HIGHESTMODSEQ, {UID: flags}

    def message(self, mailbox, validity, uid, guid):
        key = mailbox, validity, uid
        assert self.messages.setdefault(key, guid) == guid, f"{key} is two messages"

    def look(self, server, mailbox="INBOX"):
        """Selects with QRESYNC, as a client that was here before; returns the GUIDs."""
        with server.imap(self.user, enable=["QRESYNC"]) as imap:
            old_validity, old_highest, flags = self.cache.get(mailbox, (0, 0, {}))
            params = f" (QRESYNC ({old_validity} {old_highest}))" if old_validity else ""
            selected = imap.select(mailbox, params)
            validity, highest = (int(selected.code(name)[0])
                                 for name in ("UIDVALIDITY", "HIGHESTMODSEQ"))
            mails = imap.fetch("1:*", "FLAGS MODSEQ X-GUID")
            now = {uid: plain(values["FLAGS"]) for uid, values in mails.items()}
            if validity == old_validity:
                assert highest >= old_highest
                self.resync(selected, flags)
                assert flags == now, "the client does not know what is there"
            for uid, values in mails.items():
                self.message(mailbox, validity, uid, values["X-GUID"])
            assert int(selected.code("UIDNEXT")[0]) > max(mails, default=0)
            assert self.states.setdefault((mailbox, validity, highest), now) == now
            self.cache[mailbox] = validity, highest, now
            return [values["X-GUID"] for values in mails.values()]

    @staticmethod
    def resync(selected, flags):
        """Applies what a SELECT with QRESYNC has told to a client's cache."""
        for args in selected.named("VANISHED"):
            for part in args[-1].split(b","):
                low, _colon, high = part.partition(b":")
                for uid in [uid for uid in flags if int(low) <= uid <= int(high or low)]:
                    del flags[uid]
        for _number, args in selected.numbered("FETCH"):
            values = dict(zip(args[0][::2], args[0][1::2]))
            flags[int(values[b"UID"])] = plain(values[b"FLAGS"])

    def append(self, server, count, mailbox="INBOX"):
        """New messages; what APPENDUID tells is remembered, also if nobody sees them."""
        with server.imap(self.user) as imap:
            uids = [imap.append(mailbox, messages.numbered(number)) for number in range(count)]
            guids = {uid: values["X-GUID"] for uid, values in
                     self._mails(imap, mailbox).items()}
            for validity, uid in uids:
                self.message(mailbox, validity, uid, guids[uid])

    @staticmethod
    def _mails(imap, mailbox):
        imap.select(mailbox)
        return imap.fetch("1:*", "X-GUID")

    def change(self, server, mailbox="INBOX"):
        with server.imap(self.user) as imap:
            imap.select(mailbox)
            imap.ok("STORE 1 +FLAGS (\\Flagged)")
            imap.ok("STORE 2 +FLAGS (\\Deleted)")
            imap.ok("EXPUNGE")


def everywhere(site, witness, servers, mailbox="INBOX"):
    """All frontends and a new one agree; returns the GUIDs."""
    found = [witness.look(server, mailbox) for server in [*servers, site.frontend()]]
    assert all(guids == found[0] for guids in found)
    return found[0]


def epoch_of(server):
    return server.value("select epoch from pgbox.epoch")


@pytest.mark.parametrize("raised", [True, False], ids=["raised", "noticed"])
def test_failover_then_older_dump(site, other_template, user, raised):
    """Failover without loss, mails; then a dump from before is loaded into another cluster."""
    standby = site.standby("standby")
    other = site.add(Postgres(site.place("other"), fsync=False, template=other_template))
    other.start()
    frontends = [site.frontend(standby, other), site.frontend(standby, other)]
    first = site.frontend(site.main)
    witness = Witness(user)
    witness.append(first, 5)
    site.dump()
    site.main.bring_up_to_date(standby)
    site.main.kill()
    standby.promote()
    witness.append(frontends[0], 30)
    for frontend in frontends:
        assert len(witness.look(frontend)) == 35

    standby.stop()
    site.load(other)
    if raised:
        site.raise_epoch(other)
    for frontend in frontends:
        assert len(witness.look(frontend)) == 5
    witness.append(frontends[1], 30)
    for frontend in frontends:
        assert len(witness.look(frontend)) == 35


@pytest.mark.parametrize("memory", ["file", "notify", "index"])
def test_rolled_back_snapshot(site, user, memory):
    """The data directory as it was before, on the same timeline."""
    frontends = [site.frontend(notify=memory == "notify") for _number in range(2)]
    witness = Witness(user)
    witness.append(frontends[0], 5)
    witness.look(frontends[1])
    site.save_data()
    wait_until(site.main.answers, "the server to be back")
    with frontends[0].imap(user) as imap:
        imap.ok("CREATE box")
    witness.change(frontends[0])
    witness.append(frontends[0], 10)
    witness.append(frontends[0], 3, "box")
    lost = witness.look(frontends[0])
    epoch = epoch_of(site.main)
    if memory == "index":
        forget(frontends)
    site.restore_data()

    assert epoch_of(site.main) == epoch
    assert len(witness.look(frontends[0])) == 5
    assert epoch_of(site.main) != epoch, "the loss was not noticed"
    epoch = epoch_of(site.main)
    with frontends[1].imap(user) as imap:
        imap.ok("CREATE box")
    witness.append(frontends[1], 10)
    witness.append(frontends[1], 3, "box")
    left = everywhere(site, witness, frontends)
    assert len(left) == 15 and set(left[5:]).isdisjoint(lost)
    assert len(everywhere(site, witness, frontends, "box")) == 3
    assert epoch_of(site.main) == epoch, "one loss is one epoch"


def remembered_position(frontend):
    """The highest one in the files of a frontend."""
    positions = [0]
    for path in history_files(frontend):
        with open(path, "rb") as file:
            record = file.read()
        positions.append(struct.unpack("=IIqqqqqq", record)[4])
    return max(positions)


def test_rolled_back_under_a_session(site, user):
    """Nobody has logged in since the snapshot, and no index was synced: the service knows."""
    frontend = site.frontend(notify=True, memory_index=True)
    wait_for_notify(frontend)
    witness = Witness(user)
    witness.append(frontend, 2)
    with frontend.imap(user) as imap:
        site.save_data()
        wait_until(lambda: imap.command("STATUS INBOX (MESSAGES)").ok, "the server to be back")
        wait_until(lambda: frontend.notifies(since=time.time() - 1), "the service to be back")
        for number in range(10):
            validity, uid = imap.append("INBOX", messages.numbered(number))
            witness.message("INBOX", validity, uid, f"lost {number}")
        written = int(site.main.value("select pg_current_wal_flush_lsn() - '0/0'"))
        wait_until(lambda: remembered_position(frontend) >= written, "the service to remember")
    epoch = epoch_of(site.main)
    site.restore_data()
    assert len(witness.look(frontend)) == 2
    assert epoch_of(site.main) != epoch, "the loss was not noticed"
    witness.append(frontend, 10)


def history_files(frontend):
    return [os.path.join(place, name)
            for place, _directories, names in os.walk(frontend.directory)
            for name in names if name.startswith(".history.")]


def forget(frontends):
    for frontend in frontends:
        paths = history_files(frontend)
        assert paths
        for path in paths:
            os.remove(path)


def test_damaged_memory(site, user):
    """A file that makes no sense is as good as none, and is written anew."""
    frontend = site.frontend()
    witness = Witness(user)
    witness.append(frontend, 2)
    witness.look(frontend)
    epoch = epoch_of(site.main)
    path, = history_files(frontend)
    with open(path, "rb") as file:
        good = file.read()
    for bad in (b"", good[:20], bytes(len(good)), b"\xff" * len(good),
                good[:8] + bytes([good[8] ^ 1]) + good[9:], good * 1000):
        with open(path, "wb") as file:
            file.write(bad)
        assert len(witness.look(frontend)) == 2
        with open(path, "rb") as file:
            assert len(file.read()) >= len(good)
    os.remove(path)
    os.mkdir(path)
    assert len(witness.look(frontend)) == 2
    assert epoch_of(site.main) == epoch


def test_damaged_index_is_no_loss(site, user):
    """One index that says that it is ahead, and is damaged, does not begin an epoch for all."""
    frontend = site.frontend()
    witness = Witness(user)
    witness.append(frontend, 3)
    witness.look(frontend)
    epoch, modseq = map(int, site.main.sql("select epoch, max(modseq) from pgbox.mailbox "
                                           "group by epoch")[0])
    wait_until(lambda: not frontend.processes("imap"), "mail processes to end")
    damaged = 0
    for place, _directories, names in os.walk(frontend.cache):
        for path in (os.path.join(place, name) for name in names if name.startswith("dovecot.index")):
            with open(path, "r+b") as file:
                old = file.read()
                new = old.replace(struct.pack("=QQ", epoch, modseq),
                                  struct.pack("=QQ", epoch, modseq + 65536))
                damaged += old != new
                file.seek(0)
                file.write(new)
    assert damaged
    assert len(witness.look(frontend)) == 3
    assert epoch_of(site.main) == str(epoch)


def test_old_primary_comes_back(site, user):
    """It is the first of the connection string, takes writes, and is not used."""
    standby = site.standby("standby")
    frontend = site.frontend(site.main, standby)
    witness = Witness(user)
    witness.append(frontend, 5)
    site.let_lag(standby)
    witness.append(frontend, 3)
    site.main.kill()
    standby.promote()
    assert len(witness.look(frontend)) == 5
    witness.append(frontend, 4)

    site.main.start()
    before = site.main.value("select (pg_current_wal_insert_lsn(), epoch) from pgbox.epoch")
    since = frontend.log_size()
    for _number in range(5):
        assert len(witness.look(frontend)) == 9
        assert frontend.deliver(user, messages.numbered(0))[0] == 250
        assert len(witness.look(frontend)) == 10
        with frontend.imap(user) as imap:
            imap.select("INBOX")
            imap.ok("STORE 10 +FLAGS (\\Deleted)")
            imap.ok("EXPUNGE")
    assert site.main.value("select epoch from pgbox.epoch") in before
    assert site.main.value("select count(*) from pgbox.mail") == "8", "something was written there"
    lines = re.findall(r"Error: .*server is behind.*raise-epoch.*", frontend.log_text(since))
    assert len(lines) == 1, lines

    # alone, it is refused; what the admin has decided is accepted
    standby.stop()
    with frontend.imap(user) as imap:
        assert not imap.command("SELECT INBOX").ok
    site.raise_epoch()
    wait_until(lambda: selects(frontend, user), "the second of staying away to pass")
    assert len(witness.look(frontend)) == 8
    witness.append(frontend, 4)
    assert len(witness.look(frontend)) == 12


def selects(frontend, user):
    with frontend.imap(user) as imap:
        return imap.command("SELECT INBOX").ok


def test_folders_made_anew(site, user):
    """Made, lost in a failover, and made again at once in another order."""
    standby = site.standby("standby")
    frontend = site.frontend(site.main, standby)
    names = [f"folder{number}" for number in range(40)]
    witness = Witness(user)
    witness.append(frontend, 1)
    site.let_lag(standby)
    make_folders(frontend, witness, names)
    site.main.kill()
    standby.promote()
    wait_until(lambda: selects(frontend, user), "the new primary to be found")
    make_folders(frontend, witness, names[7:] + names[:7])
    assert len({key for key in witness.messages if key[0] in names}) == 80


def test_account_made_after_a_loss(site, lab):
    """It gets no id that a process may remember for another one."""
    standby = site.standby("standby")
    frontend = site.frontend(site.main, standby)
    site.let_lag(standby)
    lost, other = (lab.new_user(name) for name in ("lost", "other"))
    with frontend.imap(lost) as imap:
        imap.append("INBOX", messages.numbered(1))
        ids = account_id(site.main, lost)
        site.main.kill()
        standby.promote()
        wait_until(lambda: selects(frontend, other), "the new primary to be found")
        assert account_id(standby, other) > ids
        imap.command(*imap.append_parts("INBOX", messages.numbered(2)))
        assert standby.value("select count(*) from pgbox.mail where account_id = "
                             f"{account_id(standby, other)}") == "0", "another one has got it"


def account_id(server, user):
    return int(server.value(f"select account_id from pgbox.account where name = '{user}'"))


def make_folders(frontend, witness, names):
    with frontend.imap(witness.user) as imap:
        for name in names:
            imap.ok(f"CREATE {name}")
            validity, uid = imap.append(name, messages.numbered(0))
            guid = imap.status(name, "UIDVALIDITY"), name, len(witness.messages)
            witness.message(name, validity, uid, guid)


def test_dump_loaded_twice(site, user):
    """Into the cluster that it is from."""
    frontend = site.frontend()
    witness = Witness(user)
    witness.append(frontend, 5)
    site.dump()
    for _number in range(2):
        witness.append(frontend, 10)
        witness.look(frontend)
        site.load()
        wait_until(lambda: selects(frontend, user), "the database to be there")
        assert len(witness.look(frontend)) == 5
        witness.append(frontend, 10)
        assert len(everywhere(site, witness, [frontend])) == 15


def test_schema_loaded_under_a_session(site, user):
    """The connection stays, what it is connected to has become older."""
    frontend = site.frontend()
    witness = Witness(user)
    witness.append(frontend, 5)
    site.dump()
    with frontend.imap(user) as imap:
        validity, uid = imap.append("INBOX", messages.numbered(5))
        witness.message("INBOX", validity, uid, "lost")
        subprocess.run([f"{site.main.bindir}/pg_restore", "--clean", "--single-transaction",
                        "-d", site.main.dsn(), site.place("dump")], check=True)
        validity, uid = imap.append("INBOX", messages.numbered(6))
        assert ("INBOX", validity, uid) not in witness.messages
    assert len(witness.look(frontend)) == 6


def test_two_promotions_of_one_state(site, user):
    """Both standbys have the same; who has seen one does not mistake the other for it."""
    standbys = [site.standby("one"), site.standby("two")]
    frontend = site.frontend(site.main, *standbys)
    witness = Witness(user)
    witness.append(frontend, 5)
    # so many that UIDs do not depend on the time
    site.main.sql("update pgbox.mailbox set uid_next = 2000000000")
    site.let_lag(*standbys)
    site.main.kill()
    for standby in standbys:
        standby.promote()
        assert len(witness.look(frontend)) == 5
        witness.append(frontend, 10)
        assert len(witness.look(frontend)) == 15
        standby.kill()


def test_session_in_a_lost_mailbox(site, user):
    """A session whose mailbox gets another UIDVALIDITY ends, and the next one is right at once."""
    frontend = site.frontend()
    witness = Witness(user)
    witness.append(frontend, 5)
    site.save_data()
    witness.append(frontend, 5)
    witness.look(frontend)
    with frontend.imap(user) as imap, frontend.imap(user) as other:
        imap.select("INBOX")
        other.ok("LIST \"\" *")
        site.restore_data()
        with pytest.raises(ConnectionLost) as lost:
            imap.command("NOOP")
        assert "BYE" in repr(lost.value.untagged)
        other.select("INBOX")
        assert len(other.search("ALL")) == 5
    assert len(witness.look(frontend)) == 5


def test_without_flushing(site, user):
    """synchronous_commit = off would lose commits that nobody notices."""
    frontend = site.frontend()
    site.main.sql(f"alter role {FRONTEND_ROLE} set synchronous_commit = off")
    since = frontend.log_size()
    with frontend.imap(user) as imap:
        assert not imap.command("SELECT INBOX").ok
    wait_until(lambda: re.search(r"Error: .*needs synchronous_commit.*ALTER ROLE",
                                 frontend.log_text(since)), "the setting to be named in the log")
    site.main.sql(f"alter role {FRONTEND_ROLE} reset synchronous_commit")
    wait_until(lambda: selects(frontend, user), "the second of staying away to pass")
