"""The tool itself: which changes it makes of a piece of code, which it leaves alone, and that a change is really put in place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.changes import changed, changes_of, edited, files
from tests.mutants.excuses import excuses
from tests.mutants.reach import ROOMS

ROOT = Path(__file__).parents[2]


def made(source: str) -> list[tuple[str, str]]:
    """What there is and what it becomes."""
    return [(change.before, change.after) for change in changes_of("room/file.py", source)]


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        ("def f(a, b): return a < b", "a < b", "a <= b"),
        ("def f(a, b): return a < b", "a < b", "a >= b"),
        ("def f(a): return a is None", "a is None", "a is not None"),
        ("def f(a, b): return a and b", "a and b", "a or b"),
        ("def f(a, b): return a and b", "a and b", "b"),
        ("def f(a): return not a", "not a", "a"),
        ("def f(a, b): return a if b else 0", "a if b else 0", "0 if b else a"),
        ("def f(a, b): return a - b", "a - b", "a + b"),
        ("def f(a): return first(a) + second(a)", "first(a) + second(a)", "first(a)"),
        ("def f(a): return max(0, a)", "max(0, a)", "min(0, a)"),
        ("def f(a): return [b for b in a if b.open]", "for b in a if b.open", "for b in a"),
        ("def f(a): return replace(a, b=1)", "replace(a, b=1)", "replace(a)"),
        ("def f(a): return Outcome(entries=(one(a), two(a)))", "(one(a), two(a))", "(one(a),)"),
        ("def f(a): a.tell()", "a.tell()", "pass"),
        ("def f(a): a.b = 1", "a.b = 1", "pass"),
        ("def f(a):\n  if a.ready: a.go()", "if a.ready: a.go()", "if not a.ready: a.go()"),
        ("def f(a):\n  for b in a: break", "break", "continue"),
        ("def f(a): raise Rejected('no', code='unknown')", "raise Rejected('no', code='unknown')", "pass"),
        ("def f(a): raise Rejected('no', code='unknown')", "'unknown'", "'unknown-other'"),
        ("def f(a) -> bool: return a.ready", "return a.ready", "return not a.ready"),
        ("def f(a) -> tuple[int, ...]: return a.all", "return a.all", "return ()"),
        ("def f(a):\n  try: a()\n  except E: b()", "except E: b()", "except E: raise"),
        ("OPEN = {1, 2}", "{1, 2}", "{1}"),
        ("NEXT = {'a': b, 'c': d}", "{'a': b, 'c': d}", "{'c': d}"),
        ("def f(days=1): pass", "1", "0"),
    ],
)
def test_a_change_is_made(source: str, before: str, after: str) -> None:
    """Each kind of change, in the smallest place where it can be."""
    assert (before, after) in made(source)


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        ("SELECT a FROM b WHERE c <= ?", "SELECT a FROM b WHERE c < ?"),
        ("SELECT a FROM b WHERE c = ? AND d = 0", "SELECT a FROM b WHERE (c = ? OR 1) AND d = 0"),
        ("SELECT a FROM b WHERE c = ? AND d = 0", "SELECT a FROM b WHERE c = ? OR d = 0"),
        ("SELECT a FROM b WHERE c = ? AND d = 0", "SELECT a FROM b WHERE c = ? AND d <> 0"),
        ("SELECT a FROM b ORDER BY c LIMIT ?", "SELECT a FROM b ORDER BY c DESC LIMIT ?"),
        ("UPDATE a SET b = ?, c = c + 1 WHERE d = ?", "UPDATE a SET b = ? WHERE d = ?"),
        ("UPDATE a SET b = ?, c = c + 1 WHERE d = 'due'", "UPDATE a SET b = ?, c = c + 1 WHERE d = 'due_other'"),
        ("INSERT OR IGNORE INTO a VALUES (?)", "INSERT INTO a VALUES (?)"),
    ],
)
def test_a_statement_is_changed(statement: str, after: str) -> None:
    """The text of a statement for the store is code too, and its parameters still fit."""
    assert (repr(statement), repr(after)) in made(f"def f(db): db.execute({statement!r})")


def test_a_statement_with_holes_keeps_them() -> None:
    """What is filled in stays."""
    found = made("def f(db, n): db.execute(f'SELECT a FROM t_{n} WHERE b = ? AND c IN ({marks(n)})')")

    assert (
        "f'SELECT a FROM t_{n} WHERE b = ? AND c IN ({marks(n)})'",
        "f'SELECT a FROM t_{n} WHERE b <> ? AND c IN ({marks(n)})'",
    ) in found


@pytest.mark.parametrize(
    "source",
    [
        '"""Words."""',
        'def f():\n  """Words."""',
        "import a",
        "def f(a):\n  log.info('said', count=1)",
        "def f(a):\n  calls.labels(a).inc()",
        "calls = Counter('calls', 'Calls', ('a',))",
        "log = structlog.get_logger(__name__)",
        "def f(a):\n  assert a > 1",
        "def f(a: Literal['b'] = a): pass",
        "if TYPE_CHECKING:\n  A = 1",
        "class P(Protocol):\n  def f(self): return g(1)",
        "def __repr__(self):\n  return f(self.a)",
        "text = f'line {number + 1} is not there'",
    ],
)
def test_what_only_people_and_type_checkers_read_is_left_alone(source: str) -> None:
    """No test could or should see it."""
    assert made(source) == []


def test_a_change_of_the_core_is_code_and_another_code() -> None:
    """A change is put in place where it says, and everything else stays as it is."""
    for path in ("ledger/chart.py", "handlers/refund_parts.py", "engine/store/sqlite/effects.py"):
        source = (ROOT / path).read_text()
        for change in changes_of(path, source)[::10]:
            tree = changed(change, source)
            compile(tree, path, "exec")
            assert ast.unparse(tree) != ast.unparse(ast.parse(source)), change


def test_an_edited_file_is_the_changed_one_with_all_else_as_it_was_written() -> None:
    """Comments and all: that is what the type checker reads."""
    source = "def f(a: int) -> bool:\n    # why\n    return (\n        a < 1  # and how\n        or a > 5\n    )\n"
    (change,) = [one for one in changes_of("room/file.py", source) if (one.before, one.after) == ("a < 1", "a <= 1")]

    text = edited(change, source)

    assert text == source.replace("a < 1", "(a <= 1)")
    assert ast.unparse(ast.parse(text)) == ast.unparse(changed(change, source))


def test_no_excuse_is_out_of_date() -> None:
    """Each names changes that there are."""
    changes = [change for room in ROOMS for path in files(ROOT, room) for change in changes_of(path, (ROOT / path).read_text())]

    assert [excuse for excuse in excuses() if not any(excuse.covers(change) for change in changes)] == []
