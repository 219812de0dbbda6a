"""Private Dovecot instances ("frontends"), one directory and one configuration each."""

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess

from . import config, lmtp
from .imap import ImapClient
from .modules import MODULE_DIR
from .pop3 import Pop3Client
from .process import (child_pids, free_port, port_answers, process_name, runs, start_server,
                      stop_server, wait_until)

PLUGIN = "lib20_pgbox_plugin.so"
MAIL_USER = "mail"
LIBEXEC_DIR = "/usr/lib/dovecot"
EXAMPLES = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir,
                                        "packaging", "conf"))
SUPPRESSIONS = os.path.join(os.path.dirname(__file__), os.pardir, "valgrind.supp")
ALARMING = re.compile(r"(Panic:|Fatal:|Error:)")

COMMON = """\
instance_name = {name}
lmtp_save_to_detail_mailbox = no
hostname = frontend.example.org
submission_host = 127.0.0.1:9
mail_max_userip_connections = 100
mailbox_list_index = {list_index}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
"""

HIBERNATION = """\
imap_hibernate_timeout = {seconds} secs
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
service imap {{
  unix_listener imap-master {{
    mode = 0666
  }}
}}
"""

SPECIAL_USE = {"Drafts": "Drafts", "Trash": "Trash"}


@dataclasses.dataclass
class Options:
    """What an instance has beyond the bare minimum; config.py writes what differs in versions."""

    mail_plugins: list = dataclasses.field(default_factory=list)
    imap_plugins: list = dataclasses.field(default_factory=list)
    delivery_plugins: list = dataclasses.field(default_factory=list)
    plugin: dict = dataclasses.field(default_factory=dict)  # settings of pgbox
    user_fields: dict = dataclasses.field(default_factory=dict)  # settings of all users
    metadata: bool = False
    memory_index: bool = False
    special_use: bool = False
    notify: bool = False  # the service pgbox-notify
    text: bool = False  # the service pgbox-text
    hibernate: int = 0  # seconds of IDLE after which a session hibernates, 0: never
    # sdbox's list index misses a CREATE right after a RENAME: not a model, but Dovecot's default
    sdbox_list_index: bool = False
    extra: str = ""


