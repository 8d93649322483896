"""A hub whose log is a topic, in the test's own process: what it is given goes to Kafka and comes back before anything is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from config.settings import Configuration
from engine.hub import Hub, Shared
from engine.roles import OwnedLanes
from engine.store.contract import LaneStore
from engine.store.postgresql.lanes import PostgresLanes
from engine.store.rows import Arrived, OutboxRow
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.logged import KafkaLanes, Keep
from engine.transport.kafka.mailbox import LogRecord, Mailboxes
from engine.transport.kafka.producer import KafkaProducer
from tests.services.amqp_tools import wait_until
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
    """It owns all lanes of a topic of its own. `keep`: what becomes of a record that is no message; `strangers`: how many of them there
    are beside what it was given."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        configuration: Configuration,
        store: str,
        connectors: Any,
        keep: Keep | None = None,
        **how: Any,
    ) -> None:
        self._keep = keep or _strange
        self.strangers = 0
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
        return KafkaLanes(store, self._producer, self._mailboxes, lambda: self.settled.tenants, self._keep, lambda _: False)

    def drain(self) -> list[OutboxRow]:
        wait_until(
            lambda: self._mailboxes.came >= self._producer.sent + self.strangers or bool(self._crashes),
            "what was sent has come",
            30,
        )
        assert self._crashes == []
        return super().drain()

    def close(self) -> None:
        self._transport.stop()
        super().close()
        self._producer.close()


def _strange(record: LogRecord, why: object) -> NoReturn:
    raise AssertionError(f"{record.partition}/{record.offset}: {why}")
