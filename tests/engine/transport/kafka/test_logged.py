"""A worker's chunks on a real log: records that are no messages of ours, and deaths and outages around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from engine.address import lane_of
from engine.clock import ManualClock
from engine.store.contract import StoreAway
from engine.store.rows import Key
from tests.engine.sandbox import arrival, booking
from tests.services.kafka import Kafka
from tests.services.lane_workers import lay
from tests.services.on_kafka import LANES, OnKafka

AT = 1_777_622_400_000_000


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def hub(kafka: Kafka, postgres_store: str, request: pytest.FixtureRequest) -> Callable[..., OnKafka]:
    """Opens a hub on this test's topic and store."""
    topic = str(request.node.name)
    lay(kafka.bootstrap, topic, LANES)
    lane = lane_of(Key("azur", "folio", "B-1"), LANES)
    stranger = Producer({"bootstrap.servers": kafka.bootstrap})
    stranger.produce(topic, b"no message", b"B-1", lane)
    assert stranger.flush(10) == 0

    def open_(keep: Callable[[Any, Any], None]) -> OnKafka:
        return OnKafka(
            kafka.bootstrap, topic, load(None), postgres_store, AcceptingProviders(), keep, clock=ManualClock(AT), master=bytes(32)
        )

    return open_


def book(hub: OnKafka) -> None:
    """A message of ours in the lane of the strange one, behind it."""
    hub.strangers = 1
    hub.intake.append([arrival("m-1", "booking.confirmed", booking("B-1"))])


def test_a_lane_waits_for_what_cannot_be_kept_yet(hub: Callable[..., OnKafka]) -> None:
    """The store is away when the strange record is to be kept: it is kept later, and what is behind it is decided after that."""
    kept: list[int] = []

    def keep(record: Any, _: Any) -> None:
        kept.append(record.offset)
        if len(kept) == 1:
            raise StoreAway("away for a moment", field="store", value="")

    worker = hub(keep)
    book(worker)
    assert worker.drain() == []
    assert kept == [0]
    rows = worker.drain()
    if not rows:
        rows = worker.drain()
    assert kept == [0, 0]
    assert [row.name for row in rows][:1] == ["booking.accepted"]
    assert worker.drain() == []
    worker.close()


def test_a_strange_record_outlives_its_worker(hub: Callable[..., OnKafka]) -> None:
    """Dead between a transaction and the dead letter: the next worker keeps it."""

    def die(*_: Any) -> None:
        raise Died

    worker = hub(die)
    book(worker)
    with pytest.raises(Died):
        worker.drain()
    worker.close()
    kept: list[bytes | None] = []
    next_ = hub(lambda record, _: kept.append(record.value))
    next_.strangers = 2  # and the message: both come again
    while not (rows := next_.drain()):
        assert len(kept) < 3
    assert kept == [b"no message"]
    assert msgspec.json.decode(rows[0].body)
    next_.close()
