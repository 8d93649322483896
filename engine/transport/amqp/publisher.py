"""From the outbox to an exchange: in order, mandatory, many in flight; nothing is called published that no queue has taken."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from engine.transport.amqp import metrics
from engine.transport.amqp.cloudevents import properties_of, short
from engine.transport.amqp.link import LINK_ERRORS, close_link, drop_link, letter, open_link, place
from engine.transport.contract import Outgoing
from schemas.errors import Rejected, Retryable

log = structlog.get_logger(__name__)

WINDOW: Final = 1_000  # unconfirmed at a time
CONFIRM_TIMEOUT_S: Final = 30.0


def tenant_and_topic(message: Outgoing) -> str:
    """`azur.foliohub.cancellation.v1`: a queue bound to `azur.#` sees what concerns that tenant and nothing else."""
    tenant = message.attributes.get("tenant", "")
    return f"{tenant}.{message.topic}" if tenant else message.topic


class AmqpPublisher:
    """A `Publisher` (engine/transport/contract.py) onto one exchange. One connection, opened when it is needed; thread-safe.

    `routing_key` says where a message goes (default: tenant and topic). `returned` counts the unroutable.
    """

    def __init__(
        self,
        url: str,
        exchange: str,
        *,
        routing_key: Callable[[Outgoing], str] = tenant_and_topic,
        confirm_timeout_s: float = CONFIRM_TIMEOUT_S,
        window: int = WINDOW,
    ) -> None:
        self._url = url
        self._exchange = exchange
        self._routing_key = routing_key
        self._confirm_timeout_s = confirm_timeout_s
        self._window = window
        self._lock = threading.Lock()
        self._link: Any = None
        self._channel: Any = None
        self._flight = _Flight()
        self.returned = 0
        self.refused = 0

    def publish(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Rows that the broker confirmed and routed, in the order given; the others stay in the outbox.

        Raises Retryable when the broker is away or silent for the confirm time-out before it confirmed anything.
        """
        with self._lock:
            self._flight.rows.clear()
            try:
                self._connect()
                for message in messages:
                    self._send(message)
                    if len(self._flight.pending) >= self._window:
                        self._await(self._window // 2)
                self._await(0)
            except LINK_ERRORS as error:
                self._lost(error, messages)
            except BaseException:
                self._drop()
                raise
            return self._settled(messages)

    def close(self) -> None:
        """Ends the connection; a later `publish` opens another."""
        with self._lock:
            if self._link is not None:
                close_link(self._link)
            self._drop()

    def _connect(self) -> None:
        if self._link is not None and self._link.connected and self._channel.is_open:
            return
        self._drop()
        self._link = open_link(self._url)
        self._channel = self._link.channel()
        self._flight = flight = _Flight()
        self._channel.events["basic_ack"].add(flight.on_ack)
        self._channel.events["basic_nack"].add(flight.on_nack)
        self._channel.events["basic_return"].add(flight.on_return)
        self._channel.confirm_select()

    def _send(self, message: Outgoing) -> None:
        try:
            properties = properties_of(message)
            key = short(self._routing_key(message), field="routing key")
        except Rejected as error:
            self._flight.refused += 1
            log.error("amqp cannot carry a message", row=message.row, reason=error.message)
            return
        body = letter(message.body, properties)
        self._flight.leave(message.row, (key, properties.get("message_id", "")))
        self._channel.basic_publish(body, exchange=self._exchange, routing_key=key, mandatory=True)

    def _await(self, left: int) -> None:
        """Until at most `left` are unconfirmed. A broker that confirms nothing for the time-out counts as lost."""
        waiting = len(self._flight.pending)
        deadline = time.monotonic() + self._confirm_timeout_s
        while len(self._flight.pending) > left:
            self._link.drain_events(timeout=max(0.001, deadline - time.monotonic()))
            if len(self._flight.pending) < waiting:
                waiting = len(self._flight.pending)
                deadline = time.monotonic() + self._confirm_timeout_s

    def _lost(self, error: Exception, messages: Sequence[Outgoing]) -> None:
        metrics.RECONNECTS.labels("publisher").inc()
        log.warning(
            "amqp publisher lost its broker", broker=place(self._url), error=str(error), unconfirmed=len(self._flight.pending)
        )
        self._drop()
        if not self._flight.rows:
            self._settled(messages)
            raise Retryable(f"the broker at {place(self._url)} is away: {error}", field="url", value=place(self._url)) from error

    def _settled(self, messages: Sequence[Outgoing]) -> list[int]:
        flight = self._flight
        if flight.returned or flight.refused:
            log.warning(
                "amqp messages stay unpublished", exchange=self._exchange, unroutable=flight.returned, refused=flight.refused
            )
        self.returned += flight.returned
        self.refused += flight.refused
        metrics.PUBLISHED.labels(self._exchange).inc(len(flight.rows))
        metrics.RETURNED.labels(self._exchange).inc(flight.returned)
        metrics.REFUSED.labels(self._exchange).inc(flight.refused)
        flight.returned = flight.refused = 0
        return [message.row for message in messages if message.row in flight.rows]

    def _drop(self) -> None:
        link, self._link, self._channel = self._link, None, None
        if link is not None:
            drop_link(link)
        self._flight.pending.clear()


class _Flight:
    """What is on its way on one channel: delivery tag -> (row, what a return says of it)."""

    def __init__(self) -> None:
        self.tag = 0
        self.pending: dict[int, tuple[int, tuple[str, str]]] = {}
        self.unroutable: Counter[tuple[str, str]] = Counter()
        self.rows: set[int] = set()
        self.returned = 0
        self.refused = 0

    def leave(self, row: int, name: tuple[str, str]) -> None:
        self.tag += 1
        self.pending[self.tag] = (row, name)

    def on_return(self, _error: Exception, _exchange: str, routing_key: str, message: Any) -> None:
        """A mandatory message that no queue took. The broker says so before it acknowledges it, as it then does."""
        self.unroutable[routing_key, message.properties.get("message_id", "")] += 1

    def on_ack(self, tag: int, multiple: bool) -> None:
        for row, name in self._done(tag, multiple):
            if self.unroutable[name]:
                self.unroutable[name] -= 1
                self.returned += 1
            else:
                self.rows.add(row)

    def on_nack(self, tag: int, multiple: bool) -> None:
        self.refused += len(self._done(tag, multiple))

    def _done(self, tag: int, multiple: bool) -> list[tuple[int, tuple[str, str]]]:
        if not multiple:
            return [self.pending.pop(tag)]
        first = next(iter(self.pending), tag + 1)
        return [self.pending.pop(one) for one in range(first, tag + 1) if one in self.pending]
