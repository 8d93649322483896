"""Exchanges and queues, declared explicitly and nowhere else: publishing and consuming create nothing.

Queues are quorum queues without a delivery limit: every kill of a consumer counts against all that it had not acknowledged, and a
limit would throw innocents away. From RabbitMQ 4.0 on "none" has to be said, there the default is 20. RabbitMQ 3.10 alone on one
node forgets a queue that was declared less than a second before it was killed: it comes back without a leader and answers nobody.
Both sides then see time-outs and try again for ever; declaring everything well before it is used avoids it.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import structlog

from engine.transport.amqp.link import LINK_ERRORS, close_link, open_link, place
from schemas.errors import HubError, Retryable

log = structlog.get_logger(__name__)

PRECONDITION_FAILED = 406


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """`pattern` as topic exchanges read it: `*` is one word, `#` any number of them."""

    exchange: str
    pattern: str


class AmqpQueue(msgspec.Struct, frozen=True, kw_only=True):
    """A durable quorum queue. `single_active`: of several consumers one is served, the others stand by; order is kept."""

    name: str
    bindings: tuple[Binding, ...] = ()
    single_active: bool = False


class AmqpTopology(msgspec.Struct, frozen=True, kw_only=True):
    """Durable topic exchanges by name, and the queues behind them."""

    exchanges: tuple[str, ...] = ()
    queues: tuple[AmqpQueue, ...] = ()


def provision(url: str, topology: AmqpTopology) -> None:
    """Declares all of it; a second run changes nothing.

    Raises Retryable when the broker is away, HubError (`amqp_topology`) when something of that name is there and is different.
    """
    try:
        link = open_link(url)
    except LINK_ERRORS as error:
        raise Retryable(f"the broker at {place(url)} is away: {error}", field="url", value=place(url)) from error
    try:
        with closing(link.channel()) as channel:
            _declare(channel, topology, link.server_properties)
    except LINK_ERRORS as error:
        if getattr(error, "reply_code", None) == PRECONDITION_FAILED:
            raise HubError(f"the broker has it otherwise: {error}", code="amqp_topology") from error
        raise Retryable(f"the broker at {place(url)} did not take the topology: {error}") from error
    finally:
        close_link(link)
    log.info("amqp provisioned", broker=place(url), exchanges=len(topology.exchanges), queues=len(topology.queues))


def _declare(channel: Any, topology: AmqpTopology, server: dict[str, Any]) -> None:
    for exchange in topology.exchanges:
        channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
    for queue in topology.queues:
        channel.queue_declare(queue.name, durable=True, auto_delete=False, arguments=arguments_of(queue, server))
        for binding in queue.bindings:
            channel.queue_bind(queue.name, binding.exchange, binding.pattern)


def arguments_of(queue: AmqpQueue, server: dict[str, Any]) -> dict[str, Any]:
    """What the queue is declared with, on a server that says these properties of itself."""
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    if queue.single_active:
        arguments["x-single-active-consumer"] = True
    if int(str(server.get("version", "0")).partition(".")[0] or 0) >= 4:
        arguments["x-delivery-limit"] = -1
    return arguments
