"""Which statements frontends send, read from the log of PostgreSQL."""

import contextlib
import os
import pathlib
import re
import subprocess

from .lab import sql_directory
from .postgres import FRONTEND_ROLE

# what writes mails, mailboxes or their attributes, by the file in sql/queries
CHANGES = {"attribute-set", "mail-change", "mail-copy", "mail-flags-change", "mail-save",
           "mail-save-one", "mailbox-create", "mailbox-delete", "mailbox-rename", "mailbox-repair",
           "mailbox-restart", "mailbox-update", "subscription-set", "upload-abort", "upload-chunks"}

# not those of the service, which sends them for nobody in particular
_ENTRY = re.compile(r"\] " + FRONTEND_ROLE + r" (?!pgbox/pgbox-notify).*? LOG:  (?:execute [^:]*|statement): ")
_NEXT_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)


def _normalized(sql):
    return " ".join(line.strip() for line in sql.splitlines()
                    if line.strip() and not line.strip().startswith("--"))


def _statement(path):
    """What the plugin sends for a file in sql/queries."""
    prepare = subprocess.run(
        ["awk", "-v", "mode=prepare", "-v", f"only={path.stem}", "-f", path.parent.parent / "queries.awk",
         *path.parent.glob("*.sql")], check=True, capture_output=True, text=True).stdout
    return prepare.split("\n", 1)[1].strip().rstrip(";")


class StatementLog:
    """While it is open, PostgreSQL logs the statements of connections that are new."""

    def __init__(self, postgres):
        self.postgres = postgres
        self._names = {}
        for path in pathlib.Path(sql_directory(), "queries").glob("*.sql"):
            self._names[_normalized(_statement(path))] = path.stem
        postgres.sql(f"alter role {FRONTEND_ROLE} set log_statement = 'all'")
        postgres.sql(f"alter role {FRONTEND_ROLE} set log_parameter_max_length = 0")

    def close(self):
        self.postgres.sql(f"alter role {FRONTEND_ROLE} reset all")

    @contextlib.contextmanager
    def recorded(self):
        """Yields a list that has the statements of the block after it, as `_name` says."""
        start = os.path.getsize(self.postgres.log)
        statements = []
        yield statements
        with open(self.postgres.log, "rb") as log:
            log.seek(start)
            text = log.read().decode("utf-8", "replace")
        for entry in _NEXT_ENTRY.split(text):
            found = _ENTRY.search(entry)
            if found:
                statements.append(self._name(entry[found.end():]))

    def _name(self, sql):
        """The file in sql/queries without its suffix, or the text of any other statement."""
        text = _normalized(sql)
        return self._names.get(text, text)


def changes(statements):
    """Those that change data."""
    return [name for name in statements if name in CHANGES]
