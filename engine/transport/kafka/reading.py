"""From a consumer into mailboxes, without a step that could leave records out: the same for every transport of lanes.

All of it runs in the consumer's own loop. A lane is opened by one step that nothing interrupts: its mailbox emptied, the consumer
placed on the store's position. Whatever the consumer gives afterwards begins there, and is put before anything else can happen to
the lane. A first record that is not the one expected is a gap: legal (markers, compaction) only if the log still reaches back.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from engine.transport.kafka import metrics
from engine.transport.kafka.described import described
from engine.transport.kafka.mailbox import LogRecord, Mailboxes
from engine.transport.kafka.topology import PROVISION
from schemas.errors import HubError

log = structlog.get_logger(__name__)

POLL_S: Final = 0.1  # one wait for records
FULL_S: Final = 0.02  # the same while a lane is full: it may be emptied at any moment
FETCH_WAIT_MS: Final = 100
PREFETCH_BACKOFF_S: Final = 0.02  # aiokafka's 100 ms are felt, 5 ms gave stalls of a second
METADATA_MS: Final = 5_000  # after so long at most a topic that was away or was made anew is seen
WATCH_S: Final = 2.0  # how often the ends of the log are asked for
STALLED: Final = 5  # so many looks in a row at records that nobody fetches, and the reading has come to a standstill


class LaneReader:
    """`lost` is told (lane, position, low, high) of a position outside the log, which holds [low, high)."""

    def __init__(
        self, topic: str, mailboxes: Mailboxes, lost: Callable[[int, int, int, int], None], *, watch_s: float = WATCH_S
    ) -> None:
        self._watch_s = watch_s
        self._looks = 0  # since something came, of those that saw that something should
        self._topic, self._mailboxes, self._lost = topic, mailboxes, lost
        self._lock = threading.Lock()
        self._next: dict[int, int] = {}  # the offset that is expected next, of each open lane
        self._openings: dict[int, int] = {}  # how often a lane was opened: tells whether it still is the same opening
        self._committed: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._heard = float("-inf")
        self._log_id = ""
        self.consumer: Any = None

    # -- lanes -----------------------------------------------------------------------------------------------------------------

    async def identify(self) -> str:
        """The topic's own id. Raises HubError `topic_missing`, or aiokafka's KafkaError."""
        found = (await described(self.consumer._client, [self._topic])).get(self._topic)
        if found is None:
            raise HubError(f"topic {self._topic} is missing: {PROVISION}", code="topic_missing", field="topic", value=self._topic)
        self._log_id = found.id
        return found.id

    async def open(self, positions: Mapping[int, int], still: Callable[[], bool] = lambda: True) -> Mapping[int, int]:
        """Opens lanes at these positions, those outside the log excepted; returns the opened. None of them when they are not
        `still` ours after the log's ends were asked for. Raises KafkaError when it cannot ask."""
        bounds = await self._bounds(positions)
        assigned = self.consumer.assignment()
        opened: dict[int, int] = {}
        if not still():
            return opened
        for lane, position in positions.items():
            low, high = bounds[lane]
            self._ends[lane] = high
            if not low <= position <= high:
                self._lose(lane, position, low, high)
            elif self._at(lane) in assigned:
                opened[lane] = position
                with self._lock:
                    self._openings[lane] = self._openings.get(lane, 0) + 1
                    self._committed[lane] = self._next[lane] = position
                    self._looks = 0
                    self._mailboxes.open((lane,))
                    self.consumer.seek(self._at(lane), position)
        metrics.CLAIMS.inc(len(opened))
        metrics.LANES.set(len(self._next))
        return opened

    def close(self, lanes: Iterable[int]) -> None:
        """Nothing more comes of these lanes. From any thread."""
        with self._lock:
            for lane in lanes:
                self._next.pop(lane, None)
            self._mailboxes.close(lanes)
        metrics.LANES.set(len(self._next))

    def replace(self) -> None:
        """Puts the consumer where it was, after its assignment was changed."""
        with self._lock:
            for lane, position in self._next.items():
                self.consumer.seek(self._at(lane), position)

    def lanes(self) -> frozenset[int]:
        """The open ones."""
        with self._lock:
            return frozenset(self._next)

    def wanted(self) -> set[TopicPartition]:
        """Open lanes whose mailbox is not full."""
        return {self._at(lane) for lane in self.lanes() if not self._mailboxes.full(lane)}

    # -- records ---------------------------------------------------------------------------------------------------------------

    async def deliver(self, records: Mapping[TopicPartition, Sequence[LogRecord]]) -> None:
        """Puts what the consumer just gave. To be called without anything in between; waits only where there is a gap."""
        gaps = []
        for at, found in records.items():
            with self._lock:
                expected = self._next.get(at.partition)
                if expected is not None and found[0].offset == expected:
                    self._put(at.partition, found)
                elif expected is not None:
                    gaps.append((at.partition, found, expected, self._openings[at.partition]))
        for lane, found, expected, opening in gaps:
            await self._over_gap(lane, found, expected, opening)

    def _put(self, lane: int, found: Sequence[LogRecord]) -> None:
        if self._mailboxes.put(lane, found):
            self._next[lane] = found[-1].offset + 1
            self._looks = 0
            metrics.DELIVERED.inc(len(found))

    async def _over_gap(self, lane: int, found: Sequence[LogRecord], expected: int, opening: int) -> None:
        try:
            low, high = (await self._bounds((lane,)))[lane]
        except BaseException as error:
            if lane in self.lanes() and self._openings[lane] == opening:
                self.consumer.seek(self._at(lane), expected)  # read once more: it was not put
            if isinstance(error, KafkaError):
                return
            raise
        with self._lock:
            if lane not in self._next or self._openings[lane] != opening:
                return
            within = [record for record in found if record.offset >= expected]
            if low <= expected <= high:
                log.info("gap in a lane", lane=lane, expected=expected, found=found[0].offset)
                if within:
                    self._put(lane, within)
                return
        self._lose(lane, expected, low, high)

    # -- ends of the log -------------------------------------------------------------------------------------------------------

    async def watching(self) -> None:
        """Looks again and again whether each lane still is inside its log and the log the same one. Ends when it is cancelled.

        Raises HubError `reading_stalled` when the broker answers and nothing comes of what lies there: whoever fetches has been lost
        in what befell the broker, and finds its way by a new start only.
        """
        while True:
            try:
                await self._look()
                await self._moving()
            except KafkaError as error:
                self._looks = 0
                log.warning("kafka does not say where its logs end", error=repr(error)[:200])
            await asyncio.sleep(self._watch_s)

    async def _moving(self) -> None:
        behind = {lane: count for lane, count in self.unread().items() if count and not self._mailboxes.full(lane)}
        self._looks = self._looks + 1 if behind else 0
        metrics.STALLED.set(self._looks)
        if self._looks < STALLED:
            return
        for lane in behind:
            try:
                async with asyncio.timeout(self._watch_s):
                    position = await self.consumer.position(self._at(lane))
            except (TimeoutError, KafkaError):
                position = -1
            if position < self._ends[lane]:  # else what is unread is a transaction's end, which nobody is given
                count = sum(behind.values())
                text = f"{count} records of topic {self._topic} wait in {len(behind)} lanes, and nothing comes"
                raise HubError(text, code="reading_stalled", field="topic", value=self._topic)
        self._looks = 0

    async def _look(self) -> None:
        before, known = dict(self._next), self._log_id
        found = (await described(self.consumer._client, [self._topic])).get(self._topic)
        if before:
            bounds = await self._bounds(before)
            for lane, (low, high) in bounds.items():
                self._ends[lane] = high
                now = self._next.get(lane)
                anew = found is not None and found.id != known and known == self._log_id
                if now is not None and (anew or low > now or high < before[lane] <= now):
                    self._lose(lane, now, low, high)
        self._heard = time.monotonic()

    async def _bounds(self, lanes: Iterable[int]) -> dict[int, tuple[int, int]]:
        places = [self._at(lane) for lane in lanes]
        low = await self.consumer.beginning_offsets(places)
        high = await self.consumer.end_offsets(places)
        return {at.partition: (low[at], high[at]) for at in places}

    def _lose(self, lane: int, position: int, low: int, high: int) -> None:
        self.close((lane,))
        metrics.LOST.inc()
        log.error("lane stands still, its position is outside the log", lane=lane, position=position, low=low, high=high)
        self._lost(lane, position, low, high)

    # -- for others ------------------------------------------------------------------------------------------------------------

    def committed(self, lane: int, next_offset: int) -> None:
        """The store's word. From any thread."""
        self._committed[lane] = next_offset

    def commits(self) -> Mapping[int, int]:
        """The same, of open lanes."""
        return {lane: self._committed[lane] for lane in self.lanes()}

    def lag(self) -> Mapping[int, int]:
        """Records from the store's position to the end of the log, of open lanes; markers count."""
        return {lane: max(0, self._ends[lane] - self._committed[lane]) for lane in self.lanes()}

    def unread(self) -> Mapping[int, int]:
        """Records of the log that were not put into a mailbox yet, of open lanes. One that is no message of ours counts until it is
        put, and no longer: the store's position never passes one at the end of a lane."""
        with self._lock:
            return {lane: max(0, self._ends[lane] - next_) for lane, next_ in self._next.items()}

    def connected(self) -> bool:
        """Whether the broker answered within the last three looks."""
        return time.monotonic() - self._heard < 3 * WATCH_S

    def _at(self, lane: int) -> TopicPartition:
        return TopicPartition(self._topic, lane)
