"""The servers of a test run: one temporary directory, one PostgreSQL, many frontends.

Environment:
  PGBOX_PLUGIN   the module under test (default: plugin/.libs/lib20_pgbox_plugin.so)
  PGBOX_SQL      the directory of pgbox-schema (default: sql/)
  PGBOX_BACKEND  "pgbox" (default), or "sdbox" to run every test with sdbox in the place of
                 pgbox: that tests the tests.
"""

import functools
import itertools
import os
import pathlib
import re
import shutil
import tempfile

from .dovecot import Dovecot, Options
from .modules import install_settings
from .postgres import Postgres

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def plugin_path():
    """The plugin under test; a missing one must never turn into silently skipped tests."""
    default = PROJECT / "plugin" / ".libs" / "lib20_pgbox_plugin.so"
    path = os.path.abspath(os.environ.get("PGBOX_PLUGIN", default))
    if not os.path.exists(path):
        raise RuntimeError(f"{path} is missing: build it, set PGBOX_PLUGIN, "
                           "or set PGBOX_BACKEND=sdbox to test the tests")
    return path


def sql_directory():
    return os.path.abspath(os.environ.get("PGBOX_SQL", PROJECT / "sql"))


class Lab:
    """Owns everything a test run starts; `close` removes all of it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="pgbox-")  # short: Unix sockets live below
        os.chmod(self.directory, 0o755)
        self.tested = os.environ.get("PGBOX_BACKEND", "pgbox")
        if self.tested == "pgbox":
            install_settings(plugin_path())
        self.instances = []
        self._postgres = None
        self._log_marks = {}
        self._users = itertools.count(1)
        self._names = itertools.count(1)

    # PostgreSQL. Without fsync: a kill loses nothing that was written.

    def new_cluster(self, name):
        """A running cluster with the schema; the caller stops it."""
        server = Postgres(os.path.join(self.directory, name), fsync=False)
        server.start()
        server.install_schema(sql_directory())
        return server

    @functools.cached_property
    def template(self):
        """A stopped one for copies, which need no initdb."""
        server = self.new_cluster("template")
        server.stop()
        return server

    @property
    def postgres(self):
        """The shared cluster, started when first needed."""
        if self._postgres is None:
            self._postgres = self.new_cluster("pg")
        return self._postgres

    # Dovecot

    def dovecot(self, backend, name=None, start=True, **options):
        """A new instance; "tested" means the backend under test.  Keywords go to Options.

        Instances of the tested backend share their users' homes, as hosts of a cluster do;
        so do those asked for as "sdbox", which are never the same as the tested ones.
        """
        home = os.path.join(self.directory, f"home-{backend}")
        backend = self.tested if backend == "tested" else backend
        dsn = plugin = None
        if backend == "pgbox":
            dsn, plugin = self.postgres.frontend_dsn, plugin_path()
        name = f"{backend}-{name or 'extra'}-{next(self._names)}"
        instance = Dovecot(os.path.join(self.directory, name), backend, home,
                           Options(**options), dsn, plugin)
        self.instances.append(instance)
        return instance.start() if start else instance

    def new_user(self, hint=""):
        """A user name nobody used before; every test starts with an empty account."""
        hint = re.sub(r"[^a-z0-9]+", "-", hint.lower()).strip("-")[:40]
        return f"u{next(self._users)}-{hint}".rstrip("-")

    # the end

    def close(self):
        for instance in self.instances:
            if instance.process is not None:
                instance.process.terminate()  # all at once; each takes a second
        for instance in self.instances:
            instance.stop()
        if self._postgres is not None:
            self._postgres.stop()
        reports = [report for instance in self.instances for report in instance.valgrind_errors()]
        if os.environ.get("PGBOX_KEEP"):
            print(f"PGBOX_KEEP: left {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        # of processes that outlived the module in which they were started
        assert not reports, "\n".join(reports)

    # logs

    def _logs(self):
        """(name, path) of the logs that exist."""
        servers = [(instance.name, instance.log) for instance in self.instances]
        if self._postgres is not None:
            servers.append(("PostgreSQL", self._postgres.log))
        return [(name, path) for name, path in servers if os.path.exists(path)]

    def mark_logs(self):
        """A test begins: `log_tails` shows what is written from now on."""
        self._log_marks = {path: os.path.getsize(path) for _name, path in self._logs()}

    def log_tails(self, lines=40, width=300):
        """The last lines that each server has written since `mark_logs`."""
        tails = []
        for name, path in self._logs():
            with open(path, "rb") as log:
                log.seek(self._log_marks.get(path, 0))
                tail = log.read().decode("utf-8", "replace").splitlines()[-lines:]
            if tail:
                tails.append("\n".join([f"--- log of {name}", *(line[:width] for line in tail)]))
        return "\n".join(tails)