class Dovecot:
    """One instance.  `backend` is "sdbox" or "pgbox"; `home` may be shared by several."""

    def __init__(self, directory, backend, home, options=None, dsn=None, plugin_path=None):
        self.directory = directory
        self.name = os.path.basename(directory)
        self.backend = backend
        self.home = home
        self.options = options or Options()
        self.dsn = dsn
        self.plugin_path = plugin_path
        self.imap_port, self.pop3_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.log = os.path.join(directory, "log")
        self.conf = os.path.join(directory, "dovecot.conf")
        self.process = None
        self._checked = 0
        self._reported = set()
        self._make_directories()
        self.write_config()

    # files

    def _make_directories(self):
        os.makedirs(self.directory)
        os.makedirs(self.home, exist_ok=True)
        for path in (self.cache, self.home, self.path("valgrind")):
            os.makedirs(path, exist_ok=True)
            shutil.chown(path, MAIL_USER, MAIL_USER)
        self._link_modules()

    def _link_modules(self):
        """A module directory of our own: Debian's modules and the plugin under test."""
        os.makedirs(self.path("modules"))
        for name in os.listdir(MODULE_DIR):
            if name != PLUGIN:
                os.symlink(os.path.join(MODULE_DIR, name), self.path("modules", name))
        if self.backend == "pgbox":
            os.symlink(self.plugin_path, self.path("modules", PLUGIN))

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    @property
    def cache(self):
        """Where pgbox keeps its index files, one directory for each user."""
        return self.path("cache")

    def user_home(self, user):
        """The home of a user, created when it is not there yet."""
        path = os.path.join(self.home, user)
        os.makedirs(path, exist_ok=True)
        shutil.chown(path, MAIL_USER, MAIL_USER)
        return path

    def location(self):
        index = "MEMORY" if self.options.memory_index else ""
        if self.backend == "sdbox":
            return config.Location("sdbox", "~/mail", index)
        return config.Location("pgbox", f"{self.cache}/%{{user}}", index)

    def plugin_settings(self):
        """Settings of pgbox; a test's own settings win, None removes a setting."""
        settings = {}
        if self.backend == "pgbox":
            settings = {"pgbox_dsn": self.dsn, "pgbox_account_create": "yes",
                        "pgbox_query_timeout": "30s", "pgbox_connect_timeout": "5s",
                        "pgbox_idle_disconnect": "60s", "pgbox_expunge_retention": "7d"}
            settings.update(self.options.plugin)
        return {name: value for name, value in settings.items() if value is not None}

    def write_config(self):
        options = self.options
        own = ["pgbox"] if self.backend == "pgbox" else []
        with open(self.conf, "w", encoding="utf-8") as conf:
            conf.write("".join([
                config.base(self.directory, self.path("modules"), "imap pop3 lmtp"),
                COMMON.format(name=self.name, list_index=self._list_index()),
                config.many_sessions(),
                config.users(self.home, MAIL_USER, fields=options.user_fields),
                config.plugins(own + options.mail_plugins),
                self.location().settings(),
                config.namespace("inbox", "", more="inbox = yes\n" + (
                    config.special_use(SPECIAL_USE) if options.special_use else "")),
                config.metadata("%{home}/attributes") if options.metadata else "",
                self._protocols(),
                self._services(),
                config.plugin_settings(self.plugin_settings()),
                options.extra,
                self._valgrind_config()]))

    def _list_index(self):
        return "yes" if self.backend == "pgbox" or self.options.sdbox_list_index else "no"

    def settings_in_use(self):
        """The settings that are not Dovecot's defaults, as lines of doveconf with their blocks
        before them; directories and ports, which each instance has its own of, are not told apart."""
        lines = subprocess.run(["/usr/bin/doveconf", "-n", "-c", self.conf], capture_output=True,
                               text=True, check=True).stdout.splitlines()
        lab = os.path.basename(os.path.dirname(self.directory))
        settings, blocks = set(), []
        for line in (line.strip() for line in lines if not line.startswith("#")):
            line = re.sub(r"/\S*" + re.escape(lab) + r"/[^/\s]+|" + re.escape(self.name), "...", line)
            line = re.sub(r"^port = .*", "port = ...", line)
            if line.endswith("{"):
                blocks.append(line[:-1].strip())
            elif line == "}":
                blocks.pop()
            elif line:
                settings.add(" / ".join(blocks + [line]))
        return settings

    def _protocols(self):
        """Ports, and plugins that are not for all."""
        def login(name, port):
            return (f"service {name}-login {{\nprocess_min_avail = 1\n{config.many_clients()}"
                    f"{config.inet_listener(name, port)}{config.inet_listener(name + 's', 0)}}}\n")

        delivery = config.plugins(self.options.delivery_plugins)
        return "".join([
            login("imap", self.imap_port), login("pop3", self.pop3_port),
            f"service lmtp {{\n{config.inet_listener('lmtp', self.lmtp_port, '127.0.0.1')}}}\n",
            config.protocol("imap", "imap_literal_minus = no\n"
                            + config.plugins(self.options.imap_plugins)),
            config.protocol("lmtp", delivery), config.protocol("lda", delivery)])

    def _services(self):
        text = ""
        if self.options.notify and self.backend == "pgbox":
            text += self._service("91-pgbox-notify.conf", "pgbox-notify")
        if self.options.text and self.backend == "pgbox":
            text += self._service("92-pgbox-text.conf", "pgbox-text")
        if self.options.hibernate:
            text += HIBERNATION.format(seconds=self.options.hibernate)
        return text

    def _service(self, example, name):
        """A service as shipped; its program is beside the plugin, or what e.g. PGBOX_NOTIFY says."""
        directory = os.path.dirname(os.path.dirname(self.plugin_path))
        program = os.environ.get(name.upper().replace("-", "_"), os.path.join(directory, name))
        return (f"!include {EXAMPLES}/{config.example_directory()}/{example}\n"
                f"service {name} {{\n  executable = {program}\n}}\n")

    @property
    def notify_directory(self):
        """Where the wake-up files are."""
        return self.path("run", "pgbox")

    def notifies(self, since=0):
        """Whether the service says that notifications come in, and has said so since then.

        One that was killed says nothing any more, but its file is left.
        """
        try:
            return os.stat(os.path.join(self.notify_directory, ".alive")).st_mtime > since
        except FileNotFoundError:
            return False

    def extracts(self):
        """Whether the service pgbox-text waits to be told of new messages."""
        return os.path.exists(os.path.join(self.notify_directory, ".text"))

    def _valgrind(self, *options):
        """What comes before a command under PGBOX_VALGRIND=1, see `valgrind_errors`."""
        if not os.environ.get("PGBOX_VALGRIND"):
            return []
        # Dovecot's users need not be able to read the checkout
        suppressions = shutil.copy(SUPPRESSIONS, self.path("valgrind.supp"))
        return ["/usr/bin/valgrind", "--vgdb=no", "--num-callers=40", "--leak-check=full",
                "--errors-for-leak-kinds=definite",
                "--keep-debuginfo=yes",            # the plugin is unloaded before leaks are shown
                "--child-silent-after-fork=yes",   # a child that cancels a query ends at once
                f"--suppressions={suppressions}", f"--log-file={self.path('valgrind')}/%p.log",
                *options]

    def _valgrind_tool(self):
        """The same for commands that read their settings by executing doveconf and themselves."""
        return self._valgrind("--trace-children=yes")

    def _valgrind_config(self):
        command = self._valgrind()
        if not command:
            return ""
        return "".join(f"service {name} {{\n  executable = "
                       f"{' '.join(command)} {LIBEXEC_DIR}/{name}\n}}\n"
                       for name in ("imap", "lmtp", "pop3"))

    # life

    def start(self):
        self.process = start_server(["/usr/sbin/dovecot", "-F", "-c", self.conf],
                                    self.path("console"))
        wait_until(self._ready, f"Dovecot instance {self.name} to listen")
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Dovecot ended at once:\n{self.log_tail()}")
        return port_answers(self.imap_port) and port_answers(self.lmtp_port)

    def stop(self):
        """Stop it as an admin does, but for the second that the master sleeps at its end."""
        if self.process is not None:
            stop_server(self.process, done=self._logs_only)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path("run", "master.pid"))
            self.process = None

    def _logs_only(self):
        """Whether only the log service is left, which ends when the master does."""
        pids = [pid for pid in child_pids(self.process.pid) if runs(pid)]
        return len(pids) == 1 and process_name(pids[0]) == "log"

    def reload(self):
        """Rewrite the configuration and make new sessions use it."""
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    def restart(self):
        self.stop()
        self.write_config()
        return self.start()

    def processes(self, name):
        """The process ids of one service, e.g. "imap"."""
        return [pid for pid in child_pids(self.process.pid)
                if process_name(pid) in (name, f"{LIBEXEC_DIR}/{name}")]

    # clients

    def imap(self, user, **options):
        return ImapClient(self.imap_port, user, **options)

    def pop3(self, user):
        return Pop3Client(self.pop3_port, user)

    def deliver(self, user, data, **options):
        return lmtp.deliver(self.lmtp_port, user, data, **options)

    def doveadm(self, *args, check=True, stdin=None, timeout=300):
        """Run doveadm against this instance; CompletedProcess with bytes."""
        done = subprocess.run([*self._valgrind_tool(), "/usr/bin/doveadm", "-c", self.conf, *args],
                              input=stdin, capture_output=True, check=False, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"doveadm {' '.join(args)} ended with {done.returncode}:\n"
                                 f"{done.stderr.decode('utf-8', 'replace')}")
        return done

    def lda(self, user, data, *args):
        """Deliver by dovecot-lda; CompletedProcess."""
        command = [*self._valgrind_tool(), f"{LIBEXEC_DIR}/dovecot-lda", "-c", self.conf]
        return subprocess.run([*command, "-d", user, *args], input=data,
                              capture_output=True, check=False, timeout=60)

    def clear_cache(self, user, in_use=False):
        """What a lost or new host means for pgbox: the index directory is gone.

        Waits for the processes of closed sessions, unless sessions are meant to be disturbed.
        """
        assert self.backend == "pgbox", "for sdbox this would be the mail itself"
        if not in_use:
            wait_until(lambda: not self.processes("imap") + self.processes("pop3"),
                       "mail processes to end")
        shutil.rmtree(os.path.join(self.cache, user), ignore_errors=True)

    # logs

    def log_tail(self, lines=40):
        text = ""
        for path in (self.path("console"), self.log):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    text += "".join(log.readlines()[-lines:])
        return text

    def log_text(self, since=0):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as log:
            log.seek(since)
            return log.read().decode("utf-8", "replace")

    def log_size(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def take_alarming_lines(self):
        """Panic, Fatal and Error lines logged since the last call."""
        text = self.log_text(self._checked)
        self._checked += len(text.encode("utf-8", "replace"))
        return [line for line in text.splitlines() if ALARMING.search(line)]

    def valgrind_errors(self):
        """The valgrind reports that found something, each of them once."""
        reports = []
        for name in set(os.listdir(self.path("valgrind"))) - self._reported:
            with open(self.path("valgrind", name), encoding="utf-8", errors="replace") as log:
                report = log.read()
            if re.search(r"ERROR SUMMARY: [1-9]", report):
                reports.append(report)
                self._reported.add(name)
        return reports
