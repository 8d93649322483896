"""Where the time of the embedded way goes: samples of the wall clock, by room, by function and by line. Not a measurement.

A sample is taken about every millisecond between two steps of the interpreter, and weighs what has passed since the last one, so that
a long call into SQLite, the disk's wait included, counts in full for the line that made it.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

from benchmarks import embedded
from benchmarks.messages import ids, stream
from benchmarks.setting import Setting

EVERY_S = 0.001
_ROOT = Path(__file__).parents[1]
_HERE = str(Path(__file__))
_ROOMS = frozenset({"schemas", "topics", "ledger", "handlers", "connectors", "config", "engine", "console", "benchmarks"})
Function = tuple[str, str]  # file, name
Line = tuple[str, str, int]  # file, function, line
T = TypeVar("T")
Seconds = defaultdict[T, float]


class Samples:
    """Seconds by the innermost line of ours (`own`), and by every function that was under way (`within`)."""

    def __init__(self) -> None:
        self.own: Seconds[Line] = defaultdict(float)
        self.within: Seconds[Function] = defaultdict(float)
        self._names: dict[str, str] = {}
        self._last = 0.0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Samples while the block runs. Main thread only."""
        before = signal.signal(signal.SIGALRM, self._take)
        self._last = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _take(self, _number: int, frame: FrameType | None) -> None:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        seen, outer = set(), True
        while frame is not None:
            name = self._name(frame.f_code.co_filename)
            if name:
                if outer:
                    self.own[name, frame.f_code.co_qualname, frame.f_lineno] += passed
                    outer = False
                seen.add((name, frame.f_code.co_qualname))
            frame = frame.f_back
        for function in seen:
            self.within[function] += passed

    def _name(self, file: str) -> str:
        """A file of ours below the project's folder; empty for any other, whose time counts for who called it."""
        if file not in self._names:
            path = Path(file)
            inside = path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _ROOMS and file != _HERE
            self._names[file] = str(path.relative_to(_ROOT)) if inside else ""
        return self._names[file]


def profile(setting: Setting) -> str:
    """One verified run of the embedded way under the sampler, as tables in Markdown."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder:
        warm, names = ids(200, setting.seed + 1), ids(setting.stays, setting.seed)
        embedded.run(Path(folder) / "warm.sqlite", warm, list(stream(warm, setting.lag)))
        events = list(stream(names, setting.lag))
        samples = Samples()
        measured = embedded.run(Path(folder) / "hub.sqlite", names, events, watched=samples.taken)
    return "\n".join(tables(samples, measured.seconds, measured.inputs))


def tables(samples: Samples, seconds: float, inputs: int) -> Iterator[str]:
    """By room, by function with its costliest lines, and by what was under way."""
    micros = 1e6 / inputs

    def row(spent: float, *cells: str) -> str:
        return f"| {spent * micros:7.1f} | {100 * spent / seconds:5.1f} | {' | '.join(cells)} |"

    yield f"{inputs:,} inputs in {seconds:.2f} s under the sampler: {inputs / seconds:,.0f}/s, {seconds * micros:.0f} µs each.\n"
    rooms: Seconds[str] = defaultdict(float)
    functions: Seconds[Function] = defaultdict(float)
    for (file, function, _), spent in samples.own.items():
        rooms[_room(file)] += spent
        functions[file, function] += spent
    yield from ("| µs an input | % | room |", "|---:|---:|---|", *(row(spent, room) for room, spent in _most(rooms)), "")
    yield from ("| own µs | % | function | costliest lines |", "|---:|---:|---|---|")
    for (file, function), spent in _most(functions, 40):
        yield row(spent, f"{file} {function}", _lines(samples, file, function, seconds))
    yield from ("", "| with all it calls, µs | % | function |", "|---:|---:|---|")
    for (file, function), spent in _most(samples.within, 60):
        if not file.startswith("benchmarks"):
            yield row(spent, f"{file} {function}")


def _room(file: str) -> str:
    parts = Path(file).parts
    return "/".join(parts[:3] if parts[:2] == ("engine", "store") else parts[:2] if parts[0] == "engine" else parts[:1])


def _lines(samples: Samples, file: str, function: str, seconds: float) -> str:
    lines = {at: spent for (where, what, at), spent in samples.own.items() if (where, what) == (file, function)}
    return ", ".join(f"{at}: {100 * spent / seconds:.1f} %" for at, spent in _most(lines, 3))


def _most(spent: Mapping[T, float], count: int | None = None) -> list[tuple[T, float]]:
    return sorted(spent.items(), key=lambda one: -one[1])[:count]
