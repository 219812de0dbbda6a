"""One private PostgreSQL and several Dovecots, set up as install.md tells an admin to."""

import os
import pathlib
import secrets
import shutil
import subprocess

from pgboxtest import config
from pgboxtest.dovecot import MAIL_USER, Dovecot
from pgboxtest.postgres import SYSTEM_USER, Postgres

PROJECT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "packaging" / "conf" / config.example_directory()
DATABASE = "mail"
FRONTEND_ROLE = "dovecot"
ANALYST_ROLE = "analyst"

# Only root and the server's own user come in without a password.
PG_HBA = f"""\
local all {SYSTEM_USER} peer map=quickstart
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""
PG_IDENT = f"""\
quickstart root {SYSTEM_USER}
quickstart {SYSTEM_USER} {SYSTEM_USER}
"""

# What Debian's configuration would say beside ports and directories
COMMON = """\
instance_name = {name}
hostname = {name}.example.org
mailbox_idle_check_interval = 5 secs
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
}}
"""


class Database(Postgres):
    """A cluster that asks for passwords, with the schema and two login roles."""

    def __init__(self, directory, port=None):
        super().__init__(directory)
        self.port = port or self.port
        self.passwords = {role: secrets.token_hex(8) for role in (FRONTEND_ROLE, ANALYST_ROLE)}
        for name, text in (("pg_hba.conf", PG_HBA), ("pg_ident.conf", PG_IDENT)):
            with open(os.path.join(self.data, name), "w", encoding="utf-8") as conf:
                conf.write(text)

    def prepare(self, sql_directory):
        """What the admin does once; what pgbox-schema said."""
        self.sql(f"create database {DATABASE} encoding 'UTF8' template template0", "postgres")
        said = self.schema(sql_directory, "install")
        for role, group in ((FRONTEND_ROLE, "pgbox_mail"), (ANALYST_ROLE, "pgbox_analyst")):
            self.sql(f"create role {role} login password '{self.passwords[role]}' in role {group}",
                     "postgres")
        return said

    def schema(self, sql_directory, command):
        """Run pgbox-schema; its output."""
        done = subprocess.run(
            [os.path.join(sql_directory, "pgbox-schema"), command,
             "--dsn", self.dsn(database=DATABASE)],
            capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{self.bindir}:{os.environ['PATH']}"})
        if done.returncode != 0:
            raise RuntimeError(f"pgbox-schema {command} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def query_as_analyst(self, query):
        """CompletedProcess of psql, with a table to read."""
        return subprocess.run(
            [f"{self.bindir}/psql", "-X", "-q", "-P", "footer=off", "-P", "null=-",
             "-d", self.analyst_dsn(), "-c", query],
            capture_output=True, text=True, check=False,
            env={**os.environ, "PGPASSWORD": self.passwords[ANALYST_ROLE],
                 "PGCLIENTENCODING": "UTF8"})

    def analyst_dsn(self):
        return f"host=127.0.0.1 port={self.port} dbname={DATABASE} user={ANALYST_ROLE}"

    def write_passfile(self, path):
        """The password of the frontends, for the uid that Dovecot's mail processes have."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w",
                  encoding="utf-8") as passfile:
            passfile.write(f"127.0.0.1:{self.port}:{DATABASE}:{FRONTEND_ROLE}:"
                           f"{self.passwords[FRONTEND_ROLE]}\n")
        shutil.chown(path, MAIL_USER, MAIL_USER)
        return f"host=127.0.0.1 port={self.port} dbname={DATABASE} user={FRONTEND_ROLE} " \
               f"passfile={path}"


class Frontend(Dovecot):
    """A Dovecot that uses the example configuration and has its own cache."""

    def __init__(self, directory, *, dsn, users, imap_port=None, lmtp_port=None):
        self.users = users
        self.fixed_ports = imap_port, lmtp_port
        super().__init__(directory, "pgbox", os.path.join(directory, "home"), dsn=dsn,
                         plugin_path=os.path.abspath(os.environ["PGBOX_PLUGIN"]))

    def write_config(self):
        self.imap_port = self.fixed_ports[0] or self.imap_port
        self.lmtp_port = self.fixed_ports[1] or self.lmtp_port
        with open(self.conf, "w", encoding="utf-8") as conf:
            conf.write("".join([
                config.base(self.directory, self.path("modules"), "imap lmtp"),
                COMMON.format(name=self.name),
                config.users_of_file(self.home, MAIL_USER, self.users),
                "service imap-login {\n", config.inet_listener("imap", self.imap_port),
                config.inet_listener("imaps", 0), "}\n",
                "service lmtp {\n", config.inet_listener("lmtp", self.lmtp_port), "}\n",
                # the example as it is shipped, and then what only this host can know
                f"!include {EXAMPLES}/90-pgbox.conf\n",
                config.Location("pgbox", f"{self.cache}/%{{user}}").settings(),
                config.plugin_settings({"pgbox_dsn": self.dsn})]))
