"""Which test reaches which line, and how long each test lasts: one run of the tests under coverage, kept until a file changes.

A test that fails as the code stands cannot tell a change from none: it is left out, and said. Many of them are an end.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import coverage
import msgspec
import pytest

from tests.mutants.quiet import waited_s

ROOMS = ("engine", "ledger", "handlers")
_MOST_FAILURES = 5
_READ = ("schemas", "topics", "ledger", "handlers", "connectors", "config", "engine", "console", "tests")
_IMPORTED = "imported"
_EVERY = 400


class Reach(msgspec.Struct, frozen=True):
    """`tests` in order of collection, with seconds each; `lines`: by file and line the numbers of the tests that run it; `imported`:
    the lines that run while the tests are only collected; `failing`: tests that are left out."""

    key: str
    failing: list[str]
    tests: list[tuple[str, float]]
    lines: dict[str, dict[int, list[int]]]
    imported: dict[str, list[int]]


class Red(Exception):
    """The tests fail as the code stands."""


class Watch:
    """A pytest plugin: tells coverage which test runs, takes the time, and says how far it is."""

    def __init__(self, watched: coverage.Coverage, told: TextIO) -> None:
        self._watched, self._told = watched, told
        self._count = 0
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._watched.switch_context(item.nodeid)
        began = time.perf_counter() - waited_s()
        result = yield
        self.seconds[item.nodeid] = time.perf_counter() - waited_s() - began
        if not len(self.seconds) % _EVERY:
            print(f"{len(self.seconds)} of {self._count} tests measured", file=self._told)
        return result

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._count = len(session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(f"{report.nodeid}: {report.longreprtext}")


def fingerprint(root: Path, arguments: Sequence[str]) -> str:
    """Of everything that a run reads."""
    digest = hashlib.sha256(repr(arguments).encode())
    for room in _READ:
        for path in sorted((root / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def measure(root: Path, key: str, options: Sequence[str], plugins: Sequence[object], told: TextIO) -> Reach:
    """Run the tests once and note what each of them reaches; `told` is where it says how far it is. Raises Red."""
    watched = coverage.Coverage(data_file=None, config_file=False, source=[str(root / room) for room in ROOMS])
    watch = Watch(watched, told)
    watched.start()
    watched.switch_context(_IMPORTED)
    try:
        pytest.main(list(options), plugins=[*plugins, watch])
    finally:
        watched.stop()
    failing = sorted(set(watch.failed))
    if len(failing) > _MOST_FAILURES or not watch.seconds:
        raise Red("\n".join(failing[: 2 * _MOST_FAILURES]) or "no test was collected")
    tests = [(nodeid, seconds) for nodeid, seconds in watch.seconds.items() if nodeid not in failing]
    numbers = {nodeid: at for at, (nodeid, _) in enumerate(tests)}
    lines: dict[str, dict[int, list[int]]] = {}
    imported: dict[str, list[int]] = {}
    data = watched.get_data()
    for file in data.measured_files():
        path = str(Path(file).relative_to(root))
        by_line: dict[int, list[int]] = defaultdict(list)
        at_import = []
        for line, contexts in data.contexts_by_lineno(file).items():
            by_line[line] = sorted(numbers[context] for context in contexts if context in numbers)
            if _IMPORTED in contexts:
                at_import.append(line)
        lines[path], imported[path] = dict(by_line), at_import
    return Reach(key, failing, tests, lines, imported)
