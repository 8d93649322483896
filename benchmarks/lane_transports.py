"""Lanes by Faust, by leases and by a bare consumer, beside one another: records a second, processor time, and how long lanes are nobody's.

    python -m benchmarks.lane_transports [--messages 200000] [--runs 3]

It starts a Kafka of its own, as the tests do (`make services`). Records are only consumed, through the mailboxes, by a thread that
takes and does nothing; the bare consumer counts what `getmany` gives. A hand-over is measured from the signal to one process until
another has claimed every lane.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from engine.transport.kafka.assigning import AssigningTransport
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import LaneTransport
from engine.transport.kafka.producer import KafkaProducer
from engine.transport.kafka.reading import FETCH_WAIT_MS
from tests.services.kafka import Kafka
from tests.services.lane_leases import SqliteLeases
from tests.services.lane_workers import Member, Positions, arrived, lay
from tests.services.processes import running

LANES = 8
TOPIC = "bench.lanes"
BODY = b"x" * 400
TIME_OUT_S = 10.0  # session of the group, lease of the store
HALF = LANES // 2


def faust(bootstrap: str, _: Path, group: str, mailboxes: Mailboxes, owner: Member) -> LaneTransport:
    return FaustTransport(bootstrap, TOPIC, mailboxes, owner, group=group, session_s=TIME_OUT_S, crashed=owner.crashes.append)


def leases(bootstrap: str, folder: Path, group: str, mailboxes: Mailboxes, owner: Member) -> LaneTransport:
    rows = SqliteLeases(folder / f"{group}.sqlite", LANES, ttl_s=TIME_OUT_S)
    return AssigningTransport(bootstrap, TOPIC, mailboxes, owner, rows, member=owner.name, crashed=owner.crashes.append)


KINDS = {"faust": faust, "leases": leases}


class Counting(Member):
    """Takes, counts, and moves on."""

    taken = 0

    def _once(self) -> int:
        places = {lane: next_ for lane, (_, next_) in self._mine.items()}
        records = self.mailboxes.take(places, 1_000)
        for record in records:
            epoch, _ = self._mine[record.partition]
            self._mine[record.partition] = (epoch, record.offset + 1)
        self.taken += len(records)
        return len(records)


class Speed(NamedTuple):
    """`cpu_us` is what this process needed of the processor, in microseconds a record."""

    per_s: float
    cpu_us: float


class Watch:
    """From now on."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def speed(self, records: int) -> Speed:
        took_s, cpu_s = time.perf_counter() - self._began, time.process_time() - self._cpu
        return Speed(records / took_s, cpu_s / records * 1_000_000)


def bare(bootstrap: str, messages: int) -> Speed:
    """A consumer that does nothing else, from its first records to the last."""

    async def consume() -> Speed:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=FETCH_WAIT_MS)
        await consumer.start()
        consumer.assign([TopicPartition(TOPIC, lane) for lane in range(LANES)])
        before = 0
        while not before:
            before = sum(len(records) for records in (await consumer.getmany(timeout_ms=100)).values())
        watch, count = Watch(), before
        while count < messages:
            count += sum(len(records) for records in (await consumer.getmany(timeout_ms=100)).values())
        speed = watch.speed(messages - before)
        await consumer.stop()
        return speed

    return asyncio.run(consume())


def through(kind: str, bootstrap: str, folder: Path, messages: int) -> Speed:
    """Through a transport, from the first records to the last."""
    with Counting("one", Positions(LANES), partial(KINDS[kind], bootstrap, folder, uuid.uuid4().hex)) as member:
        while not member.taken:
            time.sleep(0.001)
        watch, before = Watch(), member.taken
        while member.taken < messages:
            time.sleep(0.005)
        return watch.speed(messages - before)


def handed_over(kind: str, bootstrap: str, folder: Path, with_: signal.Signals) -> float:
    """Seconds from the signal to the other until all lanes are claimed here."""
    group = uuid.uuid4().hex
    with Member("here", Positions(LANES), partial(KINDS[kind], bootstrap, folder, group)) as here:
        _until(lambda: len(here.transport.lanes()) == LANES)
        told = [sys.executable, "-m", "benchmarks.lane_transports", "--member", kind, bootstrap, str(folder), group]
        with subprocess.Popen(told, stdout=subprocess.PIPE) as there:
            assert there.stdout is not None
            there.stdout.readline()  # it has its half
            _until(lambda: len(here.transport.lanes()) == HALF)
            began = time.perf_counter()
            there.send_signal(with_)
            _until(lambda: len(here.transport.lanes()) == LANES)
            return time.perf_counter() - began


def member(kind: str, bootstrap: str, folder: str, group: str) -> None:
    """The other process: half of the lanes until it is told to go."""
    ends: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ends.append(number))
    with Member("there", Positions(LANES), partial(KINDS[kind], bootstrap, Path(folder), group)) as there:
        _until(lambda: len(there.transport.lanes()) == HALF)
        print("half", flush=True)
        _until(lambda: ends, 600)


def _until(true: Callable[[], object], patience_s: float = 120) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def _fill(bootstrap: str, messages: int) -> None:
    lay(bootstrap, TOPIC, LANES)
    producer = KafkaProducer(bootstrap, intake=TOPIC, partitions={TOPIC: LANES})
    began = time.perf_counter()
    for begin in range(0, messages, 1_000):
        producer.append([arrived(number, BODY, lanes=LANES) for number in range(begin, min(messages, begin + 1_000))])
    print(f"appended, a thousand a call: {messages / (time.perf_counter() - began):,.0f} records/s", flush=True)
    producer.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--member", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if options.member:
        member(*options.member)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kafka").mkdir()
        with running(Kafka(folder / "kafka")) as kafka:
            _measure(kafka.bootstrap, folder, options.messages, options.runs)
    return 0


def _measure(bootstrap: str, folder: Path, messages: int, runs: int) -> None:
    _fill(bootstrap, messages)
    speeds: dict[str, list[Speed]] = {"bare": [], "leases": [], "faust": []}
    for _ in range(runs):  # sides alternate: whatever else the machine does falls on all of them
        speeds["bare"].append(bare(bootstrap, messages))
        for kind in KINDS:
            speeds[kind].append(through(kind, bootstrap, folder, messages))
    print(f"\n{'consumed only':16}{'records/s':>12}{'CPU, us':>10}   medians of {runs}")
    for kind, found in speeds.items():
        per_s, cpu_us = (statistics.median(one) for one in zip(*found, strict=True))
        print(f"{kind:16}{per_s:12,.0f}{cpu_us:10.1f}", flush=True)
    print(f"\n{'hand-over':16}{'stopped, s':>12}{'killed, s':>12}   time-out {TIME_OUT_S:.0f} s, medians")
    for kind in KINDS:
        stopped, killed = (
            statistics.median(handed_over(kind, bootstrap, folder, with_) for _ in range(runs))
            for with_ in (signal.SIGTERM, signal.SIGKILL)
        )
        print(f"{kind:16}{stopped:12.2f}{killed:12.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
