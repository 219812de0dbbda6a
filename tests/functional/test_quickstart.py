"""packaging/quickstart, as a reader runs it; the build is left out, tests/run has done it."""

import os
import re
import signal
import subprocess
import tempfile

import pytest

from pgboxtest.lab import PROJECT, plugin_path, sql_directory
from pgboxtest.messages import Generator

QUICKSTART = PROJECT / "packaging" / "quickstart"

pytestmark = pytest.mark.usefixtures("pgbox_only")


def start(*options):
    """The quickstart as a process group of its own, with next to no environment."""
    environment = {"PATH": "/usr/bin:/bin", "PGBOX_PLUGIN": plugin_path(),
                   "PGBOX_SQL": sql_directory()}
    return subprocess.Popen([QUICKSTART, "--no-install", *options], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def run(*options):
    """(exit status, output)"""
    process = start(*options)
    output = process.communicate(timeout=300)[0]
    return process.returncode, output


def word_after(output, before):
    """The word that follows another one."""
    words = output.split()
    return words[words.index(before) + 1]


@pytest.fixture(name="once", scope="module")
def fixture_once():
    """(exit status, output) of a run that ends by itself"""
    return run("--once")


def without_numbers(line):
    """Times, sizes and the widths that they make differ from run to run."""
    return re.sub(r"[ -]+", " ", re.sub(r"[0-9.]+", "0", line)).strip()


def test_readme_shows_what_it_prints(once):
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"^```text\n(== .*?)^```", readme, re.M | re.S)[1].splitlines()
    printed = {without_numbers(line) for line in once[1].splitlines()}
    assert len(shown) > 10
    assert [line for line in shown if without_numbers(line) not in printed] == []


def test_once_works_and_leaves_nothing(once):
    status, output = once
    assert status == 0, output
    assert output.rstrip().endswith("all of it worked")
    cache = word_after(output, "lose:")
    assert "/pgbox-quickstart-" in cache
    assert not os.path.exists(os.path.dirname(os.path.dirname(cache)))


def test_delivers_the_readers_mbox():
    generator = Generator(4)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "box")
        with open(path, "wb") as box:
            for _ in range(20):
                box.write(b"From someone Mon Jan  1 00:00:00 2024\n")
                box.write(generator.plain().replace(b"\r\n", b"\n") + b"\n")
        status, output = run("--once", "--mail", path)
    assert status == 0, output
    assert "20 messages were accepted, 0 refused" in output


def test_refuses_a_folder_without_mail():
    with tempfile.TemporaryDirectory() as directory:
        status, output = run("--once", "--mail", directory)
    assert status == 1
    assert "no Maildir, mbox file or folder of .eml files" in output


def test_ctrl_c_ends_the_servers():
    process = start()
    output = ""
    for line in process.stdout:
        output += line
        if "Ctrl-C ends all of it" in line:
            os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130, output
    assert not os.path.exists(word_after(output, "removes"))
