"""Tries many changes: first those that need a fresh import, then those that a collected run can carry in forks of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.mutants import forks, trial
from tests.mutants.changes import Change
from tests.mutants.choosing import Chooser

_FLOOR_S = 20.0
_TIMES = 3.0
_FIRST_FILES = (
    2  # most of what acts while modules are imported is seen by these: the rest of the tests is imported only if it is not
)


class Verdict(StrEnum):
    """What the tests made of a change."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    NOT_COVERED = "not covered"


class Tried(NamedTuple):
    """A change and its fate. `change` is None for a control: the same tests on code that is as it was."""

    about: str
    change: Change | None
    verdict: Verdict
    killer: str
    seconds: float
    tests: int


class Trial(NamedTuple):
    """What is to be tried, by which tests."""

    about: str
    change: Change | None
    names: tuple[str, ...]
    limit_s: float


class Tool(Exception):
    """The tool itself failed."""


def trial_of(chooser: Chooser, change: Change) -> Trial:
    """A change with the tests that may see it."""
    return _trial(str(change), change, chooser.tests(change))


def control_of(chooser: Chooser, path: str) -> Trial:
    """The tests of a whole file on unchanged code: if they fail, their failing tells nothing."""
    return _trial(f"control: {path} as it is", None, chooser.everywhere(path))


def _trial(about: str, change: Change | None, tests: Sequence[tuple[str, float]]) -> Trial:
    return Trial(about, change, tuple(name for name, _ in tests), _FLOOR_S + _TIMES * sum(seconds for _, seconds in tests))


def try_all(
    root: Path, trials: Sequence[Trial], chooser: Chooser, targets: Sequence[str], at_once: int, tell: Callable[[Tried], None]
) -> None:
    """Tells each as it ends; `targets`: where the tests are."""
    for one in trials:
        if not one.names:
            tell(_tried(one, Verdict.NOT_COVERED))
    covered = [one for one in trials if one.names]
    anew = [one for one in covered if one.change is not None and chooser.fresh(one.change)]
    rest = [one for one in covered if one not in anew]
    whole: list[Trial] = []
    for done in forks.run((_anew(root, one, first=True) for one in anew), at_once):
        if done.end is forks.End.SILENT and _first(done.about) != done.about.names:
            whole.append(done.about)
        else:
            tell(_judged(done))
    for done in forks.run((_anew(root, one) for one in whole), at_once):
        tell(_judged(done))
    if rest:
        collected = _Collected(root, rest, at_once, tell)
        pytest.main([*trial.OPTIONS, *targets], plugins=[trial.Steady(), collected])
        if collected.failed:
            raise Tool(collected.failed)


def _anew(root: Path, one: Trial, *, first: bool = False) -> forks.Job[Trial]:
    assert one.change is not None
    return forks.Job(one, partial(trial.anew, root, one.change, _first(one) if first else one.names), one.limit_s)


def _first(one: Trial) -> tuple[str, ...]:
    """The tests of the first files, in their order."""
    files = list(dict.fromkeys(name.partition("::")[0] for name in one.names))[:_FIRST_FILES]
    return tuple(name for name in one.names if name.partition("::")[0] in files)


class _Collected:
    """A pytest plugin: in place of running what was collected, each trial runs its part of it in a fork."""

    def __init__(self, root: Path, trials: Sequence[Trial], at_once: int, tell: Callable[[Tried], None]) -> None:
        self._root, self._trials, self._at_once, self._tell = root, trials, at_once, tell
        self.failed = "nothing was collected"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = report.longreprtext

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        jobs = (
            forks.Job(one, partial(trial.in_place, self._root, one.change, items, one.names), one.limit_s) for one in self._trials
        )
        try:
            for done in forks.run(jobs, self._at_once):
                self._tell(_judged(done))
            self.failed = ""
        except Tool as fault:
            self.failed = str(fault)
        return True


def _judged(done: forks.Done[Trial]) -> Tried:
    match done.end:
        case forks.End.SAID:
            return _tried(done.about, Verdict.KILLED, done.word, done.seconds)
        case forks.End.DIED:
            return _tried(done.about, Verdict.KILLED, "the process died", done.seconds)
        case forks.End.TIMED_OUT:
            return _tried(done.about, Verdict.TIMED_OUT, "", done.seconds)
        case forks.End.SILENT:
            return _tried(done.about, Verdict.SURVIVED, "", done.seconds)
        case forks.End.BROKEN:
            raise Tool(f"{done.about.about}\n{done.word}")


def _tried(one: Trial, verdict: Verdict, killer: str = "", seconds: float = 0.0) -> Tried:
    return Tried(one.about, one.change, verdict, killer, seconds, len(one.names))
