"""Makes copies of pgbox with one wrong line each, and runs the tests that could see it."""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time

from edits import KINDS, edits_of

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# written by programs, run by hand, or checked against a sum
NOT_SQL = ("sql/migrate/", "sql/install.sql", "sql/code.sql", "sql/er.sql", "sql/manifest.sql")
# those whose units have a test of their own against a server
DB_FILES = re.compile(r"plugin/(base|db|query)/|plugin/message/pgbox-chunk|sql/")
# so many files of functional tests, those that name the subject most often
FUNCTIONAL_FILES = 3
STAGE_SECONDS = 1200
# words of file names that say nothing
DULL = {"pgbox", "query", "private", "mail", "one", "to", "main", "db"}

Verdict = collections.namedtuple("Verdict", "result by")


class Copy:
    """A build directory with a copy of the sources."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        files = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                               check=True, capture_output=True, text=True).stdout
        for name in filter(None, files.split("\0")):
            target = self.directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target)
        # what the compiler warns of is noticed without a test
        self.must("autoreconf -fi && ./configure CFLAGS='-O1 -g' && sed -i 's/^CFLAGS = /&-Werror /' Makefile "
                  "&& make -s -j2 && make -s -j2 check TESTS=")

    def run(self, command):
        """(exit status, output) of a shell command in the copy."""
        env = dict(os.environ, PGBOX_SQL=str(self.directory / "sql"))
        for name in ("PGBOX_PLUGIN", "PGBOX_NOTIFY", "PGBOX_TEXT", "PGBOX_BUILD"):
            env.pop(name, None)
        done = subprocess.run(["timeout", "-k", "30", str(STAGE_SECONDS), "nice", "bash", "-c", command],
                              cwd=self.directory, env=env, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def must(self, command):
        status, output = self.run(command)
        if status != 0:
            raise SystemExit(f"tests/mutants: {command}\n{output[-3000:]}")

    @contextlib.contextmanager
    def edited(self, edit):
        """The file with the edit, and then as it was, both newer than what was made of it."""
        path = self.directory / edit.path
        text = path.read_text(encoding="utf-8")
        lines = text.split("\n")
        assert lines[edit.line - 1] == edit.old
        lines[edit.line - 1] = edit.new
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            yield
        finally:
            time.sleep(1)
            path.write_text(text, encoding="utf-8")

    def sources(self):
        """{path: text} of what can be edited: C that this release of Dovecot has use for, and SQL."""
        found = sorted(self.directory.glob("plugin/*/*.c")) + sorted(self.directory.glob("sql/**/*.sql"))
        texts = {}
        for path in found:
            name = str(path.relative_to(self.directory))
            made = path.suffix == ".sql" or list(path.parent.glob(f"*{path.stem}.*o"))
            if made and not name.startswith(NOT_SQL):
                texts[name] = path.read_text(encoding="utf-8")
        return texts


def functional_files(copy, path):
    """The files of functional tests that name what a file is about most often."""
    words = [w for w in re.split(r"[^a-z]+", pathlib.Path(path).stem) if w not in DULL] or ["mail"]
    pattern = re.compile("|".join(rf"\b{word}" for word in words), re.IGNORECASE)
    tests = sorted(copy.directory.glob("tests/functional/test_*.py"))
    counts = {test: len(pattern.findall(test.read_text(encoding="utf-8"))) for test in tests}
    best = sorted(tests, key=lambda test: -counts[test])[:FUNCTIONAL_FILES]
    names = [test.name for test in best if counts[test] > 0]
    return [f"functional/{name}" for name in dict.fromkeys(["test_views.py", *names])]


def stages(copy, path):
    """(name, command) in the order in which they are run."""
    sql = path.startswith("sql/")
    if not sql or path.startswith("sql/queries"):
        yield "build", "make -s -j2"
        yield "check", "make -s -j2 check"
    if sql:
        yield "sql", f"tests/sql/run -k /{pathlib.Path(path).stem}.sql"
        yield "sql", "tests/sql/run"
    if DB_FILES.match(path):
        yield "db", "tests/db/run"
    yield "functional", "cd tests && /usr/bin/python3 -m pytest -q -x " + " ".join(functional_files(copy, path))


def first_failure(output):
    """The name of the first test that failed."""
    for pattern in (r"^FAIL: (\S+) \d+ - (.*)$", r"^FAILED (\S+)()", r"^not ok \d+ - (.*?)()$", r"^ERROR:? (\S+)()"):
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            return " ".join(filter(None, found.groups()))
    return output.strip().split("\n")[-1][:100]


def judge(copy, edit):
    """The Verdict on one edit."""
    with copy.edited(edit):
        for name, command in stages(copy, edit.path):
            status, output = copy.run(command)
            if status == 0:
                continue
            # the schema could not be installed
            if name == "build" or (name == "sql" and not re.search(r"^(not )?ok ", output, re.MULTILINE)):
                return Verdict("not built", "")
            return Verdict("killed", f"{name}: {first_failure(output)}")
    return Verdict("survived", "")


def choose(texts, rng, kinds):
    """Edits without end: first the kind is drawn, then one of that kind."""
    found = {kind: [] for kind in kinds}
    for path, text in texts.items():
        for edit in edits_of(path, text):
            if edit.kind in found:
                found[edit.kind].append(edit)
    while any(found.values()):
        kind = rng.choice([k for k in kinds if found[k]])
        yield found[kind].pop(rng.randrange(len(found[kind])))


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="tests/mutants/run", description=__doc__,
        epilog="For each: lints and unit tests, the tests of SQL or of the database layer, and the functional "
        "tests that name its subject, up to the first failure. What does not build doesn't count. A survivor "
        "wants a test, or does the same as before.")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same edits of the same sources")
    parser.add_argument("--count", type=int, default=100, help="how many that are built (%(default)s)")
    parser.add_argument("--minutes", type=float, default=600, help="begin none after that (%(default)s)")
    parser.add_argument("--files", default="", help="only files whose path contains this")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these; may be given again")
    parser.add_argument("--list", action="store_true", help="only say which they would be")
    return parser.parse_args(argv)


def main(argv):
    options = arguments(argv)
    end = time.monotonic() + options.minutes * 60
    verdicts = collections.Counter()
    survivors = []
    with tempfile.TemporaryDirectory(prefix="pgbox-mutants-") as directory:
        os.chmod(directory, 0o755)
        copy = Copy(directory)
        texts = {path: text for path, text in copy.sources().items() if options.files in path}
        for edit in choose(texts, random.Random(options.seed), options.kind or KINDS):
            if verdicts["killed"] + verdicts["survived"] >= options.count or time.monotonic() > end:
                break
            verdict = Verdict("survived", "") if options.list else judge(copy, edit)
            verdicts[verdict.result] += 1
            if verdict.result == "survived":
                survivors.append(edit)
            print(f"{verdict.result:9} | {edit.kind:9} | {verdict.by} | {edit}", flush=True)
    built = verdicts["killed"] + verdicts["survived"]
    if not options.list:
        print(f"\n{verdicts['killed']} of {built} killed, {verdicts['not built']} were not built; survivors:")
        for edit in survivors:
            print(f"  {edit}")
    return 0
