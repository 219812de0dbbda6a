"""Frontends with the services pgbox-notify and pgbox-text, which are waited for."""

import contextlib

import pytest

from .process import wait_until

# The frontends ask by themselves only every ten minutes: what arrives sooner was notified.
SLOW_POLL = "mailbox_idle_check_interval = 10 mins\n"


def wait_for_notify(*servers):
    for server in servers:
        wait_until(server.notifies, "the notification service to listen")


def leave_old_text(postgres):
    """Take what earlier tests saved from pgbox-text, which would do all that first."""
    postgres.sql("update pgbox.message_text_queue set wanted = 0")


def host_with_services(lab, name):
    """A frontend with both services; the caller stops it."""
    server = lab.dovecot("tested", name, notify=True, text=True)
    wait_for_notify(server)
    wait_until(server.extracts, "the text service to watch")
    return server


@contextlib.contextmanager
def notified_frontends(lab, names, **options):
    """Frontends, each with index directory, wake-up files and pgbox-notify of its own.

    For a fixture: without pgbox its tests are skipped.  `options` are those of Lab.dovecot()."""
    if lab.tested != "pgbox":
        pytest.skip("only pgbox has this")
    servers = [lab.dovecot("tested", name, notify=True, **options) for name in names]
    wait_for_notify(*servers)
    yield servers
    for server in servers:
        server.stop()
