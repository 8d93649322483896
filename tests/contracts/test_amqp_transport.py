"""The AMQP transport against a real RabbitMQ: nothing lost, nothing acknowledged before it is stored."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from engine.transport.amqp.consumer import Tuning
from engine.transport.amqp.publisher import AmqpPublisher
from engine.transport.amqp.topology import AmqpQueue, AmqpTopology, Binding, provision
from schemas.errors import HubError, Retryable
from tests.services.amqp_tools import Running, channel, lay, outgoing, ready, send, wait_until
from tests.services.rabbitmq import RabbitMQ
from tests.services.recorder import Recorder

ROOT = Path(__file__).parents[2]
MANY = 20_000


def counted(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"foliohub_amqp_{metric}_total", labels) or 0


def test_binary_round_trip(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """What the outbox gives is what an intake gets: attributes, trace and bytes, in order."""
    exchange, queue = lay(rabbitmq.url, name)
    publisher = AmqpPublisher(rabbitmq.url, exchange)
    messages = [outgoing(row) for row in range(1, 101)]

    assert [message.row for message in messages] == publisher.publish(messages)
    with Running(rabbitmq.url, queue, recorder):
        wait_until(lambda: len(recorder.rows()) == 100, "a hundred arrivals")
    publisher.close()

    expected = {**messages[0].attributes, "specversion": "1.0"}
    del expected["datacontenttype"]
    assert recorder.rows()[0] == ("m-1", messages[0].body, expected, "application/json", "amqp:pms.thais")
    assert recorder.ids() == [f"m-{row}" for row in range(1, 101)]
    assert ready(rabbitmq.url, queue) == 0


def test_structured_arrives_whole(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """The body is the event, untouched; parameters of the content type do not hide it."""
    _, queue = lay(rabbitmq.url, name)
    event = json.dumps({"specversion": "1.0", "id": "s-1", "source": "pms.thais", "type": "t", "data": {}}).encode()

    send(rabbitmq.url, queue, event, content_type="Application/CloudEvents+JSON; charset=utf-8")
    with Running(rabbitmq.url, queue, recorder):
        wait_until(recorder.rows, "one arrival")

    assert recorder.rows() == [("s-1", event, {}, "application/cloudevents+json", "amqp:pms.thais")]


def test_store_away_keeps_everything(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """Retryable: nothing is acknowledged, the same messages are offered again, in order."""
    exchange, queue = lay(rabbitmq.url, name)
    AmqpPublisher(rabbitmq.url, exchange).publish([outgoing(row) for row in range(1, 51)])
    refusals = iter([Retryable("disk full"), Retryable("disk full"), Retryable("disk full")])

    def away() -> None:
        for refusal in refusals:
            raise refusal

    recorder.before = away
    with Running(rabbitmq.url, queue, recorder) as running:
        wait_until(lambda: len(recorder.ids()) == 50, "all fifty")
        assert running.alive()

    assert recorder.ids() == [f"m-{row}" for row in range(1, 51)]
    assert ready(rabbitmq.url, queue) == 0


def test_stop_while_the_store_is_away_gives_everything_back(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """What was never stored is the broker's again, and its coming again is counted."""
    exchange, queue = lay(rabbitmq.url, name)
    AmqpPublisher(rabbitmq.url, exchange).publish([outgoing(row) for row in range(1, 51)])
    tried = threading.Event()

    def away() -> None:
        tried.set()
        raise Retryable("disk full")

    recorder.before = away
    with Running(rabbitmq.url, queue, recorder):
        assert tried.wait(20)
    wait_until(lambda: ready(rabbitmq.url, queue) == 50, "fifty messages back in the queue")
    again = counted("redelivered", door="amqp:pms.thais")

    recorder.before = lambda: None
    with Running(rabbitmq.url, queue, recorder):
        wait_until(lambda: len(recorder.ids()) == 50, "all fifty")

    assert recorder.ids() == [f"m-{row}" for row in range(1, 51)]
    assert counted("redelivered", door="amqp:pms.thais") - again == 50


