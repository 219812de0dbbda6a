"""Shared and public namespaces: other accounts' mail, with ACLs where Dovecot wants them."""

import os
import shutil

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import MAIL_USER

@pytest.fixture(scope="module", params=["sdbox", "tested"])
def public(lab, request):
    """Two frontends with one public namespace."""
    backend = lab.tested if request.param == "tested" else request.param
    account = lab.new_user("public")
    path = f"{lab.directory}/{account}-{backend}"
    os.makedirs(path)
    shutil.chown(path, MAIL_USER, MAIL_USER)
    namespace = config.namespace("public", "Public/", config.Location(backend, path),
                                 account=account if backend == "pgbox" else None,
                                 more="type = public\nsubscriptions = no\n")
    servers = [lab.dovecot(request.param, f"public-{name}", extra=namespace) for name in "ab"]
    yield servers
    for server in servers:
        server.stop()


def test_public_is_one_for_all(public, lab):
    users = [lab.new_user("reader") for _ in range(2)]
    one, two = (server.imap(user) for server, user in zip(public, users))
    with one, two:
        one.ok("CREATE Public/news")
        one.append("Public/news", messages.numbered(1), ["Word"])
        one.append("INBOX", messages.numbered(2))
        two.select("Public/news")
        assert list(two.bodies().values()) == [messages.numbered(1)]
        two.ok("STORE 1 +FLAGS (\\Flagged)")
        two.ok("COPY 1 INBOX")
        assert two.status("INBOX", "MESSAGES") == {"MESSAGES": 1}
        one.select("Public/news")
        assert {b"\\Flagged", b"Word"} <= set(one.fetch("1", "FLAGS")[1]["FLAGS"])
        assert b"Public/news" in two.list_names()
        one.ok("UNSELECT")
        one.ok("DELETE Public/news")
        assert b"Public/news" not in two.list_names()


def test_namespace_command(public, user):
    with public[0].imap(user) as imap:
        personal, _others, shared = imap.ok("NAMESPACE").named("NAMESPACE")[0]
        assert personal == [[b"", b"/"]]
        assert shared == [[b"Public/", b"/"]]


def test_copy_between_namespaces(public, user):
    """COPY and MOVE from a private into a public account: bytes must be copied, and are."""
    with public[0].imap(user) as imap:
        imap.ok("CREATE Public/drop")
        for number in range(3):
            imap.append("INBOX", messages.numbered(number), ["Word"])
        imap.select("INBOX")
        imap.ok("COPY 1 Public/drop")
        imap.ok("MOVE 2:3 Public/drop")
        assert len(imap.search("ALL")) == 1
        imap.select("Public/drop")
        assert list(imap.bodies().values()) == [messages.numbered(n) for n in range(3)]
        assert all(b"Word" in values["FLAGS"] for values in imap.fetch("1:*", "FLAGS").values())
        imap.ok("UNSELECT")
        imap.ok("DELETE Public/drop")


@pytest.fixture(scope="module")
def expected_log():
    return ["is that of a public namespace, and no user's", "is that of a user, and no public namespace's"]


def public_server(lab, account):
    path = f"{lab.directory}/{account}-cache"
    os.makedirs(path)
    shutil.chown(path, MAIL_USER, MAIL_USER)
    return lab.dovecot("tested", "kinds", extra=config.namespace(
        "public", "Public/", config.Location("pgbox", path), account=account,
        more="type = public\nsubscriptions = no\n"))


def test_no_user_has_the_account_of_a_namespace(lab, user, pgbox_only):
    """Whoever is called as the account is nobody's owner, and changes nothing."""
    account = lab.new_user("tree")
    server = public_server(lab, account)
    with server.imap(user) as imap:
        imap.ok("CREATE Public/news")
        imap.append("Public/news", messages.numbered(1))
    begin = server.log_size()
    with server.imap(account) as imap:
        for command in ("SELECT news", "SELECT INBOX", "DELETE news", "CREATE mine"):
            assert imap.command(command).status.word == "NO"
    assert server.deliver(account, messages.numbered(2))[0] == 451
    log = server.log_text(begin)
    assert f"account '{account}' is that of a public namespace, and no user's" in log
    assert "Give the user another pgbox_account" in log
    with server.imap(user) as imap:
        imap.select("Public/news")
        assert list(imap.bodies().values()) == [messages.numbered(1)]
        assert imap.list_names('LIST "" Public/*') == [b"Public/news"]
    server.stop()


def test_no_namespace_has_the_account_of_a_user(lab, user, pgbox_only):
    account = lab.new_user("owner")
    server = public_server(lab, account)
    with server.imap(account) as imap:
        imap.ok("CREATE secret")
    begin = server.log_size()
    with server.imap(user) as imap:
        assert not imap.command("SELECT Public/secret").ok
        imap.select("INBOX")
    assert f"account '{account}' is that of a user, and no public namespace's" in server.log_text(begin)
    server.stop()


@pytest.fixture(scope="module", params=["sdbox", "tested"])
def sharing(lab, request):
    """An instance where users may share their mailboxes by ACL."""
    server = lab.dovecot(request.param, "sharing", start=False, mail_plugins=["acl"],
                         imap_plugins=["imap_acl"])
    location = config.Location("sdbox", f"{server.home}/{config.owner()}/mail")
    if server.backend == "pgbox":
        location = config.Location("pgbox", f"{server.cache}/{config.owner()}")
    server.options.extra = config.acl(shared=f"{server.home}/acls") + config.namespace(
        "shared", config.shared_prefix("shared"), location,
        more="type = shared\nsubscriptions = no\nlist = children\n")
    server.write_config()
    yield server.start()
    server.stop()


def test_shared_mailbox(sharing, lab):
    """Whoever was given rights sees the owner's mailbox; nobody else, and nothing else."""
    owner, friend, stranger = (lab.new_user(name) for name in ("owner", "friend", "stranger"))
    name = f"shared/{owner}/box"
    with sharing.imap(owner) as imap:
        imap.ok("CREATE box")
        imap.append("box", messages.numbered(1))
        imap.append("INBOX", messages.numbered(2))
        imap.ok(f"SETACL box {friend} lrws")
    with sharing.imap(friend) as imap:
        assert name.encode() in imap.list_names()
        imap.select(name)
        assert list(imap.bodies().values()) == [messages.numbered(1)]
        imap.ok("STORE 1 +FLAGS (FromFriend)")
        assert not imap.command(f"SELECT shared/{owner}/INBOX").ok
    with sharing.imap(stranger) as imap:
        assert name.encode() not in imap.list_names()
        assert not imap.command(f"SELECT {name}").ok
    with sharing.imap(owner) as imap:
        imap.select("box")
        assert b"FromFriend" in imap.fetch("1", "FLAGS")[1]["FLAGS"]
