"""Workers of lanes that decide nothing: a store that fences by position and epoch, and a thread that takes what a transport brings."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from engine.address import lane_of
from engine.store.rows import Arrived, Key
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import LaneTransport
from engine.transport.kafka.records import Strange, arrived_of
from engine.transport.kafka.topology import provision
from schemas.envelope import message_bytes
from schemas.errors import Retryable
from tests.services.loop import LoopThread
from topics.catalogue import Topic

LANES = 4
AT = 1_777_622_400_000_000


def arrived(number: int, body: bytes = b"{}", *, lanes: int = LANES, folio: str = "") -> Arrived:
    """The intake row of message `m-<number>`, of one of 97 folios."""
    key = Key("azur", "folio", folio or f"B-{number % 97}")
    id_ = f"m-{number}"
    return Arrived(
        lane_of(key, lanes), message_bytes("azur", "pms.thais", id_), b"\x07" * 16, "azur", "pms.thais", id_, "payment.received",
        key.kind, key.key, AT + number, AT + number, "c-1", "", "amqp:pms.thais", "", body,
    )  # fmt: skip


def number_of(row: Arrived) -> int:
    return int(row.id.removeprefix("m-"))


def topic_of(name: str, lanes: int = LANES) -> Topic:
    return Topic(name=name, about="", key="folio", partitions=lanes)


def lay(bootstrap: str, name: str, lanes: int = LANES) -> None:
    """A topic of one replica."""
    provision(bootstrap, [topic_of(name, lanes)], replication=1, min_insync=1)


def administer(bootstrap: str, do: Callable[[Any], Any]) -> Any:
    """What `do`, a coroutine function, makes of an administrator's client."""

    async def work() -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            return await do(admin)
        finally:
            await admin.close()

    loop = LoopThread("administer")
    try:
        return loop.run(work())
    finally:
        loop.stop()


def delete_before(bootstrap: str, topic: str, offsets: Mapping[int, int]) -> None:
    """As retention does: records of these lanes are gone before these offsets."""
    gone = {TopicPartition(topic, lane): RecordsToDelete(before_offset=offset) for lane, offset in offsets.items()}
    administer(bootstrap, lambda admin: admin.delete_records(gone))


class Positions:
    """The store: where each lane is, under which epoch, and what was taken, in the order of the commits."""

    def __init__(self, lanes: int = LANES, *, at: Mapping[int, int] | None = None) -> None:
        self.lock = threading.Lock()
        self.next = {lane: (at or {}).get(lane, 0) for lane in range(lanes)}
        self.epoch = dict.fromkeys(range(lanes), 0)
        self.taken: dict[int, list[tuple[int, int, str]]] = defaultdict(list)  # lane: offset, number, member
        self.told: list[tuple[str, str, frozenset[int]]] = []  # what happened, to whom, lanes
        self.lost: dict[int, tuple[int, int, int]] = {}
        self.strange: list[Strange] = []
        self.fenced = 0

    def numbers(self) -> list[int]:
        with self.lock:
            return [number for taken in self.taken.values() for _, number, _ in taken]

    def count(self) -> int:
        with self.lock:
            return sum(len(taken) for taken in self.taken.values())

    def takers(self) -> set[str]:
        with self.lock:
            return {who for taken in self.taken.values() for *_, who in taken}

    def owners(self) -> dict[int, str]:
        """Who was the last to claim each lane."""
        with self.lock:
            return {lane: who for what, who, lanes in self.told if what == "assigned" for lane in lanes}


