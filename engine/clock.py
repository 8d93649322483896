"""Time as an argument: the real clock, and one that a simulation or a dry run moves by hand. Instants are microseconds."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> int:
        """Microseconds since 1970 UTC."""

    def elapsed_s(self) -> float:
        """Seconds since some beginning: who sets the machine's clock does not move these."""


class SystemClock:
    """The machine's clock; never goes back within one process, whatever the machine's does. Set back, it goes at half the pace until the
    other one is there again: what is due is late then, and does not wait for an hour that comes twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = self._ticks = 0

    def now(self) -> int:
        with self._lock:
            ticks = time.monotonic_ns() // 1000
            self._last = (
                max(self._last + (ticks - self._ticks) // 2, time.time_ns() // 1000) if self._last else time.time_ns() // 1000
            )
            self._ticks = ticks
            return self._last

    def elapsed_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """Stands still until it is moved, and moves only forward."""

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def elapsed_s(self) -> float:
        return self._now / 1_000_000

    def advance(self, to: int) -> None:
        """Move to an instant; an earlier one changes nothing."""
        self._now = max(self._now, to)


def micros(instant: datetime) -> int:
    """An aware datetime as microseconds."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(micros_: int) -> datetime:
    """Microseconds as an aware datetime in UTC."""
    return _EPOCH + micros_ * _MICROSECOND