def test_a_defect_ends_the_consumer(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """Anything but Retryable propagates, so that the process ends; nothing is acknowledged."""
    exchange, queue = lay(rabbitmq.url, name)
    AmqpPublisher(rabbitmq.url, exchange).publish([outgoing(1)])

    def defect() -> None:
        raise LookupError("a defect of ours")

    recorder.before = defect
    with Running(rabbitmq.url, queue, recorder, may_end=True) as running:
        wait_until(lambda: not running.alive(), "the end of the consumer")

    assert isinstance(running.error, LookupError)
    wait_until(lambda: ready(rabbitmq.url, queue) == 1, "the message back in the queue")


VICTIM = """
import os, signal, sys
from functools import partial
from pathlib import Path
from typing import Any
from engine.transport.amqp.consumer import AmqpConsumer, AmqpSource
from tests.services.recorder import Recorder
url, queue, path, when = sys.argv[1:]
recorder = Recorder(Path(path))
setattr(recorder, when, lambda: os.kill(os.getpid(), signal.SIGKILL))
AmqpConsumer(url, [AmqpSource(queue=queue)], recorder).run()
"""


@pytest.mark.parametrize(("when", "stored"), [("before", False), ("after", True)])
def test_killed_around_the_append(rabbitmq: RabbitMQ, name: str, recorder: Recorder, when: str, stored: bool) -> None:
    """SIGKILL before the append: nothing is stored. After it, before the acknowledgement: all is stored. All comes again."""
    exchange, queue = lay(rabbitmq.url, name)
    AmqpPublisher(rabbitmq.url, exchange).publish([outgoing(row) for row in range(1, 101)])

    victim = subprocess.run([sys.executable, "-c", VICTIM, rabbitmq.url, queue, str(recorder.path), when], cwd=ROOT, timeout=60)

    assert victim.returncode == -9
    assert bool(recorder.rows()) is stored
    wait_until(lambda: ready(rabbitmq.url, queue) == 100, "a hundred messages back in the queue")
    first = len(recorder.rows())
    with Running(rabbitmq.url, queue, recorder):
        wait_until(lambda: len(recorder.rows()) == first + 100, "a hundred arrivals more")
    assert recorder.ids() == [f"m-{row}" for row in range(1, 101)]
    assert ready(rabbitmq.url, queue) == 0


UNREADABLE: dict[str, tuple[bytes, dict[str, Any], dict[str, Any]]] = {
    "no JSON": (b"\xff\xfe not json", {}, {}),
    "empty": (b"", {}, {}),
    "content type that is not UTF-8": (b"{}", {}, {"content_type": b"\xff\xfe"}),
    "attribute that is not UTF-8": (b"{}", {"cloudEvents:id": b"\xff\xfe"}, {}),
    "lone surrogate": (b"x", {"cloudEvents:id": "\ud800"}, {}),
    "claims compression": (b"not zlib at all", {"compression": "application/x-gzip"}, {}),
    "unknown compression": (b"?", {"compression": "gone"}, {}),
    "pickle": (b"\x80\x04N.", {}, {"content_type": "application/x-python-serialize", "content_encoding": "binary"}),
    "nested headers": (b"?", {"cloudEvents:id": {"a": [1, 2]}}, {}),
}


def test_unreadable_is_stored_and_acknowledged(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """Nothing that a sender writes stops the door: every byte reaches the intake, and what comes behind it is taken."""
    _, queue = lay(rabbitmq.url, name)
    for body, headers, properties in UNREADABLE.values():
        send(rabbitmq.url, queue, body, headers=headers, **properties)
    send(rabbitmq.url, queue, b"{}", headers={"ce-id": "good"})

    with Running(rabbitmq.url, queue, recorder) as running:
        wait_until(lambda: len(recorder.rows()) > len(UNREADABLE), "all arrivals")
        assert running.alive()

    assert [row[1] for row in recorder.rows()] == [*(body for body, _, _ in UNREADABLE.values()), b"{}"]
    assert recorder.rows()[-1][0] == "good"
    assert ready(rabbitmq.url, queue) == 0


def test_queue_deleted_under_the_consumer(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """A consumer that the broker ended is noticed; when the queue is there again, so is the consumer."""
    exchange, queue = lay(rabbitmq.url, name)
    with Running(rabbitmq.url, queue, recorder) as running:
        assert running.consumer.connected.wait(10)
        with channel(rabbitmq.url) as at:
            at.queue_delete(queue)
        wait_until(lambda: not running.consumer.connected.is_set(), "the loss noticed")
        lay(rabbitmq.url, name)
        AmqpPublisher(rabbitmq.url, exchange).publish([outgoing(1)])
        wait_until(lambda: recorder.ids() == ["m-1"], "the message")


def test_a_forgotten_consumer_is_missed(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """The connection lives and the broker no longer serves us: found out by asking, not by an error."""
    exchange, queue = lay(rabbitmq.url, name)
    with Running(rabbitmq.url, queue, recorder) as running:
        assert running.consumer.connected.wait(10)
        at = running.consumer._channels[queue]
        at.basic_cancel(next(iter(at.callbacks)), nowait=True)  # as a broker that forgets: no word of it to the consumer's loop
        AmqpPublisher(rabbitmq.url, exchange).publish([outgoing(1)])
        wait_until(lambda: recorder.ids() == ["m-1"], "the message")


def test_unroutable_is_not_published(rabbitmq: RabbitMQ, name: str) -> None:
    """The broker returns it and then acknowledges it: it stays in the outbox, is counted, and goes when there is a queue."""
    exchange, queue = lay(rabbitmq.url, name)
    publisher = AmqpPublisher(rabbitmq.url, exchange)
    messages = [outgoing(1), outgoing(2, tenant="nobody"), outgoing(3), outgoing(4, tenant="nobody"), outgoing(5)]

    assert publisher.publish(messages) == [1, 3, 5]
    assert publisher.returned == 2
    assert counted("returned", exchange=exchange) == 2

    late = AmqpQueue(name=queue, bindings=(Binding(exchange=exchange, pattern="nobody.#"),))
    provision(rabbitmq.url, AmqpTopology(queues=(late,)))
    assert publisher.publish([messages[1], messages[3]]) == [2, 4]
    assert ready(rabbitmq.url, queue) == 5
    publisher.close()


def test_refused_is_not_published(rabbitmq: RabbitMQ, name: str) -> None:
    """A queue that is full says no (basic.nack); what AMQP cannot carry is set aside; the rest goes."""
    exchange, queue = lay(rabbitmq.url, name)
    with channel(rabbitmq.url) as at:
        at.queue_delete(queue)
        at.queue_declare(queue, durable=True, auto_delete=False, arguments={"x-max-length": 10, "x-overflow": "reject-publish"})
        at.queue_bind(queue, exchange, "azur.#")
    publisher = AmqpPublisher(rabbitmq.url, exchange)

    confirmed = publisher.publish([outgoing(1, tenant="azur." + "x" * 300), *(outgoing(row) for row in range(2, 42))])

    assert list(confirmed) == list(range(2, 12))
    assert publisher.refused == 31
    publisher.close()


def test_silent_broker_is_retryable(rabbitmq: RabbitMQ, name: str) -> None:
    """A broker that takes and never confirms: the time-out ends it, nothing is called published, and it works again afterwards."""
    exchange, queue = lay(rabbitmq.url, name)
    publisher = AmqpPublisher(rabbitmq.url, exchange, confirm_timeout_s=0.5)
    assert publisher.publish([outgoing(1)]) == [1]

    rabbitmq.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(Retryable):
            publisher.publish([outgoing(2)])
        assert time.monotonic() - started < 5
    finally:
        rabbitmq.thaw()

    assert publisher.publish([outgoing(2), outgoing(3)]) == [2, 3]
    assert ready(rabbitmq.url, queue) in (3, 4)  # the silent one may have been taken after all: the same id, dropped by it
    publisher.close()


def test_provision_twice_and_otherwise(rabbitmq: RabbitMQ, name: str) -> None:
    """A second run changes nothing; a queue that is there and is different is an error that says so."""
    _, queue = lay(rabbitmq.url, name)
    lay(rabbitmq.url, name)

    with pytest.raises(HubError, match="otherwise") as error:
        provision(rabbitmq.url, AmqpTopology(queues=(AmqpQueue(name=queue, single_active=True),)))
    assert error.value.code == "amqp_topology"


def test_broker_killed_under_load(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """20,000 messages from an outbox, two kills of the broker while they are published and consumed: none is lost, and they arrive in the
    order of the outbox. Only what a broker had handed out when it died it may give again behind what its next consumer gets first: one
    step back a kill, of no more than the prefetched."""
    exchange, queue = lay(rabbitmq.url, name)
    publisher = AmqpPublisher(rabbitmq.url, exchange, confirm_timeout_s=5)
    outbox = {row: outgoing(row, folio=f"B-{row % 97}") for row in range(1, MANY + 1)}
    away, kills = 0, (MANY * 3 // 4, MANY // 3)

    def relay() -> None:
        nonlocal away
        while outbox:
            try:
                for row in publisher.publish([outbox[row] for row in list(outbox)[:500]]):
                    del outbox[row]
            except Retryable:
                away += 1
                time.sleep(0.2)

    def fewer(left: int) -> bool:
        return len(outbox) < left

    rabbitmq.settle()
    relaying = threading.Thread(target=relay, daemon=True)
    started = time.monotonic()
    with Running(rabbitmq.url, queue, recorder) as running:
        relaying.start()
        for left in kills:
            wait_until(partial(fewer, left), f"fewer than {left} to publish", 60)
            rabbitmq.restart()
        relaying.join(120)
        wait_until(lambda: len(recorder.ids()) == MANY, f"{MANY} arrivals", 60)
        assert running.alive()
    took_s = time.monotonic() - started

    print(f"{MANY} through two kills in {took_s:.1f} s; {len(recorder.rows()) - MANY} came twice; relay waited {away} times")
    assert not outbox
    assert away > 0
    arrived = [int(id_.removeprefix("m-")) for id_ in recorder.ids()]
    assert sorted(arrived) == list(range(1, MANY + 1))
    assert sum(later < earlier for earlier, later in itertools.pairwise(arrived)) <= len(kills)
    highest = itertools.accumulate(arrived, max)
    assert sum(one < most for one, most in zip(arrived, highest, strict=True)) <= len(kills) * Tuning().prefetch
    assert ready(rabbitmq.url, queue) == 0
    publisher.close()


def test_publishing_is_pipelined(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """Confirms are not awaited one by one: many times the speed of doing so, on the same machine in the same minute."""
    exchange, queue = lay(rabbitmq.url, name)
    publisher = AmqpPublisher(rabbitmq.url, exchange)
    publisher.publish([outgoing(0)])
    rows = itertools.count(1)

    def per_s(batches: int, size: int) -> float:
        started = time.monotonic()
        for _ in range(batches):
            assert len(publisher.publish([outgoing(next(rows)) for _ in range(size)])) == size
        return batches * size / (time.monotonic() - started)

    rounds = [(per_s(100, 1), per_s(1, 3_400)) for _ in range(3)]  # whatever else the machine does falls on one of them
    started = time.monotonic()
    with Running(rabbitmq.url, queue, recorder):
        wait_until(lambda: ready(rabbitmq.url, queue) == 0 and sum(recorder.batches) == 1 + 3 * 3_500, "all arrivals", 60)
    consumed = sum(recorder.batches) / (time.monotonic() - started)
    publisher.close()

    print(f"published one by one and pipelined {rounds}/s; consumed and stored {consumed:.0f}/s")
    assert max(pipelined / singly for singly, pipelined in rounds) > 3
    assert max(recorder.batches) > 100
