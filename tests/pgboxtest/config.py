"""Dovecot's configuration in the language of the installed version: all that is known of 2.3 and
2.4 is in this file.  Texts that are the same in both versions are written where they are used.

%{user} and %{home} mean the same in both."""

import dataclasses
import functools
import subprocess


@functools.cache
def is_24():
    """Whether Dovecot 2.4 or newer is installed, with typed settings and a new syntax."""
    version = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True,
                             check=True).stdout
    return tuple(int(number) for number in version.split()[0].split("-")[0].split(".")[:2]) >= (2, 4)


def example_directory():
    """Where in packaging/conf the examples for this version are."""
    return "dovecot-2.4" if is_24() else "dovecot-2.3"


def owner():
    """Another user, whose mail a shared namespace shows."""
    return "%{owner_user}" if is_24() else "%%u"


@dataclasses.dataclass
class Location:
    """Where mail is."""

    driver: str
    path: str
    index: str = ""  # directory of index files, MEMORY, or as the path

    def __str__(self):
        assert not self.index or not is_24()
        return f"{self.driver}:{self.path}" + (f":INDEX={self.index}" if self.index else "")

    def arguments(self):
        """As the last arguments of doveadm backup."""
        if not self.index or not is_24():
            return [str(self)]
        return ["-p", f"mail_index_path={self.index}", f"{self.driver}:{self.path}"]

    def settings(self):
        """As settings of Dovecot."""
        if not is_24():
            return f"mail_location = {self}\n"
        return (f"mail_driver = {self.driver}\nmail_path = {self.path}\n"
                + (f"mail_index_path = {self.index}\n" if self.index else ""))


def plugins(names):
    """Plugins to load beside those that are loaded already."""
    if not names:
        return ""
    if is_24():
        return "mail_plugins {\n" + "".join(f"  {name} = yes\n" for name in names) + "}\n"
    return f"mail_plugins = $mail_plugins {' '.join(names)}\n"


def protocol(name, text):
    """Settings of one protocol."""
    return f"protocol {name} {{\n{text}}}\n"


def plugin_settings(settings):
    """Settings of plugins, by their names; those of pgbox have the same names in both.

    A value can be a dictionary, with 2.4."""
    text = _lines(settings)
    return text if is_24() or not text else f"plugin {{\n{text}}}\n"


def notify_databases(dsns):
    """Settings of pgbox: the databases that its services connect to."""
    if is_24():
        return {"pgbox_notify_dsn": {f"db{number}": dsn for number, dsn in enumerate(dsns, 1)}}
    return {notify_database(number): dsn for number, dsn in enumerate(dsns, 1)}


def notify_database(number):
    """What the n-th of them, from 1, is called in the log."""
    if is_24():
        return f"pgbox_notify_dsn/db{number}"
    return "pgbox_notify_dsn" + (str(number) if number > 1 else "")


def namespace(name, prefix, location=None, *, account=None, more=""):
    """A namespace with "/" between names; account: what pgbox shows there."""
    behind = ""
    if location is not None:
        more += location.settings() if is_24() else f"location = {location}\n"
    if account and is_24():
        more += f"pgbox_account = {account}\n"
    elif account:
        behind = plugin_settings({f"pgbox_account_{name}": account})
    return f"namespace {name} {{\nprefix = {prefix}\nseparator = /\n{more}}}\n{behind}"


def shared_prefix(name):
    """The prefix of a namespace with the mail of all users."""
    return f"{name}/$user/" if is_24() else f"{name}/%%u/"


# What every instance needs

def base(directory, modules, protocols):
    """Directories, log and limits."""
    text = f"""\
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
log_timestamp = "%Y-%m-%d %H:%M:%S "
mail_plugin_dir = {modules}
protocols = {protocols}
listen = 127.0.0.1
ssl = no
first_valid_uid = 1
recipient_delimiter = +
postmaster_address = postmaster@example.org
"""
    if is_24():
        return ("dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + text
                + "auth_allow_cleartext = yes\n")
    return text + "disable_plaintext_auth = no\n"


def users(home, uid, fields=None):
    """All users there can be, with any password; fields: settings that the userdb gives."""
    fields = {"uid": uid, "gid": uid, "home": f"{home}/%{{user}}", **(fields or {})}
    if is_24():
        return ("passdb static {\nfields {\nnopassword = y\n}\n}\nuserdb static {\n"
                f"allow_all_users = yes\nfields {{\n{_lines(fields)}}}\n}}\n")
    # a space would end the field
    args = [f"{name}={value}".replace(" ", "\t") for name, value in fields.items()]
    return ("passdb {\ndriver = static\nargs = nopassword=y\n}\nuserdb {\ndriver = static\n"
            f"args = {' '.join(args)} allow_all_users=yes\n}}\n")


