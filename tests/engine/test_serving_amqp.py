"""A live hub on a real RabbitMQ: it makes its queues, takes what comes, publishes what was asked for, and outlives the broker."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import msgspec

from config.loader import load
from config.settings import Configuration
from engine.hub import Hub
from engine.serving import Serving
from schemas.errors import HubError
from tests.services.amqp_tools import channel, ready, send, wait_until
from tests.services.rabbitmq import RabbitMQ

HEADERS = {
    "cloudEvents:specversion": "1.0", "cloudEvents:source": "pms.serving", "cloudEvents:type": "foliohub.booking.confirmed.v1",
    "cloudEvents:tenant": "azur",
}  # fmt: skip


def settled(url: str, partitions: int = 0) -> Configuration:
    """The shipped configuration with a broker, and queues of this module's own."""
    shipped = load(None, {})
    sources = {"pms.serving": msgspec.structs.replace(shipped.sources["pms.thais"], source="pms.serving")}
    intake = msgspec.structs.replace(shipped.amqp.intake[0], queue="serving.in", partitions=partitions)
    amqp = msgspec.structs.replace(shipped.amqp, url=url, exchange="serving.out", intake=(intake,))
    return msgspec.structs.replace(shipped, amqp=amqp, sources=sources)


def booking(folio: str) -> bytes:
    line = {"line": "1", "kind": "stay", "trade": "outdoor", "arrival": "2026-07-24", "departure": "2026-07-31", "price": 10_000,
            "terms": "outdoor/flexible"}  # fmt: skip
    said = {"actor": {"kind": "system", "id": "x"}, "folio": folio, "property": "camp-azur", "currency": "EUR", "lines": [line],
            "booked_at": "2026-05-01T08:00:00Z"}  # fmt: skip
    return json.dumps(said).encode()


def test_from_queue_to_queue_across_a_broker_that_dies(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """What comes in by AMQP is decided, and its outcomes go out in order; what was decided while the broker was dead follows."""
    hub = Hub(settled(rabbitmq.url), str(tmp_path / "hub.sqlite"), {})
    with closing(hub):
        serving = Serving(hub, {})
        serving.start()
        wait_until(lambda: serving.broker_connected(), "the hub reads its queue")
        send(rabbitmq.url, "serving.in", booking("Q-1"), headers={**HEADERS, "cloudEvents:id": "m-1"})
        wait_until(lambda: ready(rabbitmq.url, "pms.serving") >= 3, "outcomes of the first booking")
        rabbitmq.settle()
        rabbitmq.kill()
        wait_until(lambda: not serving.broker_connected(), "the hub sees that its broker is gone")
        rabbitmq.start()
        send(rabbitmq.url, "serving.in", booking("Q-2"), headers={**HEADERS, "cloudEvents:id": "m-2"})
        wait_until(
            lambda: hub.reading.unpublished(10) == [] and hub.reading.rows("SELECT 1 FROM state WHERE key = 'Q-2'"), "all is out"
        )
        serving.stop()

        assert not serving.failed.is_set()
        with channel(rabbitmq.url) as at:
            got = []
            while (message := at.basic_get("pms.serving", no_ack=True)) is not None:
                headers = message.properties["application_headers"]
                got.append((headers["cloudEvents:subject"], json.loads(message.body)["sequence"], headers["cloudEvents:source"]))
        for folio in ("Q-1", "Q-2"):
            numbers = [number for subject, number, _ in got if subject == folio]
            assert sorted(set(numbers)) == list(range(1, len(set(numbers)) + 1))
            assert len(numbers) >= 3
        assert {source for _, _, source in got} == {"foliohub"}


def test_partitions_that_nobody_made(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """The hub makes none by accident: it ends, and says which setting it is about and what to run."""
    hub = Hub(settled(rabbitmq.url, partitions=4), str(tmp_path / "hub.sqlite"), {})
    with closing(hub):
        serving = Serving(hub, {})
        serving.start()
        assert serving.wait(20)
        serving.stop()

    assert serving.failed.is_set()
    assert isinstance(serving.failure, HubError)
    assert serving.failure.code == "amqp_partitions"
    assert "foliohub topics provision" in serving.failure.message
