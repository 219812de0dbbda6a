"""The two sides of a benchmark: sdbox and pgbox, one Dovecot each, everything durable.

sdbox runs with mail_fsync=always, because a PostgreSQL commit is flushed in every case: with
Dovecot's default (optimized) flags and indexes would only be in the page cache.  What differs is
written into the head of each table (`differences`).
"""

import os

from pgboxtest import config
from pgboxtest.lab import Lab, plugin_path, sql_directory
from pgboxtest.postgres import Postgres
from pgboxtest.services import wait_for_notify

# What an administrator of a small mail server sets; all that makes commits safe stays on.
POSTGRES_SETTINGS = {
    "shared_buffers": "512MB", "synchronous_commit": "on",
    "max_connections": 200,
    "checkpoint_timeout": "15min", "max_wal_size": "4GB", "min_wal_size": "1GB",
    "shared_preload_libraries": "pg_stat_statements",
}
PLUGIN_SETTINGS = {"pgbox_query_timeout": "120s"}
IMAP_PROCESSES = "service imap {\n  process_limit = 200\n}\n"


class BenchLab(Lab):
    """A lab whose PostgreSQL is set up as a real one and counts statements."""

    @property
    def postgres(self):
        if self._postgres is None:
            self._postgres = Postgres(os.path.join(self.directory, "pg"),
                                      settings=POSTGRES_SETTINGS)
            self._postgres.start()
            self._postgres.install_schema(sql_directory())
            self._postgres.sql("create extension pg_stat_statements")
            self._postgres.sql("create extension pg_walinspect")
        return self._postgres

    def age_wal(self):
        """Fill min_wal_size with used WAL files: a server that has run for an hour writes to
        these again, and doesn't make a new one of zeros for each 16 MB."""
        self.postgres.sql("do $$ begin for i in 1 .. 60 loop "
                          "perform pg_logical_emit_message(false, 'bench', ''), pg_switch_wal(); "
                          "end loop; end $$")
        self.postgres.sql("checkpoint")


class Side:
    """sdbox or pgbox: the instances that serve it, by what they are for."""

    def __init__(self, lab, name, fsync):
        self.lab = lab
        self.name = name
        self.fsync = fsync
        self._instances = {}

    def server(self, purpose="main"):
        """An instance, started when first needed; pgbox with pgbox-notify, as operate.md sets it up.

        main    what most cases use
        other   a second frontend of the same users; sdbox has only one
        quota   with the quota plugin
        reuse   imap processes serve one client after another
        text    with the services of pgbox, which extract text for SEARCH
        no text without text for SEARCH
        fill    for what is not measured: sdbox writes without flushing
        """
        if (self.name, purpose) in (("sdbox", "other"), ("pgbox", "fill")):
            purpose = "main"
        if purpose not in self._instances:
            self._instances[purpose] = self._start(purpose)
        return self._instances[purpose]

    def stop(self, purpose):
        """Ends an instance, which would go on working beside the next cases."""
        self._instances.pop(purpose).stop()

    def _start(self, purpose):
        fsync = "never" if purpose == "fill" else self.fsync
        options = {"extra": IMAP_PROCESSES + f"mail_fsync = {fsync}\n", "sdbox_list_index": True}
        if self.name == "pgbox":
            options["plugin"] = dict(PLUGIN_SETTINGS)
            options["notify"] = True
        if purpose in ("text", "no text"):
            options["text"] = purpose == "text"
            options["plugin"]["pgbox_search_text"] = "yes" if purpose == "text" else "no"
        if purpose == "reuse":
            options["extra"] += f"service imap {{\n{config.many_clients(100)}}}\n"
        if purpose == "quota":
            options["mail_plugins"] = ["quota"]
            options["imap_plugins"] = ["imap_quota"]
            options["extra"] += config.quota(storage=100 << 30)
        server = self.lab.dovecot(self.name, purpose, **options)
        if self.name == "pgbox":
            wait_for_notify(server)
        return server

    def index_directories(self, user, server=None):
        """Where the index and cache files of a user are."""
        server = server or self.server()
        if self.name == "sdbox":
            return [os.path.join(server.home, user, "mail")]
        return [os.path.join(server.cache, user)]

    def forget_cache(self, user, server=None):
        """Remove what Dovecot has cached of messages; the index files stay."""
        for top in self.index_directories(user, server):
            for directory, _directories, files in os.walk(top):
                for name in files:
                    if name.startswith("dovecot.index.cache"):
                        os.unlink(os.path.join(directory, name))


def differences(sides):
    """{side name: settings that only this side has}, directories and ports aside."""
    settings = {side.name: side.server().settings_in_use() for side in sides}
    common = set.intersection(*settings.values())
    return {name: sorted(own - common) for name, own in settings.items()}


__all__ = ["BenchLab", "Side", "plugin_path"]
