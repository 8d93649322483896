"""Records between the transport's threads and the worker's: a queue per lane, kept until the store has them.

`take` does not take away: what a transaction rolls back is there again. A record leaves when a later `take` asks from beyond it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

HIGH: Final = 2_000  # records of a lane; beyond it no more are fetched
HIGH_BYTES: Final = 8 * 1024 * 1024  # bodies of a lane


class LogRecord(Protocol):
    """A record as aiokafka gives it; times in milliseconds."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class _Box:
    __slots__ = ("bytes", "records")

    def __init__(self) -> None:
        self.records: deque[LogRecord] = deque()
        self.bytes = 0


class Mailboxes:
    """Thread-safe. A lane is open between `open` and `close`; what comes for another is refused. `high` in records, `high_bytes` of
    bodies, both by lane: a lane is at most one fetch above them."""

    def __init__(self, *, high: int = HIGH, high_bytes: int = HIGH_BYTES) -> None:
        self._high, self._high_bytes = high, high_bytes
        self._lock = threading.Lock()
        self._boxes: dict[int, _Box] = {}
        self._asked: dict[int, int] = {}
        self._first = 0
        self._awake = threading.Event()

    def open(self, lanes: Iterable[int]) -> None:
        """From now on these lanes are ours, and empty."""
        with self._lock:
            for lane in lanes:
                self._boxes[lane] = _Box()

    def close(self, lanes: Iterable[int]) -> None:
        """These lanes are not ours any more: what they hold is forgotten."""
        with self._lock:
            for lane in lanes:
                self._boxes.pop(lane, None)

    def lanes(self) -> frozenset[int]:
        """The open ones."""
        with self._lock:
            return frozenset(self._boxes)

    def put(self, lane: int, records: Sequence[LogRecord]) -> bool:
        """Appends, in order; False for a lane that is not open. Wakes nobody: that is `wake`."""
        size = sum(len(record.value or b"") for record in records)
        with self._lock:
            box = self._boxes.get(lane)
            if box is None:
                return False
            box.records.extend(records)
            box.bytes += size
        return True

    def take(self, positions: Mapping[int, int], limit: int) -> list[LogRecord]:
        """At most `limit` records, in order within a lane, of each open lane from its position on; older ones are dropped for good.

        Asked again from the same positions it gives the same (and what came behind); when positions have moved the next lane
        comes first, so that a full one does not starve the others.
        """
        taken: list[LogRecord] = []
        with self._lock:
            if positions != self._asked:
                self._asked = dict(positions)
                self._first += 1
            lanes = sorted(positions)
            first = self._first % len(lanes) if lanes else 0
            for lane in (*lanes[first:], *lanes[:first]):
                box = self._boxes.get(lane)
                if box is not None:
                    _drop(box, positions[lane])
                    taken.extend(islice(box.records, limit - len(taken)))
        return taken

    def drop(self, lane: int, offset: int) -> None:
        """Forget one record: somebody else has seen to it."""
        with self._lock:
            box = self._boxes.get(lane)
            for record in box.records if box is not None else ():
                if record.offset == offset:
                    assert box is not None
                    box.records.remove(record)
                    box.bytes -= len(record.value or b"")
                    return

    def full(self, lane: int) -> bool:
        """Whether no more should be fetched for a lane."""
        box = self._boxes.get(lane)
        return box is not None and (len(box.records) >= self._high or box.bytes >= self._high_bytes)

    def held(self, lanes: Collection[int] | None = None) -> int:
        """Records in these lanes, or in all."""
        with self._lock:
            return sum(len(box.records) for lane, box in self._boxes.items() if lanes is None or lane in lanes)

    def wake(self) -> None:
        """There is something to do."""
        self._awake.set()

    def wait(self, timeout_s: float) -> bool:
        """Until `wake`, or the time is over (False). A wake-up before the call counts; one serves all that came until now."""
        woken = self._awake.wait(timeout_s)
        self._awake.clear()
        return woken


def _drop(box: _Box, position: int) -> None:
    records = box.records
    while records and records[0].offset < position:
        box.bytes -= len(records.popleft().value or b"")