def users_of_file(home, uid, path):
    """The users of a file with names and passwords."""
    fields = {"uid": uid, "gid": uid, "home": f"{home}/%{{user}}"}
    if is_24():
        return ("passdb passwd-file {\ndefault_password_scheme = plain\n"
                f"passwd_file_path = {path}\n}}\n"
                f"userdb static {{\nfields {{\n{_lines(fields)}}}\n}}\n")
    args = " ".join(f"{name}={value}" for name, value in fields.items())
    return (f"passdb {{\ndriver = passwd-file\nargs = scheme=plain {path}\n}}\n"
            f"userdb {{\ndriver = static\nargs = {args}\n}}\n")


def _lines(settings):
    return "".join(f"{name} {{\n{_lines(value)}}}\n" if isinstance(value, dict)
                   else f"{name} = {value}\n" for name, value in settings.items())


def many_sessions():
    """No limit that a test could hit."""
    if is_24():
        return ("default_vsz_limit = unlimited\n"
                "service auth-worker {\nprocess_limit = 2\n}\n")
    return "default_vsz_limit = 0\nauth_worker_max_count = 2\n"


def many_clients(count=None):
    """In a service: one process serves so many clients, one after the other; None is no limit."""
    if is_24():
        return f"restart_request_count = {count or 'unlimited'}\n"
    return f"service_count = {count or 0}\n"


def inet_listener(name, port, address=None):
    """In a service: a TCP port."""
    where = ""
    if address:
        where = f"{'listen' if is_24() else 'address'} = {address}\n"
    return f"inet_listener {name} {{\nport = {port}\n{where}}}\n"


def environment(name, value):
    """A variable of all processes."""
    if is_24():
        return f"import_environment {{\n{name} = {value}\n}}\n"
    return f"import_environment = {name}={value}\n"


def metadata(path):
    """Keep mailbox attributes of storages that cannot, and offer METADATA."""
    if is_24():
        return (f"mail_attribute {{\ndict file {{\npath = {path}\n}}\n}}\n"
                "protocol imap {\nimap_metadata = yes\n}\n")
    return f"mail_attribute_dict = file:{path}\nprotocol imap {{\nimap_metadata = yes\n}}\n"


def special_use(mailboxes):
    """In a namespace: mailboxes with their use."""
    return "".join(f"mailbox {name} {{\nspecial_use = \\{use}\n}}\n"
                   for name, use in mailboxes.items())


# Plugins of Dovecot and Pigeonhole

def quota(storage=None, messages=None):
    """One limit for all mail of a user, in bytes, and one in messages; without grace."""
    if is_24():
        return ('quota "User quota" {\ndriver = count\nstorage_grace = 0\n'
                + (f"storage_size = {storage}B\n" if storage else "")
                + (f"message_count = {messages}\n" if messages else "") + "}\n")
    settings = {"quota": "count:User quota", "quota_vsizes": "yes", "quota_grace": "0"}
    rule = (f":storage={storage}B" if storage else "") + (f":messages={messages}" if messages else "")
    if rule:
        settings["quota_rule"] = "*" + rule
    return plugin_settings(settings)


def acl(shared=None):
    """Rights in files; shared: the file in which it says who shares with whom."""
    if is_24():
        sharing = f"acl_sharing_map {{\ndict file {{\npath = {shared}\n}}\n}}\n" if shared else ""
        return "acl_driver = vfile\n" + sharing
    settings = {"acl": "vfile"}
    if shared:
        settings["acl_shared_dict"] = f"file:{shared}"
    return plugin_settings(settings)


def lazy_expunge(mailbox, only_last=False):
    name = "lazy_expunge_mailbox" if is_24() else "lazy_expunge"
    settings = {name: mailbox}
    if only_last:
        settings["lazy_expunge_only_last_instance"] = "yes"
    return plugin_settings(settings)


def sieve():
    """Each user's ~/.dovecot.sieve"""
    if is_24():
        return ("sieve_script personal {\ndriver = file\npath = ~/sieve\n"
                "active_path = ~/.dovecot.sieve\n}\n")
    return plugin_settings({"sieve": "file:~/sieve;active=~/.dovecot.sieve"})


def imapsieve(mailbox, script):
    """A script to run when mail is appended or copied to a mailbox."""
    if is_24():
        return (f"sieve_plugins {{\nsieve_imapsieve = yes\n}}\n"
                f"mailbox {mailbox} {{\nsieve_script filing {{\ntype = before\ncause = append copy\n"
                f"driver = file\npath = {script}\n}}\n}}\n")
    return plugin_settings({"sieve_plugins": "sieve_imapsieve", "imapsieve_mailbox1_name": mailbox,
                            "imapsieve_mailbox1_causes": "COPY APPEND",
                            "imapsieve_mailbox1_before": f"file:{script}"})


def pop3_uidl_guid():
    """Message GUIDs as UIDLs"""
    return f"pop3_uidl_format = {'%{guid}' if is_24() else '%g'}\n"
