"""Single edits of C and SQL, each of which makes a line wrong."""

import dataclasses
import re

KINDS = ("operator", "constant", "arguments", "statement", "condition")

C_OPERATORS = {" == ": " != ", " != ": " == ", " < ": " <= ", " > ": " >= ", " <= ": " < ",
               " >= ": " > ", " && ": " || ", " || ": " && ", " + ": " - ", " - ": " + "}
SQL_OPERATORS = {" = ": " <> ", " <> ": " = ", " < ": " <= ", " > ": " >= ", " <= ": " < ", " >= ": " > ",
                 " and ": " or ", " or ": " and ", " + ": " - ", " - ": " + ",
                 " is not null": " is null", " is null": " is not null"}
WORDS = {"TRUE": "FALSE", "FALSE": "TRUE", "true": "false", "false": "true"}

_CONSTANT = re.compile(r"(?<![\w$.])(\d+|TRUE|FALSE|true|false)(?![\w.])")
_ARGUMENTS = re.compile(r"(?<=[(, ])([&*]?[a-z][\w.>-]*), ([&*]?[a-z][\w.>-]*)(?=[,)])")
_C_STATEMENT = re.compile(r"\t+(?!i_assert|return|const |struct |static |unsigned |int |bool )"
                          r"([\w*(][^;={]* [-+|&]?= .*|(\(void\))?\w+\(.*\)|break|continue);$")
_SQL_STATEMENT = re.compile(r" +(perform|raise|exit|continue|return|[a-z_]+ :=) ?.*;$")
_SQL_CONDITION = re.compile(r" +(and|or) .*$")


@dataclasses.dataclass(frozen=True)
class Edit:
    """One line of a file, which becomes another one."""

    path: str
    line: int
    kind: str
    old: str
    new: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.old.strip()} -> {self.new.strip()}"


def _code_lines(text, sql):
    """The lines with blanks for what is a comment or a string."""
    comment = r"--[^\n]*" if sql else r"/\*.*?\*/|//[^\n]*"
    string = r"'[^']*'" if sql else r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\])'"
    blanked = re.sub(f"{comment}|{string}", lambda m: re.sub(r"[^\n]", "\x00", m[0]), text, flags=re.DOTALL)
    return blanked.split("\n")


def _is_balanced(text):
    depth = 0
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0


def _operands(code):
    """(start, end) of what follows an && or ||, with the operator."""
    for found in re.finditer(r" (&&|\|\|) ", code):
        depth = 0
        for end in range(found.end(), len(code) + 1):
            char = code[end:end + 1]
            depth += {"(": 1, ")": -1}.get(char, 0)
            if depth < 0 or char in ("", ";", "?") or (depth == 0 and code[end:end + 3] in (" &&", " ||")):
                if _is_balanced(code[found.end():end]):
                    yield found.start(), end
                break


def _line_edits(line, code, sql):
    """(kind, new line) for everything that can be made of it."""
    for old, new in (SQL_OPERATORS if sql else C_OPERATORS).items():
        for found in re.finditer(re.escape(old), code):
            yield "operator", line[:found.start()] + new + line[found.end():]
    for found in _CONSTANT.finditer(code):
        new = WORDS.get(found[0]) or str(int(found[0]) + 1)
        yield "constant", line[:found.start()] + new + line[found.end():]
    for found in _ARGUMENTS.finditer(code):
        if found[1] != found[2]:
            yield "arguments", line[:found.start()] + f"{found[2]}, {found[1]}" + line[found.end():]
    if (_SQL_STATEMENT if sql else _C_STATEMENT).match(code) and _is_balanced(code):
        indent = line[:len(line) - len(line.lstrip())]
        yield "statement", indent + ("null;" if sql else ";")
    if sql and _SQL_CONDITION.match(code) and _is_balanced(code):
        yield "condition", ""
    if not sql:
        for start, end in _operands(code):
            yield "condition", line[:start] + line[end:]


def edits_of(path, text):
    """All edits of a file."""
    sql = path.endswith(".sql")
    lines = text.split("\n")
    found = []
    for number, (line, code) in enumerate(zip(lines, _code_lines(text, sql)), 1):
        if re.match(r"#(?!define)|comment on |\\", code.lstrip()):
            continue
        found += [Edit(path, number, kind, line, new) for kind, new in _line_edits(line, code, sql)]
    return found
