"""Scenarios whose messages go through Kafka: appended by the producer, brought back by Faust, decided on PostgreSQL. The same input gives
the same bytes, the same standing and the same balances as on one machine.

Every sixth scenario; all of them with `pytest tests/scenarios/test_kafka.py --scenarios all`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from config.settings import Configuration
from engine.hub import Hub, Shared
from engine.roles import OwnedLanes
from engine.store.contract import LaneStore
from engine.store.postgresql.database import Database
from engine.store.postgresql.lanes import PostgresLanes
from engine.store.rows import Arrived, OutboxRow
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.logged import KafkaLanes
from engine.transport.kafka.mailbox import LogRecord, Mailboxes
from engine.transport.kafka.producer import KafkaProducer
from engine.verify import verify
from tests.scenarios.play import all_scenarios, hold, played, scenario_of
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.lane_workers import lay
from topics.catalogue import INTAKE

LANES = INTAKE.partitions


class Counting(Mailboxes):
    """Knows how many records have come."""

    came = 0

    def put(self, lane: int, records: Sequence[LogRecord]) -> bool:
        took = super().put(lane, records)
        self.came += len(records) if took else 0
        return took


class Sending(KafkaProducer):
    """Knows how many rows it has appended."""

    sent = 0

    def append(self, rows: Sequence[Arrived]) -> None:
        super().append(rows)
        self.sent += len(rows)


class OnKafka(Hub):
    """A hub that owns all lanes of a topic of its own. What was appended has come back before anything more is decided."""

    def __init__(self, bootstrap: str, topic: str, configuration: Configuration, store: str, connectors: Any, **how: Any) -> None:
        self._producer, self._mailboxes = Sending(bootstrap, intake=topic, partitions={topic: LANES}), Counting()
        self._crashes: list[BaseException] = []
        super().__init__(configuration, store, connectors, shared=Shared(self._log, (), lambda now: now), **how)
        self._transport = FaustTransport(
            bootstrap, topic, self._mailboxes, OwnedLanes(self), group=topic, crashed=self._crashes.append
        )
        self._transport.start()
        wait_until(lambda: len(self._transport.lanes()) == LANES or bool(self._crashes), "all lanes are ours", 30)

    def _log(self, store: LaneStore) -> LaneStore:
        assert isinstance(store, PostgresLanes)
        return KafkaLanes(store, self._producer, self._mailboxes, lambda: self.settled.tenants, _strange, lambda _: False)

    def drain(self) -> list[OutboxRow]:
        wait_until(lambda: self._mailboxes.came == self._producer.sent or bool(self._crashes), "what was sent has come", 30)
        assert self._crashes == []
        return super().drain()

    def close(self) -> None:
        self._transport.stop()
        super().close()
        self._producer.close()


def _strange(record: LogRecord, why: object) -> NoReturn:
    raise AssertionError(f"{record.partition}/{record.offset}: {why}")


@pytest.mark.sampled
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in all_scenarios()])
def test_the_same_through_kafka(path: Path, postgres_store: str, kafka: Kafka) -> None:
    """To the byte: outcomes, records, balances, and everything that stands."""
    scenario, topic = scenario_of(path), f"scenario.{path.stem}"[:200]
    lay(kafka.bootstrap, topic, LANES)

    result = played(path, scenario, postgres_store, partial(OnKafka, kafka.bootstrap, topic))

    hold(scenario, result)
    assert result == played(path, scenario)
    store = Database(postgres_store, writer=False)
    assert verify(store).differences == ()
    store.close()
