"""What the AMQP tests do by hand: look into queues, send what no honest sender would, run a consumer beside the test."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.transport.amqp.consumer import AmqpConsumer, AmqpSource, Tuning, parts_of
from engine.transport.amqp.link import close_link, letter, open_link
from engine.transport.amqp.publisher import AmqpPublisher
from engine.transport.amqp.topology import AmqpQueue, AmqpTopology, Binding, Partitions, provision
from engine.transport.contract import Intake, Outgoing
from schemas.errors import Retryable

QUICK = Tuning(pause_s=0.1, watch_s=0.5, heartbeat_s=10)


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 30) -> None:
    """Fails with `what` if it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def channel(url: str) -> Iterator[Any]:
    link = open_link(url)
    try:
        yield link.channel()
    finally:
        close_link(link)


def ready(url: str, queue: str) -> int:
    """Messages of a queue that nobody has: neither acknowledged nor under way to a consumer."""
    with channel(url) as at:
        return int(at.queue_declare(queue, passive=True).message_count)


def lay(url: str, name: str, *, pattern: str = "azur.#") -> tuple[str, str]:
    """An exchange and a queue of this name, bound. Returns both names."""
    exchange, queue = f"{name}.out", f"{name}.pms"
    bound = AmqpQueue(name=queue, bindings=(Binding(exchange=exchange, pattern=pattern),))
    provision(url, AmqpTopology(exchanges=(exchange,), queues=(bound,)))
    return exchange, queue


def send(url: str, queue: str, body: bytes, *, headers: dict[str, Any] | None = None, **properties: Any) -> None:
    with channel(url) as at:
        at.confirm_select()
        done: list[int] = []
        at.events["basic_ack"].add(lambda tag, multiple: done.append(tag))
        at.basic_publish(letter(body, {"application_headers": headers, "delivery_mode": 2, **properties}), routing_key=queue)
        while not done:
            at.connection.drain_events(timeout=10)


class Sender:
    """A sender that behaves: of each key it says the next only when the one before is confirmed and routed; until then again."""

    def __init__(self, url: str, exchange: str) -> None:
        self._url, self._exchange = url, exchange
        self._publisher = AmqpPublisher(url, exchange, routing_key=lambda message: message.key, confirm_timeout_s=5)

    def say(self, messages: Sequence[Outgoing], timeout_s: float = 60) -> None:
        """At most one of each key, all at once; returns when the broker has them."""
        until = time.monotonic() + timeout_s
        left = list(messages)
        while left:
            assert time.monotonic() < until, f"{len(left)} messages are not confirmed within {timeout_s} s"
            try:
                done = set(self._publisher.publish(left))
            except Retryable:
                done = set()
                time.sleep(0.1)
            left = [message for message in left if message.row not in done]

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.close()


def outgoing(row: int, *, tenant: str = "azur", folio: str = "B-1") -> Outgoing:
    return Outgoing(
        row=row,
        topic="foliohub.cancellation.v1",
        key=folio,
        attributes={
            "id": f"m-{row}",
            "source": "foliohub",
            "type": "foliohub.cancellation.quoted.v1",
            "tenant": tenant,
            "time": "2026-07-20T10:00:00Z",
            "datacontenttype": "application/json",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
        body=f'{{"folio": "{folio}", "sequence": {row}, "refund": 10250}}'.encode(),
    )


class Running:
    """A consumer in a thread; `error` is what ended it, if anything did: a failure of the test unless it `may_end`."""

    def __init__(self, url: str, queue: str | Partitions, intake: Intake, tuning: Tuning = QUICK, *, may_end: bool = False) -> None:
        """`queue`: its name, or partitions, all of which are read."""
        whole = AmqpSource(queue=str(queue), door="amqp:pms.thais")
        sources = [whole] if isinstance(queue, str) else parts_of(whole, queue)
        self.consumer = AmqpConsumer(url, sources, intake, tuning)
        self.error: BaseException | None = None
        self._may_end = may_end
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.consumer.run()
        except BaseException as error:
            self.error = error

    def alive(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.stop()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the consumer did not stop"
        if self.error is not None and not self._may_end:
            raise self.error
