"""What may become of the text of a statement: boundaries, conditions that always hold, assignments left out, another order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_STATEMENT = re.compile(r"\b(SELECT .* FROM|INSERT |UPDATE \w+ SET|DELETE FROM|WHERE |ORDER BY|ON CONFLICT|VALUES \()")
_HOLE = "\0"  # where something is filled in
_CLAUSE = re.compile(r"\b(SET|WHERE|AND|OR|ON|WHEN|VALUES|SELECT|THEN|HAVING)\b")
_SIGNS = {"<=": ("<", "boundary"), ">=": (">", "boundary"), "<": ("<=", "boundary"), ">": (">=", "boundary"),
          "<>": ("=", "comparison"), "=": ("<>", "comparison")}  # fmt: skip
_SIGN = re.compile(r"(?<= )(<=|>=|<>|<|>|=)(?= )")
_TERM = re.compile(
    r"\b(?:WHERE|AND) ([\w.]+ (?:=|<>|<=|>=|<|>|IS NOT|IS) (?:\?\d*|'\w*'|\d+|NULL|[\w.]+))(?=$|\)| AND| ORDER| LIMIT| RETURNING| *$)"
)
_REPLACED = (
    (re.compile(r"\bAND\b"), "OR", "logic"),
    (re.compile(r"\bOR IGNORE "), "", "clause left out"),
    (re.compile(r"\bOR REPLACE "), "OR IGNORE ", "clause changed"),
    (re.compile(r"\bDISTINCT "), "", "clause left out"),
    (re.compile(r"\bIS NOT NULL\b"), "IS NULL", "negation"),
    (re.compile(r"\bIS NULL\b"), "IS NOT NULL", "negation"),
    (re.compile(r"\bNOT (?=EXISTS|IN\b)"), "", "negation"),
    (re.compile(r"\bmax\("), "min(", "other function"),
    (re.compile(r"\bmin\("), "max(", "other function"),
    (re.compile(r" \+ 1\b"), "", "arithmetic"),
    (re.compile(r"(?<= )\+(?= )"), "-", "arithmetic"),
    (re.compile(r"(?<= )-(?= )"), "+", "arithmetic"),
    (re.compile(r"(?<==) 0\b"), " 1", "constant"),
    (re.compile(r"(?<==) 1\b"), " 0", "constant"),
    (re.compile(r"(?<=')(\w+)(?=')"), r"\1_other", "constant"),
    (re.compile(r", \w+ = (?:excluded\.\w+|\w+ [+-] 1|NULL|''|\d+)(?=,| WHERE|$|\s*$)"), "", "assignment left out"),
    (re.compile(r" DESC\b"), "", "order"),
    (re.compile(r"(?<=ORDER BY )([\w.]+)(?=$| LIMIT|\)|,)"), r"\1 DESC", "order"),
)  # fmt: skip


def is_statement(node: ast.expr) -> bool:
    """Whether a string is a statement for the store or a part of one."""
    return isinstance(node, ast.Constant | ast.JoinedStr) and bool(_STATEMENT.search("".join(_parts(node))))


def variants(node: ast.Constant | ast.JoinedStr) -> Iterator[tuple[ast.expr, str]]:
    """The statement with one thing changed in it."""
    parts = _parts(node)
    text = "".join(parts)
    for start, end, replacement, operator in _changes(text):
        if _HOLE not in text[start:end]:
            yield _rebuilt(node, parts, start, end, replacement), f"SQL {operator}"


def _changes(text: str) -> Iterator[tuple[int, int, str, str]]:
    for found in _SIGN.finditer(text):
        clause = [one[1] for one in _CLAUSE.finditer(text, 0, found.start())]
        if not clause or clause[-1] not in ("SET", "VALUES", "SELECT"):
            replacement, operator = _SIGNS[found[1]]
            yield found.start(), found.end(), replacement, operator
    for found in _TERM.finditer(text):
        yield found.start(1), found.end(1), f"({found[1]} OR 1)", "condition left out"
    for pattern, replacement, operator in _REPLACED:
        for found in pattern.finditer(text):
            yield found.start(), found.end(), found.expand(replacement), operator


def _parts(node: ast.expr) -> list[str]:
    """The text, piece by piece; what is filled in is one character."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else [""]
    if isinstance(node, ast.JoinedStr):
        return [part.value if isinstance(part, ast.Constant) else _HOLE for part in node.values]
    return [""]


def _rebuilt(node: ast.Constant | ast.JoinedStr, parts: list[str], start: int, end: int, replacement: str) -> ast.expr:
    if isinstance(node, ast.Constant):
        text = parts[0]
        return ast.Constant(text[:start] + replacement + text[end:])
    values, at = [], 0
    for value, part in zip(node.values, parts, strict=True):
        if at <= start and end <= at + len(part) and isinstance(value, ast.Constant):
            values.append(ast.Constant(part[: start - at] + replacement + part[end - at :]))
        else:
            values.append(value)
        at += len(part)
    return ast.JoinedStr(values=values)
