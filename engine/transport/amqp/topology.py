"""Exchanges and queues, declared explicitly and nowhere else: publishing and consuming create nothing. Partitions are made by command
alone; whoever reads them looks whether they are there.

Queues are quorum queues without a delivery limit: every kill of a consumer counts against all that it had not acknowledged, and a
limit would throw innocents away. From RabbitMQ 4.0 on "none" has to be said, there the default is 20. RabbitMQ 3.10 alone on one
node forgets a queue that was declared less than a second before it was killed: it comes back without a leader and answers nobody.
Both sides then see time-outs and try again for ever; declaring everything well before it is used avoids it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

import msgspec
import structlog

from engine.transport.amqp.link import LINK_ERRORS, close_link, open_link, place
from schemas.errors import HubError, Retryable

log = structlog.get_logger(__name__)

NOT_FOUND: Final = 404
PRECONDITION_FAILED: Final = 406
COMMAND_INVALID: Final = 503
PLUGINS: Final = {"x-modulus-hash": "rabbitmq_sharding", "x-consistent-hash": "rabbitmq_consistent_hash_exchange"}
_WEIGHT: Final = "1"  # all queues alike; for x-modulus-hash any word will do
_DRAIN: Final = (
    "and a key's queue depends on how many there are: stop the senders, let the queues run empty, delete them and the exchange, then run"
    " `foliohub topics provision`"
)


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """`pattern` as topic exchanges read it: `*` is one word, `#` any number of them."""

    exchange: str
    pattern: str


class AmqpQueue(msgspec.Struct, frozen=True, kw_only=True):
    """A durable quorum queue. `single_active`: of several consumers one is served, the others stand by; order is kept."""

    name: str
    bindings: tuple[Binding, ...] = ()
    single_active: bool = False


class Partitions(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange that deals messages out by a hash of their routing key, and `count` queues behind it, each with a single active
    consumer. `kind` is the exchange's type, of a plugin of the server's own."""

    name: str
    count: int
    kind: str

    def queue(self, number: int) -> str:
        """Two digits: the hash counts queues in the order of their names."""
        return f"{self.name}.{number:02}"

    def queues(self) -> list[str]:
        """In their order."""
        return [self.queue(number) for number in range(self.count)]

    @property
    def readers(self) -> str:
        """A queue that never has a message, and as many consumers as the partitions have readers: of those that stand by, RabbitMQ counts
        none."""
        return f"{self.name}.readers"


class AmqpTopology(msgspec.Struct, frozen=True, kw_only=True):
    """Durable topic exchanges by name, and the queues behind them."""

    exchanges: tuple[str, ...] = ()
    queues: tuple[AmqpQueue, ...] = ()


def provision(url: str, topology: AmqpTopology) -> None:
    """Declares all of it; a second run changes nothing.

    Raises Retryable when the broker is away, HubError (`amqp_topology`) when something of that name is there and is different.
    """
    with _asking(url) as link, closing(link.channel()) as channel:
        _declare(channel, topology, link.server_properties)
    log.info("amqp provisioned", broker=place(url), exchanges=len(topology.exchanges), queues=len(topology.queues))


def check_partitions(url: str, partitions: Sequence[Partitions]) -> None:
    """Nothing is made here. Raises HubError (`amqp_partitions`, `amqp_topology`, `amqp_plugin`) when one is not as it is to be,
    Retryable."""
    with _asking(url) as link:
        for one in partitions:
            if missing := _missing(link, one):
                raise _otherwise(one, f"{missing[0]} is missing: run `foliohub topics provision`")
            _lay(link, one, bind=False)


def make_partitions(url: str, partitions: Sequence[Partitions]) -> list[str]:
    """Makes what is missing, and says what. Begun and not finished, it is finished by another run; another number of queues is never
    made of those that are there, since a key would have its new messages in one and those before them in another.

    Raises as `check_partitions`.
    """
    made: list[str] = []
    with _asking(url) as link:
        for one in partitions:
            missing = _missing(link, one)
            queues = one.queues()
            if queues[-1] in missing and not set(queues) <= set(missing):
                raise _otherwise(one, f"there are fewer queues, {_DRAIN}")
            _lay(link, one, bind=True)
            made += missing
    return made


def _missing(link: Any, one: Partitions) -> list[str]:
    """Exchange and queues that are not there. Raises HubError when there are more queues than there are to be."""
    if _has(link, one.queue(one.count)):
        raise _otherwise(one, f"there is {one.queue(one.count)} as well, {_DRAIN}")
    names = [] if _is_there(link, lambda channel: channel.exchange_declare(one.name, one.kind, passive=True)) else [one.name]
    return [*names, *(queue for queue in (one.readers, *one.queues()) if not _has(link, queue))]


def _has(link: Any, queue: str) -> bool:
    return _is_there(link, lambda channel: channel.queue_declare(queue, passive=True))


def _is_there(link: Any, ask: Callable[[Any], object]) -> bool:
    channel = link.channel()  # the answer "no" ends it
    try:
        ask(channel)
    except LINK_ERRORS as error:
        if getattr(error, "reply_code", None) != NOT_FOUND:
            raise
        return False
    channel.close()
    return True


def _lay(link: Any, one: Partitions, *, bind: bool) -> None:
    """Declares the queues, the last first, then the exchange, and when all is bound the queue of readers: where it is, nothing is half
    done. What is there is compared. Raises HubError."""
    parts = [AmqpQueue(name=queue, single_active=True) for queue in reversed(one.queues())]
    try:
        with closing(link.channel()) as channel:
            _declare(channel, AmqpTopology(queues=tuple(parts)), link.server_properties)
            channel.exchange_declare(one.name, one.kind, durable=True, auto_delete=False)
            for queue in one.queues() if bind else ():
                channel.queue_bind(queue, one.name, _WEIGHT)
            _declare(channel, AmqpTopology(queues=(AmqpQueue(name=one.readers),)), link.server_properties)
    except LINK_ERRORS as error:
        if getattr(error, "reply_code", None) == COMMAND_INVALID:
            raise HubError(
                f"the broker has no exchanges of type {one.kind}: enable its plugin {PLUGINS[one.kind]} (rabbitmq-plugins enable), or set"
                f" [amqp] intake.partitions of {one.name} to 0",
                code="amqp_plugin", field="exchange_type", value=one.kind,
            ) from error  # fmt: skip
        if getattr(error, "reply_code", None) == PRECONDITION_FAILED:
            raise _otherwise(one, f"the broker has it otherwise: {error}", "amqp_topology") from error
        raise


def _otherwise(one: Partitions, why: str, code: str = "amqp_partitions") -> HubError:
    return HubError(f"[amqp] intake.partitions of {one.name} is {one.count}: {why}", code=code, field="partitions", value=one.count)


@contextmanager
def _asking(url: str) -> Iterator[Any]:
    """A connection for a question. Raises Retryable when the broker is away, HubError (`amqp_topology`) when it has it otherwise."""
    try:
        link = open_link(url)
    except LINK_ERRORS as error:
        raise Retryable(f"the broker at {place(url)} is away: {error}", field="url", value=place(url)) from error
    try:
        yield link
    except LINK_ERRORS as error:
        if getattr(error, "reply_code", None) == PRECONDITION_FAILED:
            raise HubError(f"the broker has it otherwise: {error}", code="amqp_topology") from error
        raise Retryable(f"the broker at {place(url)} did not take the topology: {error}") from error
    finally:
        close_link(link)


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
