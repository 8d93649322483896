"""`python -m tests.mutants.rules`: each function that applies a rule is made to do nothing, one at a time, and some test that shows the
rule must go red. Prints the rules that would not be missed; exit 0 when there is none, 1 when there is one, 2 when it could not be tried.

It tries what `foliohub rules` lists, in the rooms that decide; nothing on disk is changed.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from console.rules.table import Rule, rules
from tests.mutants import forks, trial
from tests.mutants.idle import idle

ROOT: Final = Path(__file__).parents[2]
FAMILIES: Final = ("S0", "S1", "S4", "X", "A")
ROOMS: Final = ("handlers", "ledger")
_TRIED_WITH: Final = (
    "tests/scenarios/test_scenarios.py", "tests/handlers", "tests/ledger", "tests/engine", "tests/config", "tests/connectors",
    "tests/schemas", "tests/console/gateway", "tests/console/command/test_exits.py", "tests/console/command/test_operators.py",
)  # fmt: skip
"""Tests in one process. Others show rules too, with processes and servers of their own, and are not asked here."""
_LIMIT_S: Final = 120.0


class Pair(NamedTuple):
    """A rule, and a function that says that it applies it."""

    rule: Rule
    function: str

    def __str__(self) -> str:
        return f"{self.rule.id} by {self.function}"


class Tried(NamedTuple):
    """A pair and the test that went red; '' where none did. `why`: why it could not be tried."""

    pair: Pair
    red: str
    why: str
    tests: int
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    """Tries all, or a sample."""
    given = _given(argv)
    began = time.monotonic()
    pairs = [pair for pair in pairs_of(given.rules or FAMILIES, given.room or ROOMS) if given.only in str(pair)]
    if given.sample:
        pairs = random.Random(given.seed).sample(pairs, min(given.sample, len(pairs)))
    collected = _Collected(pairs, given.jobs, verbose=given.verbose)
    targets = sorted({file for pair in pairs for file in _files(pair)})
    pytest.main([*trial.OPTIONS, *(str(ROOT / file) for file in targets)], plugins=[trial.Steady(), collected])
    if collected.failed:
        print(f"could not be tried: {collected.failed}", file=sys.stderr)
        return 2
    missed = [one for one in collected.tried if not one.red and not one.why]
    for one in missed:
        print(f"not missed by {one.tests} tests: {one.pair}")
    for one in collected.tried:
        if one.why:
            print(f"not tried: {one.pair}: {one.why}")
    seen = sum(bool(one.red) for one in collected.tried)
    print(f"{seen} of {len(pairs)} are missed by a test of theirs, {len(missed)} are not; {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _given(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.rules", description=__doc__)
    parser.add_argument("rules", nargs="*", help="ids or families; else all")
    parser.add_argument("--sample", type=int, default=0, help="so many, chosen by the seed; else all")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--room", action="append", help=f"functions of this package; else {' and '.join(ROOMS)}")
    parser.add_argument("--only", default="", help="only what has this text in `RULE by FUNCTION`")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--verbose", action="store_true", help="tell each as it ends")
    return parser.parse_args(argv)


def pairs_of(asked: Iterable[str], rooms: Iterable[str]) -> list[Pair]:
    """What there is to try."""
    return [
        Pair(rule, function)
        for rule in rules(asked)
        for function in rule.applied_by
        if function.partition(".")[0] in rooms and rule.shown_by
    ]


def _files(pair: Pair) -> Iterator[str]:
    for test in pair.rule.shown_by:
        if test.startswith(_TRIED_WITH):
            yield test.partition("::")[0]


class _Collected:
    """A pytest plugin: in place of running what was collected, each pair runs its tests in a fork of its own."""

    def __init__(self, pairs: Sequence[Pair], at_once: int, *, verbose: bool) -> None:
        self._pairs, self._at_once, self._verbose = pairs, at_once, verbose
        self.tried: list[Tried] = []
        self.failed = "nothing was collected"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = report.longreprtext

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        by_test: dict[str, list[str]] = defaultdict(list)
        for name in items:
            by_test[name.partition("[")[0]].append(name)
        jobs = []
        for pair in self._pairs:
            names = [name for test in pair.rule.shown_by for name in by_test.get(test, ())]
            if names:
                jobs.append(forks.Job((pair, len(names)), partial(_without, pair.function, items, names), _LIMIT_S))
            else:
                self._note(Tried(pair, "", "no test in one process shows the rule", 0, 0))
        for done in forks.run(jobs, self._at_once):
            self._note(_judged(done))
        self.failed = ""
        return True

    def _note(self, one: Tried) -> None:
        self.tried.append(one)
        if self._verbose:
            print(f"{one.seconds:5.1f} s  {one.pair}: {one.red or one.why or 'NOT MISSED'}", flush=True)


def _without(function: str, items: Mapping[str, pytest.Item], names: Sequence[str]) -> str:
    """The first test that misses a function; nothing if none does. Raises NoSuchFunction."""
    path = _path(function)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    made = idle(tree, function.removeprefix(f"{module}."))
    if made is None:
        raise trial.NoSuchFunction(f"{function} raises and does nothing else")
    line = min([made.lineno, *(one.lineno for one in made.decorator_list)])
    trial.put(path, compile(tree, str(path), "exec", dont_inherit=True), line, function)
    return trial.first_red(items, names)


def _path(function: str) -> Path:
    parts = function.split(".")
    return next(path for n in range(len(parts), 0, -1) if (path := ROOT.joinpath(*parts[:n]).with_suffix(".py")).is_file())


def _judged(done: forks.Done[tuple[Pair, int]]) -> Tried:
    pair, tests = done.about
    match done.end:
        case forks.End.SAID:
            return Tried(pair, done.word, "", tests, done.seconds)
        case forks.End.DIED | forks.End.TIMED_OUT:
            return Tried(pair, done.end.value, "", tests, done.seconds)
        case forks.End.SILENT:
            return Tried(pair, "", "", tests, done.seconds)
        case forks.End.BROKEN:
            return Tried(pair, "", done.word.strip().splitlines()[-1], tests, done.seconds)


if __name__ == "__main__":
    raise SystemExit(main())