class Member:
    """A worker: one thread takes from its mailboxes and commits to `positions`. `ignored` lanes are never taken from; without a
    wake-up it looks after `patience_s`."""

    def __init__(
        self,
        name: str,
        positions: Positions,
        make: Callable[[Mailboxes, Member], LaneTransport],
        *,
        ignored: Collection[int] = (),
        mailboxes: Mailboxes | None = None,
        patience_s: float = 0.2,
    ) -> None:
        self.name, self.positions, self._ignored, self._patience_s = name, positions, ignored, patience_s
        self.mailboxes = mailboxes or Mailboxes()
        self.crashes: list[BaseException] = []
        self.refusals: list[BaseException] = []  # raised by the next claims, one each
        self.farewells: list[BaseException] = []  # raised by the next times that lanes are given up
        self.log_ids: set[str] = set()
        self._mine: dict[int, tuple[int, int]] = {}  # lane: epoch, next
        self._transaction = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.transport = make(self.mailboxes, self)

    def __enter__(self) -> Member:
        self.transport.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.stop()
        self._stopping.set()
        self.mailboxes.wake()
        self._thread.join(10)

    # -- the owner -------------------------------------------------------------------------------------------------------------

    def assigned(self, lanes: frozenset[int], log_id: str) -> Mapping[int, int]:
        if self.refusals:
            raise self.refusals.pop(0)
        self.log_ids.add(log_id)
        store = self.positions
        with self._transaction, store.lock:
            store.told.append(("assigned", self.name, lanes))
            for lane in lanes:
                store.epoch[lane] += 1
                self._mine[lane] = (store.epoch[lane], store.next[lane])
            return {lane: store.next[lane] for lane in lanes}

    def revoked(self, lanes: frozenset[int]) -> None:
        with self._transaction, self.positions.lock:
            self.positions.told.append(("revoked", self.name, lanes))
            for lane in lanes:
                self._mine.pop(lane, None)
        if self.farewells:
            raise self.farewells.pop(0)

    def lost(self, lane: int, position: int, low: int, high: int) -> None:
        self.positions.lost[lane] = (position, low, high)

    # -- the work --------------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping.is_set():
            self.mailboxes.wait(self._patience_s)
            while self._once():
                pass

    def _once(self) -> int:
        store = self.positions
        with self._transaction:
            places = {lane: next_ for lane, (_, next_) in self._mine.items() if lane not in self._ignored}
            records = self.mailboxes.take(places, 500)
            by_lane: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
            for record in records:
                row = arrived_of(record, len(store.next))
                if isinstance(row, Strange):
                    store.strange.append(row)
                    by_lane[record.partition].append((record.offset, -1, self.name))
                else:
                    by_lane[record.partition].append((record.offset, number_of(row), self.name))
            with store.lock:
                for lane, taken in by_lane.items():
                    epoch, base = self._mine[lane]
                    if (store.epoch[lane], store.next[lane]) != (epoch, base):
                        store.fenced += 1
                        del self._mine[lane]
                        continue
                    store.taken[lane] += taken
                    store.next[lane] = taken[-1][0] + 1
                    self._mine[lane] = (epoch, store.next[lane])
                    self.transport.committed(lane, store.next[lane])
        return len(records)


class Sender:
    """Appends numbers in order in a thread, again and again until each is durable; `sent` of them are. Without a `count` it goes on until
    it is told that it is `enough`."""

    def __init__(
        self, append: Callable[[list[Arrived]], None], count: int | None = None, *, batch: int = 50, pause_s: float = 0.0
    ) -> None:
        self.sent, self.repeated = 0, 0
        self._append, self._count, self._batch, self._pause_s = append, count, batch, pause_s
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._count is None:
            self.enough()
        self._thread.join(90)
        assert self._count in {None, self.sent}

    def enough(self) -> int:
        """No more than those under way; how many are sent."""
        self._enough.set()
        self._thread.join(90)
        assert not self._thread.is_alive()
        return self.sent

    def _run(self) -> None:
        while self.sent != self._count and not self._enough.is_set():
            end = self.sent + self._batch
            rows = [arrived(number) for number in range(self.sent, end if self._count is None else min(end, self._count))]
            try:
                self._append(rows)
            except Retryable:
                self.repeated += 1
                continue
            self.sent += len(rows)
            time.sleep(self._pause_s)
