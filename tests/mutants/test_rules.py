"""A rule whose function does nothing is missed by a test that shows it: a sample here, all by `make rules`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.idle import idle
from tests.mutants.rules import ROOMS, pairs_of

ROOT = Path(__file__).parents[2]
SAMPLE, SEED = 16, 6


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("f(line: Line, minor: int) -> int", "return minor"),
        ("f(line: Line) -> int", "return 0"),
        ("f(line: Line) -> bool", "return False"),
        ("f(line: Line) -> None", "return None"),
        ("f(line: Line) -> Line", "return line"),
        ("f(facts: Facts, line: Line | None) -> Line | None", "return line"),
        ("f(facts: Facts) -> Line | None", "return None"),
        ("f(facts: Facts) -> Line", "return facts"),
        ("f(lines: tuple[Line, ...]) -> tuple[Line, ...]", "return lines"),
        ("f(facts: Facts) -> tuple[Line, ...]", "return ()"),
        ("f(facts: Facts, line: Line) -> tuple[Line, str]", "return (line, '')"),
        ("f(facts: Facts) -> Mapping[str, int]", "return {}"),
        ("f(terms: Terms) -> Fraction", "return Fraction(1)"),
        ("f(message: Pay, folio: Folio, facts: Facts) -> Outcome", "return Outcome(state=folio)"),
        ("f(message: Pay, facts: Facts) -> Outcome", "return Outcome(state=None)"),
    ],
)
def test_what_does_nothing(signature: str, body: str) -> None:
    """What was given comes back where it can, else as little as can."""
    made = idle(ast.parse(f"def {signature}: return g(1)"), "f")

    assert made is not None
    assert ast.unparse(made.body) == body  # type: ignore[arg-type]


def test_what_yields_yields_nothing() -> None:
    made = idle(ast.parse("class Book:\n  def rows(self) -> Iterator[int]:\n    yield 1"), "Book.rows")

    assert made is not None
    assert [ast.unparse(one) for one in made.body] == ["return None", "yield"]


def test_what_only_raises_is_left_alone() -> None:
    """It has nothing to give back; what is not there is left alone too."""
    assert idle(ast.parse("def refuse() -> NoReturn: raise E"), "refuse") is None
    assert idle(ast.parse("def refuse() -> None: raise E"), "other") is None


def test_there_are_rules_to_try() -> None:
    """Of decisions and the book."""
    tried = pairs_of(["S4", "X"], ROOMS)

    assert len({pair.rule.id for pair in tried}) > 50
    assert len({pair.function for pair in tried}) > 50


def test_a_rule_that_does_nothing_is_missed() -> None:
    """Some, by a seed. What is printed names those that no test of theirs would miss."""
    command = [sys.executable, "-m", "tests.mutants.rules", "S4", "X", "--sample", str(SAMPLE), "--seed", str(SEED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
