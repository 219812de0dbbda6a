"""Running servers that cannot outlive the test run, and waiting for conditions."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
# Below the ports that the kernel gives to clients: one of those could take a port before its
# server does, or between two starts of it, and a client that waits for it could even connect to
# itself (net.ipv4.ip_local_port_range begins at 32768).
FIRST_PORT, LAST_PORT = 10240, 32000
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    """Ask the kernel to end this child when the test run dies, even by SIGKILL."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_server(argv, output, user=None, env=None):
    """Start a foreground server whose stdout and stderr go to the file `output`."""
    identity = {}
    if user is not None:
        identity = {"user": user, "group": user, "extra_groups": []}
    with open(output, "ab") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent, cwd="/", env=env,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop the server
            **identity)


def stop_server(process, sig=signal.SIGTERM, timeout=20, done=lambda: False):
    """Stop a server, by force when it does not listen, or has nothing left to do: `done()`."""
    if process.poll() is None:
        process.send_signal(sig)
    deadline = time.monotonic() + timeout
    while process.poll() is None and not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()


# Test runs at the same time share none of these, also if their servers are not running yet.
BLOCK = 640
_blocks = []


def _ports():
    """The ports of blocks that no other process has, the blocks in random order."""
    firsts = list(range(FIRST_PORT, LAST_PORT - BLOCK + 1, BLOCK))
    random.shuffle(firsts)
    for first in firsts:
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0pgbox-test-ports-{first}")  # abstract: it ends with this process
        except OSError:
            name.close()
            continue
        _blocks.append(name)
        yield from range(first, first + BLOCK)


_unused_ports = _ports()


def free_port():
    """A TCP port of 127.0.0.1 that nobody uses now, and that is given only once."""
    for port in _unused_ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def wait_until(condition, what, timeout=20, interval=0.02):
    """Poll until `condition()` is true; return its value.  Fails with `what` in the text."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for: {what}")
        time.sleep(interval)


def port_answers(port):
    """Whether something accepts connections on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def child_pids(parent):
    """The direct children of a process (by /proc, so that nothing else is ever matched)."""
    children = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _parent_of(entry) == parent:
            children.append(int(entry))
    return children


def _stat(pid):
    """What comes after the name in /proc/PID/stat: state, parent ...; [] when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return []


def _parent_of(pid):
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def runs(pid):
    """Whether a process is there, and not only its exit status, which nobody may ask for soon."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def process_name(pid):
    """The executable's name (argv[0] may have been overwritten), or '' when it is gone.

    Under valgrind, the path of what valgrind runs.
    """
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            name = comm.read().strip()
        if name.startswith("memcheck"):
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as cmdline:
                words = cmdline.read().split("\0")[1:]
            return next((word for word in words if word.startswith("/")), name)
        return name
    except OSError:
        return ""


def kill_hard(pid):
    """kill -9 that does not mind losing the race against a process that ends itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def cpu_seconds(pid):
    """CPU time that a process has used so far."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
