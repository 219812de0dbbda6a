"""A private PostgreSQL cluster with the pgbox schema in it."""

import contextlib
import glob
import json
import os
import signal
import subprocess

from .process import (child_pids, free_port, kill_hard, port_answers, runs, start_server,
                      stop_server, wait_until)

SYSTEM_USER = "postgres"
DATABASE = "pgbox"
FRONTEND_ROLE = "pgbox_frontend"


def newest_bindir():
    """The directory of initdb and postgres of the newest installed version."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if not found:
        raise RuntimeError("no PostgreSQL server is installed below /usr/lib/postgresql")
    return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4])))


class Postgres:
    """One cluster: a directory, a port, a server process that can be killed and restarted."""

    def __init__(self, directory, fsync=True, settings=None, primary=None, template=None):
        self.directory = directory
        self.bindir = newest_bindir()
        self.port = free_port()
        self.fsync = fsync
        self.settings = settings or {}
        self.log = os.path.join(directory, "log")
        self.process = None
        os.makedirs(directory)
        subprocess.run(["chown", f"{SYSTEM_USER}:", directory], check=True)
        os.chmod(directory, 0o755)  # frontends must reach the socket in it
        if template is not None:
            template.copy_data(self.data)
        elif primary is None:
            self._initdb()
        else:
            self._copy_primary(primary)

    def _as_system_user(self, *argv):
        subprocess.run(["runuser", "-u", SYSTEM_USER, "--", *argv], check=True, cwd="/",
                       stdout=subprocess.DEVNULL)

    def _initdb(self):
        self._as_system_user(f"{self.bindir}/initdb", "-D", self.data, "-U", SYSTEM_USER,
                             "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")

    def _copy_primary(self, primary):
        self._as_system_user(f"{self.bindir}/pg_basebackup", "-D", self.data, "-R", "--no-sync",
                             "-c", "fast", "-d", primary.dsn(database="replication"))

    def copy_data(self, path):
        """A copy of a stopped cluster: the same one to PostgreSQL."""
        subprocess.run(["cp", "-a", self.data, path], check=True)

    # a standby

    def standby(self, directory):
        """A new cluster that follows this one; start it."""
        return Postgres(directory, self.fsync, self.settings, primary=self)

    def bring_up_to_date(self, *standbys):
        """Wait until standbys have replayed all that this primary has written."""
        # only what is flushed is sent, and nothing but a commit flushes the end of a page soon
        self.sql("select pg_logical_emit_message(true, '', '')")
        flushed = self.value("select pg_current_wal_flush_lsn()")
        for standby in standbys:
            wait_until(lambda there=standby: there.value(
                f"select pg_last_wal_replay_lsn() >= '{flushed}'") == "t", "a standby to catch up")

    def stop_following(self):
        """Let a standby lag from now on: what the primary commits does not come here."""
        self.sql("alter system set primary_conninfo = ''")
        self.sql("select pg_reload_conf()")
        wait_until(lambda: not self.sql("select 1 from pg_stat_wal_receiver"),
                   "the standby to stop following")

    def promote(self):
        """Make a standby the primary; its history parts from the old one's here."""
        assert self.value("select pg_promote(true, 60)") == "t"

    @property
    def data(self):
        return os.path.join(self.directory, "data")

    def start(self):
        """Start the server and wait until it takes queries (also after crash recovery)."""
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "fsync": "on" if self.fsync else "off",
            "max_connections": 100, "shared_buffers": "64MB", "max_wal_size": "1GB",
            "log_line_prefix": "%m [%p] %u %a ", "log_lock_waits": "on",
            **self.settings,
        }
        argv = [f"{self.bindir}/postgres", "-D", self.data]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self.process = start_server(argv, self.log, user=SYSTEM_USER)
        wait_until(self._ready, "PostgreSQL to accept queries", timeout=60)

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at once, see {self.log}:\n{self.log_tail()}")
        return port_answers(self.port) and self._psql("select 1", "postgres").returncode == 0

    def stop(self):
        """Stop without waiting for clients ('fast')."""
        if self.process is not None:
            stop_server(self.process, signal.SIGINT)

    def kill(self):
        """kill -9 of the whole server: postmaster first, so that it cannot clean up."""
        children = child_pids(self.process.pid)
        kill_hard(self.process.pid)
        for pid in children:
            kill_hard(pid)
        self.process.wait()
        wait_until(lambda: not any(map(runs, children)),
                   "the killed PostgreSQL processes to disappear")

    def restart(self):
        self.stop()
        self.start()

    def ensure_started(self):
        if self.process.poll() is not None:
            self.start()

    def answers(self):
        """Whether queries work now (false during crash recovery)."""
        return self._psql("select 1").returncode == 0

    def frontend_backends(self):
        """The server process ids that work for Dovecot, not for the tests."""
        rows = self.sql("select pid from pg_stat_activity where usename = "
                        f"'{FRONTEND_ROLE}' and backend_type = 'client backend'")
        return [int(row[0]) for row in rows]

    def terminate_frontend_backends(self):
        """End the frontends' connections, as an admin would; how many."""
        return len(self.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename "
                            f"= '{FRONTEND_ROLE}' and backend_type = 'client backend'"))

    def dsn(self, user=SYSTEM_USER, database=DATABASE):
        """A libpq connection string over the Unix socket."""
        return f"host={self.directory} port={self.port} dbname={database} user={user}"

    @property
    def frontend_dsn(self):
        return self.dsn(FRONTEND_ROLE)

    def frontend_dsn_at(self, *ports):
        """The same over TCP, by these ports of loopback in this order: those of proxies."""
        hosts = ",".join(["127.0.0.1"] * len(ports))
        return (f"host={hosts} port={','.join(map(str, ports))} dbname={DATABASE} user={FRONTEND_ROLE} "
                "sslmode=disable gssencmode=disable")

    def _psql(self, query, database=DATABASE):
        return subprocess.run(
            [f"{self.bindir}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\x1f", "-R", "\x1e",
             "-d", self.dsn(database=database), "-c", query],
            capture_output=True, text=True, check=False)

    def sql(self, query, database=DATABASE):
        """Run a query as superuser; rows as lists of strings."""
        done = self._psql(query, database)
        if done.returncode != 0:
            raise AssertionError(f"{query}\n{done.stderr}")
        text = done.stdout.rstrip("\n")
        return [row.split("\x1f") for row in text.split("\x1e")] if text else []

    @contextlib.contextmanager
    def holding(self, query):
        """Leaves a transaction open behind a query, for the locks that it takes."""
        with subprocess.Popen([f"{self.bindir}/psql", "-XAtq", "-d", self.dsn()], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as psql:
            psql.stdin.write(f"begin; {query}; select 'done';\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "done\n"
            yield
            psql.stdin.close()

    def value(self, query):
        """The single value of a query, as string."""
        return self.sql(query)[0][0]

    def records(self, query):
        """Rows as dictionaries with numbers and NULLs as Python knows them."""
        return json.loads(self.value(f"select coalesce(json_agg(q), '[]') from ({query}) q"))

    def install_schema(self, sql_directory):
        """Create the database, the pgbox schema and the role the frontends log in with."""
        self.sql(f"create database {DATABASE}", "postgres")
        script = os.path.join(sql_directory, "pgbox-schema")
        subprocess.run([script, "install", "--dsn", self.dsn()], check=True,
                       stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": f"{self.bindir}:{os.environ['PATH']}"})
        self.sql(f"create role {FRONTEND_ROLE} login in role pgbox_mail")

    def log_tail(self, lines=30):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])
