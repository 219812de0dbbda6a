"""A server whose certificate is checked, and processes whose HOME is somebody else's."""

import os
import shutil
import subprocess

import pytest

from pgboxtest import config, messages
from pgboxtest.dovecot import MAIL_USER
from pgboxtest.postgres import FRONTEND_ROLE, SYSTEM_USER
from pgboxtest.process import wait_until

pytestmark = pytest.mark.usefixtures("pgbox_only")

SERVICE_ROLE = "tls_service"


def openssl(directory, *args):
    subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)


def certify(directory, name, *extensions):
    """A key and a certificate for a name, signed by the CA."""
    openssl(directory, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    with open(f"{directory}/{name}.ext", "w", encoding="utf-8") as file:
        file.write("\n".join(extensions) + "\n")
    openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")


@pytest.fixture(scope="module")
def certificates(lab):
    directory = f"{lab.directory}/tls"
    os.mkdir(directory)
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=tests", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt")
    certify(directory, "localhost", "subjectAltName=DNS:localhost")
    certify(directory, FRONTEND_ROLE, "extendedKeyUsage=clientAuth")
    for name, owner in (("localhost", SYSTEM_USER), (FRONTEND_ROLE, MAIL_USER)):
        os.chmod(f"{directory}/{name}.key", 0o600)
        shutil.chown(f"{directory}/{name}.key", owner, owner)
    return directory


@pytest.fixture(scope="module")
def tls(lab, certificates):
    """Connection strings to a server with a certificate, which wants one of its client, too."""
    postgres = lab.postgres
    hba = f"{postgres.data}/pg_hba.conf"
    with open(hba, encoding="utf-8") as file:
        before = file.read()
    with open(hba, "w", encoding="utf-8") as file:
        file.write(f"hostssl all {FRONTEND_ROLE} 127.0.0.1/32 cert\n{before}")
    postgres.sql(f"create role {SERVICE_ROLE} login in role pgbox_mail")
    settings = {"ssl": "on", "ssl_cert_file": f"{certificates}/localhost.crt",
                "ssl_key_file": f"{certificates}/localhost.key",
                "ssl_ca_file": f"{certificates}/ca.crt"}
    for name, value in settings.items():
        postgres.sql(f"alter system set {name} = '{value}'")
    postgres.sql("select pg_reload_conf()")
    wait_until(lambda: postgres.value("show ssl") == "on", "the server to offer TLS")
    yield (f"host=localhost hostaddr=127.0.0.1 port={postgres.port} dbname=pgbox "
           f"user={FRONTEND_ROLE} sslmode=verify-full")
    with open(hba, "w", encoding="utf-8") as file:
        file.write(before)
    for name in settings:
        postgres.sql(f"alter system reset {name}")
    wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where usename = "
                                      f"'{SERVICE_ROLE}'") == "0", "the service to be gone")
    postgres.sql(f"drop role {SERVICE_ROLE}")
    postgres.sql("select pg_reload_conf()")


@pytest.fixture(scope="module")
def home_of_root(lab):
    """Nobody but root can look into it."""
    path = f"{lab.directory}/root"
    os.makedirs(f"{path}/.postgresql")
    for name in ("postgresql.crt", "postgresql.key", "root.crt", "root.crl"):
        with open(f"{path}/.postgresql/{name}", "w", encoding="utf-8") as file:
            file.write("of no use\n")
    for directory in (path, f"{path}/.postgresql"):
        os.chmod(directory, 0o700)
    return path


@pytest.fixture(params=["unreadable", "readable"])
def home(request, home_of_root, monkeypatch):
    """HOME of all processes."""
    for directory in (home_of_root, f"{home_of_root}/.postgresql"):
        os.chmod(directory, 0o700 if request.param == "unreadable" else 0o755)
    monkeypatch.setenv("HOME", home_of_root)
    return home_of_root


@pytest.fixture(params=["certificate", "none"])
def host(lab, tls, certificates, home, request):
    """With a certificate of its own, or without: then libpq looks for one."""
    service_dsn = f"{tls} sslrootcert={certificates}/ca.crt user={SERVICE_ROLE}"
    dsn = {"certificate": f"{tls} sslrootcert={certificates}/ca.crt "
                          f"sslcert={certificates}/{FRONTEND_ROLE}.crt "
                          f"sslkey={certificates}/{FRONTEND_ROLE}.key",
           "none": service_dsn}[request.param]
    # the service has another uid, which can't read the key
    server = lab.dovecot("tested", "tls", notify=True,
                         plugin={"pgbox_dsn": dsn, **config.notify_databases([service_dsn])},
                         extra=config.environment("HOME", home))
    yield server
    server.stop()


def test_certificates_of_the_connection_string(lab, host, user):
    wait_until(host.notifies, "the service to have connected")
    assert host.deliver(user, messages.numbered(1))[0] == 250
    with host.imap(user) as imap:
        imap.select("INBOX")
        assert list(imap.bodies().values())[0].endswith(messages.numbered(1))
        ssl = lab.postgres.value("select bool_and(s.ssl) from pg_stat_ssl s join pg_stat_activity a "
                                 "using (pid) where a.application_name = 'pgbox/imap'")
        assert ssl == "t"
    done = host.doveadm("mailbox", "status", "-u", user, "messages", "INBOX")
    assert b"messages=1" in done.stdout


def test_no_certificate_of_a_home(lab, tls, home, certificates, user):
    """Without any in the connection string: not of root's home, even if it can be read."""
    server = lab.dovecot("tested", "home", plugin={"pgbox_dsn": tls})
    for dsn, said in ((tls, "sslrootcert=FILE"),
                      (f"{tls} sslrootcert={certificates}/ca.crt",
                       "connection requires a valid client certificate")):
        server.options.plugin["pgbox_dsn"] = dsn
        server.write_config()
        done = server.doveadm("mailbox", "status", "-u", user, "messages", "INBOX", check=False)
        assert done.returncode != 0
        assert said in done.stderr.decode()
        assert home not in done.stderr.decode().replace(f"{home}-", "")
    server.stop()
