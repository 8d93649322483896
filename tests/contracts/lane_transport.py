"""The suite that every transport of lanes passes, on a real Kafka: from the store's position on, once, in order, by one owner."""

from __future__ import annotations

import itertools
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import LaneTransport
from engine.transport.kafka.producer import KafkaProducer
from schemas.errors import HubError, Retryable
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.lane_workers import LANES, Member, Positions, Sender, administer, arrived, delete_before, lay

LARGE = 900_000


class LaneTransportContract(ABC):
    """`make` returns a transport that is not started; members of one topic share its lanes. `folder` is the test's own."""

    bootstrap: str
    topic: str
    folder: Path
    producer: KafkaProducer

    @abstractmethod
    def make(self, mailboxes: Mailboxes, owner: Member) -> LaneTransport: ...

    @pytest.fixture(autouse=True)
    def _around(self, kafka: Kafka, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
        self.bootstrap, self.folder = kafka.bootstrap, tmp_path
        self.topic = re.sub(r"\W+", "-", f"{type(self).__name__}-{request.node.name}")
        lay(self.bootstrap, self.topic)
        self.producer = KafkaProducer(self.bootstrap, intake=self.topic, partitions={self.topic: LANES}, deadline_s=5)
        yield
        self.producer.close()

    def member(self, positions: Positions, name: str = "a", **how: Any) -> Member:
        return Member(name, positions, self.make, **how)

    def append(self, numbers: Collection[int], body: bytes = b"{}") -> None:
        rows = [arrived(number, body) for number in numbers]
        for begin in range(0, len(rows), 500):
            self.producer.append(rows[begin : begin + 500])

    def test_once_and_in_order(self) -> None:
        """What was there before and what comes while it runs; the log's id is told; the lag falls to nothing."""
        positions = Positions()
        self.append(range(2_000))
        with self.member(positions) as member:
            wait_until(lambda: positions.count() == 2_000, "what was there before")
            self.append(range(2_000, 4_000))
            self.producer.append([arrived(4_000, b"x" * LARGE)])
            wait_until(lambda: positions.count() == 4_001, "what came while it ran")
            wait_until(lambda: set(member.transport.lag().values()) == {0}, "no lag")
            assert set(member.transport.unread().values()) == {0}
            assert member.transport.lanes() == frozenset(range(LANES))
            assert member.transport.connected()
            assert len(member.log_ids) == 1
            assert member.crashes == []

        assert sorted(positions.numbers()) == list(range(4_001))
        for taken in positions.taken.values():
            assert [offset for offset, _, _ in taken] == list(range(len(taken)))
            assert [number for _, number, _ in taken] == sorted(number for _, number, _ in taken)

    def test_the_position_is_the_stores(self) -> None:
        """From there on, whatever Kafka may remember: a store that was set back gets everything again."""
        self.append(range(1_000))
        first = Positions(at=dict.fromkeys(range(LANES), 60))
        with self.member(first):
            wait_until(lambda: sum(first.next.values()) == 1_000, "the rest")
            time.sleep(1.5)  # long enough to be told to Kafka
        assert {lane: taken[0][0] for lane, taken in first.taken.items()} == dict.fromkeys(range(LANES), 60)

        again = Positions(at=dict.fromkeys(range(LANES), 10))
        with self.member(again):
            wait_until(lambda: sum(again.next.values()) == 1_000, "more of it again")
        assert {lane: taken[0][0] for lane, taken in again.taken.items()} == dict.fromkeys(range(LANES), 10)

    def test_whatever_comes_wakes_the_worker(self) -> None:
        """One record after the other; a worker that waits for a wake-up alone has each of them soon."""
        self.append(range(10))
        positions = Positions()
        with self.member(positions, patience_s=60):
            wait_until(lambda: positions.count() == 10, "what was there before")
            for number in range(10, 60):
                self.append([number])
                wait_until(lambda count=number + 1: positions.count() == count, "the next", 5)

    def test_strange_records_are_taken_in_their_turn(self) -> None:
        """They stop nothing, and are told apart."""
        self.append(range(10))
        lane = arrived(1).lane

        stranger = Producer({"bootstrap.servers": self.bootstrap})
        stranger.produce(self.topic, b"\xff\x00", partition=lane)
        stranger.produce(self.topic, None, b"B-1", lane, headers=[("ce_id", b"\xff")])
        assert stranger.flush(10) == 0
        self.append(range(10, 20))
        positions = Positions()
        with self.member(positions):
            wait_until(lambda: positions.count() == 22, "all of it")

        assert sorted(positions.numbers()) == [-1, -1, *range(20)]
        assert [(one.body, bool(one.reason)) for one in positions.strange] == [(b"\xff\x00", True), (b"", True)]

    def test_outside_the_log_a_lane_stands_still(self) -> None:
        """Records gone that were never decided, or a position beyond the end: an alarm, no jump; the other lanes go on."""
        self.append(range(1_000))
        delete_before(self.bootstrap, self.topic, {0: 50})
        positions = Positions(at={0: 49, 1: 5_000})
        with self.member(positions) as member:
            wait_until(lambda: len(positions.taken.get(2, ())) + len(positions.taken.get(3, ())) > 0, "the other lanes")
            wait_until(lambda: set(positions.lost) == {0, 1}, "both alarms")
            self.append(range(1_000, 2_000))
            ends = self.ends()
            wait_until(lambda: all(positions.next[lane] == ends[lane] for lane in (2, 3)), "the end of the other lanes")
            assert member.transport.lanes() == {2, 3}
            assert member.crashes == []

        assert positions.lost[0][:2] == (49, 50)
        assert positions.lost[1][:2] == (5_000, 0)
        assert positions.taken.keys() == {2, 3}

    def test_a_log_that_runs_away_is_noticed(self) -> None:
        """Retention passes a lane that is not taken from: records between its mailbox and the log's beginning are gone."""
        body = b"x" * 2_000
        lane = arrived(0, folio="B-1").lane
        for begin in range(0, 6_000, 500):
            self.producer.append([arrived(number, body, folio="B-1") for number in range(begin, begin + 500)])
        positions = Positions()
        with self.member(positions, ignored={lane}, mailboxes=Mailboxes(high=10)) as member:
            wait_until(lambda: member.mailboxes.full(lane), "a full mailbox")
            delete_before(self.bootstrap, self.topic, {lane: 5_900})
            wait_until(lambda: lane in positions.lost, "the alarm")
            assert positions.lost[lane][1] == 5_900
            assert positions.lost[lane][0] < 5_900
            assert member.transport.lanes() == frozenset(range(LANES)) - {lane}

    def test_a_topic_made_anew_is_noticed(self) -> None:
        """Its offsets begin again and mean something else: an alarm, or a claim that names another log, for the owner to refuse."""
        self.append(range(1_000))
        positions = Positions()
        with self.member(positions) as member:
            wait_until(lambda: positions.count() == 1_000, "all of it")
            administer(self.bootstrap, lambda admin: admin.delete_topics([self.topic]))
            lay(self.bootstrap, self.topic)
            wait_until(lambda: positions.lost.keys() == set(range(LANES)) or len(member.log_ids) == 2, "alarms or another log")
        assert positions.count() == 1_000

    def test_a_full_lane_stalls_no_other(self) -> None:
        """What is not taken stays in Kafka, but for one fetch."""
        body = b"x" * 2_000
        mine = arrived(0, folio="B-1").lane
        for begin in range(0, 6_000, 500):
            self.producer.append([arrived(number, body, folio="B-1") for number in range(begin, begin + 500)])
        others = [number for number in range(10_000, 16_000) if arrived(number).lane != mine]
        self.append(others, body)
        positions = Positions()
        with self.member(positions, ignored={mine}, mailboxes=Mailboxes(high=100)) as member:
            began = time.monotonic()
            wait_until(lambda: positions.count() == len(others), "the other lanes")
            took_s = time.monotonic() - began
            time.sleep(1)
            held = member.mailboxes.held({mine})
            assert 100 <= held < 100 + 1_000  # a fetch is 1 MiB

        assert sorted(positions.numbers()) == others
        assert took_s < 15

    def test_a_claim_is_asked_again(self) -> None:
        """The store was away: nothing is read meanwhile, then everything."""
        self.append(range(100))
        positions = Positions()
        member = self.member(positions)
        member.refusals += [Retryable("the store is away"), Retryable("the store is away")]
        with member:
            wait_until(lambda: positions.count() == 100, "all of it")
        assert member.crashes == []

    def test_a_claim_that_is_refused_ends_it(self) -> None:
        """The positions belong to another log: the process is told, and nothing is read."""
        self.append(range(100))
        positions = Positions()
        member = self.member(positions)
        refused = HubError("the positions belong to another log", code="other_log")
        member.refusals += [refused] * 3
        with member:
            wait_until(lambda: member.crashes, "the end of it")
            assert member.crashes == [refused]
            assert member.transport.lanes() == frozenset()
            member.transport.stop()
        assert positions.count() == 0

    def test_lanes_are_given_up_though_the_store_is_away(self) -> None:
        """Nobody is kept from them, the transport goes on with the others, and it ends when it is told to."""
        self.append(range(100))
        positions = Positions()
        member = self.member(positions)
        with member:
            wait_until(lambda: positions.count() == 100, "all of it")
            member.farewells += [Retryable("the store is away")] * 9
            with self.member(positions, "b") as second:
                wait_until(lambda: len(second.transport.lanes()) == LANES // 2, "half of the lanes")
                wait_until(lambda: len(member.transport.lanes()) == LANES // 2, "the other half")
                member.transport.stop()
                wait_until(lambda: len(second.transport.lanes()) == LANES, "all lanes")
        assert member.crashes == second.crashes == []

    def test_nobody_at_the_address_ends_it(self) -> None:
        """The process is told."""
        self.bootstrap = "127.0.0.1:1"
        with self.member(Positions()) as member:
            wait_until(lambda: member.crashes, "the end of it")
            assert not member.transport.connected()
        assert len(member.crashes) == 1

    def test_lanes_change_hands(self) -> None:
        """Under load a second member comes and goes: each lane is given up by one before it is the other's, and no record is lost,
        doubled or out of order."""
        positions = Positions()
        with self.member(positions) as first, Sender(self.producer.append, pause_s=0.1) as sender:
            wait_until(lambda: len(first.transport.lanes()) == LANES, "all lanes")
            with self.member(positions, "b") as second:
                wait_until(lambda: len(second.transport.lanes()) == LANES // 2, "half of the lanes")
                wait_until(lambda: len(first.transport.lanes()) == LANES // 2, "the other half")
                assert first.transport.lanes() | second.transport.lanes() == frozenset(range(LANES))
                wait_until(lambda: positions.takers() == {"a", "b"}, "records for the second")
            wait_until(lambda: len(first.transport.lanes()) == LANES, "all lanes again")
            sent = sender.enough()
            wait_until(lambda: positions.count() == sent, "all records")
            assert first.crashes == second.crashes == []

        self.whole(positions, sent)
        assert positions.fenced == 0
        owned: dict[int, str] = {}
        for what, who, lanes in positions.told:
            for lane in lanes:
                if what == "assigned":
                    assert owned.get(lane, who) == who, f"lane {lane} was claimed by {who} before it was given up"
                    owned[lane] = who
                elif owned.get(lane) == who:
                    del owned[lane]

    def test_the_broker_dies_under_load(self, kafka: Kafka) -> None:
        """Killed and brought back: every number is there, and in order by its first coming."""
        positions = Positions()
        with self.member(positions) as member, Sender(self.producer.append, 2_500, pause_s=0.05) as sender:
            wait_until(lambda: positions.count() > 500, "a beginning")
            kafka.kill()
            time.sleep(1)
            kafka.start()
            wait_until(lambda: sender.sent == 2_500, "all sent", 60)
            wait_until(lambda: len(set(positions.numbers())) == 2_500, "all arrived", 60)
            assert member.crashes == []
        self.whole(positions, 2_500)

    def whole(self, positions: Positions, count: int) -> None:
        """Offsets without a step left out, numbers complete, in order by their first coming."""
        assert set(positions.numbers()) == set(range(count))
        for lane, taken in positions.taken.items():
            assert [offset for offset, _, _ in taken] == list(range(len(taken))), lane
            numbers = list(dict.fromkeys(number for _, number, _ in taken))
            assert all(one < other for one, other in itertools.pairwise(numbers)), lane

    def ends(self) -> dict[int, int]:
        """Records appended so far, by lane."""

        async def ask(_: Any) -> dict[int, int]:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
            await consumer.start()
            try:
                ends = await consumer.end_offsets([TopicPartition(self.topic, lane) for lane in range(LANES)])
            finally:
                await consumer.stop()
            return {at.partition: end for at, end in ends.items()}

        found: dict[int, int] = administer(self.bootstrap, ask)
        return found
