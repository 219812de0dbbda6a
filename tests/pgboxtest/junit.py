"""Reads the JUnit file of a pytest run, for tests/run.

usage: junit.py FILE FAILURES

Prints the numbers of passed, failed and skipped tests; appends to FAILURES which tests failed, each
with the lines that say why.
"""

import sys
import xml.etree.ElementTree

REASON_LINES = 12
WIDTH = 300


def numbers(root):
    """(passed, failed, skipped)"""
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in root.iter("testsuite"):
        for name in total:
            total[name] += int(suite.get(name, 0))
    bad = total["failures"] + total["errors"]
    # a test that passes and then fails in its teardown is in both numbers
    return max(total["tests"] - bad - total["skipped"], 0), bad, total["skipped"]


def failures(root):
    """A line for each failed test, followed by its last lines."""
    for case in root.iter("testcase"):
        for problem in case.findall("failure") + case.findall("error"):
            yield f"{case.get('classname')}::{case.get('name')}: {problem.tag}"
            for line in (problem.text or "").splitlines()[-REASON_LINES:]:
                yield "    " + line[:WIDTH]


def main(path, failures_path):
    root = xml.etree.ElementTree.parse(path).getroot()
    with open(failures_path, "a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in failures(root))
    print(*numbers(root))


if __name__ == "__main__":
    main(*sys.argv[1:])
