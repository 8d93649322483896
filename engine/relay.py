"""Outcomes from the outbox to the broker, in order, each until it was confirmed; and what the broker must have for them and for what is
read."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from prometheus_client import Counter

from config.settings import AmqpIntake, Configuration
from engine import cloudevents
from engine.store.contract import StoreAway
from engine.store.reading import Reading
from engine.store.rows import OutboxRow
from engine.transport.amqp.consumer import AmqpSource, parts_of
from engine.transport.amqp.topology import AmqpQueue, AmqpTopology, Binding, Partitions
from engine.transport.contract import Outgoing, Publisher
from engine.watching import Watch
from schemas.errors import Retryable
from schemas.registry import OUT, family
from topics.catalogue import topic_of

BATCH: Final = 500
LOGGED: Final = 2_000  # to a log of many partitions, each of which has a share of its own in what a batch costs
TICK_S: Final = 1.0
LOOK_S: Final = 1.0  # how often the first outcome that may wait is told anew
LONGEST_PAUSE_S: Final = 5.0

log = structlog.get_logger(__name__)
unwanted = Counter("foliohub_outcomes_unwanted_total", "Outcomes for the broker that no source of their tenant asked for")


class Outbox(Protocol):
    """What waits for one broker, `batch` at a time. Both raise StoreAway."""

    batch: int

    def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """So many, of each key in order."""

    def done(self, rows: Sequence[int]) -> None:
        """The broker has these, or nobody wants them."""


class OfAll:
    """All outcomes of a store that one process has."""

    batch = BATCH

    def __init__(self, reading: Reading) -> None:
        self.waiting, self.done = reading.unpublished, reading.published


class OfLanes:
    """Outcomes of the lanes that this process owns, of several.

    It looks from the first one on that may still wait: what went before lies in the database until nobody reads a view from before it
    any more, and a backup is such a reader.
    """

    batch = LOGGED

    def __init__(self, reading: Reading, lanes: Callable[[], Sequence[int]]) -> None:
        self._reading, self._lanes = reading, lanes
        self._owned: frozenset[int] = frozenset()
        self._first, self._looked = 0, float("-inf")
        self.done = reading.published

    def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """See `Outbox`."""
        lanes = self._lanes()
        if not lanes:
            return []
        if self._owned != frozenset(lanes):
            self._owned, self._first = frozenset(lanes), 0
        look = time.monotonic() - self._looked >= LOOK_S
        end = self._reading.next_outcome() if look else 0
        rows = self._reading.unpublished_in(lanes, limit, self._first)
        if look:
            self._looked = time.monotonic()
            self._first = min(end, rows[0].seq) if rows else end
        return rows


class Asked:
    """What sources want by AMQP, where everything goes to Kafka as well."""

    batch = BATCH

    def __init__(self, reading: Reading) -> None:
        self.waiting, self.done = reading.asked, reading.got


class Relay:
    """Runs in one thread until `stop`. A broker that is away is tried again for ever; the outbox keeps everything meanwhile."""

    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        sources: Mapping[str, frozenset[str]] | None = None,
        *,
        watch: Watch | None = None,
        broker: str = "amqp",
    ) -> None:
        """`sources`: families of outcomes that some source asked for, by tenant; None: everything is published. `broker` names it for
        people."""
        self._watch, self._broker = watch or Watch(1), broker
        self._outbox, self._publisher, self._wanted = outbox, publisher, sources
        self._stopping = threading.Event()
        self.wake = threading.Event()

    def run(self) -> None:
        pause_s = 0.0
        while not self._stopping.is_set():
            self.wake.clear()
            try:
                waiting, confirmed = self.once()
            except Retryable as away:
                pause_s = min(max(0.5, pause_s * 2), LONGEST_PAUSE_S)
                log.warning("store_away" if isinstance(away, StoreAway) else "broker_away", during="relay", reason=away.message)
                self._stopping.wait(pause_s)
                continue
            stuck = waiting > 0 and confirmed == 0
            pause_s = min(max(0.5, pause_s * 2), LONGEST_PAUSE_S) if stuck else 0.0
            if stuck:
                self._stopping.wait(pause_s)
            elif waiting < self._outbox.batch:
                self.wake.wait(TICK_S)

    def stop(self) -> None:
        """No more batches; `run` returns after the one under way."""
        self._stopping.set()
        self.wake.set()

    def once(self) -> tuple[int, int]:
        """One batch: how many waited, and how many of them are done with. Raises Retryable."""
        rows, sources = self._outbox.waiting(self._outbox.batch), self._wanted
        nobody = [row.seq for row in rows if sources is not None and family(row.name) not in sources.get(row.tenant, frozenset())]
        skipped = frozenset(nobody)
        messages = [outgoing(row) for row in rows if row.seq not in skipped]
        began_ns = time.time_ns()
        confirmed = list(self._publisher.publish(messages)) if messages else []
        if nobody or confirmed:
            self._outbox.done([*nobody, *confirmed])
        unwanted.inc(len(nobody))
        self._watch.published(rows, confirmed, self._broker, began_ns)
        return len(rows), len(nobody) + len(confirmed)


def outgoing(row: OutboxRow) -> Outgoing:
    """An outbox row as a transport takes it."""
    return Outgoing(
        row=row.seq, topic=topic_of(row.name), key=cloudevents.key_of(row), attributes=cloudevents.attributes(row), body=row.body
    )


def wanted(configuration: Configuration) -> Mapping[str, frozenset[str]]:
    """Families of outcomes that some source asked for, by tenant."""
    found: dict[str, frozenset[str]] = {}
    for source in configuration.sources.values():
        found[source.tenant] = found.get(source.tenant, frozenset()) | {family(f"{name}.") for name in source.outcomes}
    return found


def topology(configuration: Configuration) -> AmqpTopology:
    """What the broker must have: the queues that are read, the exchange, and behind it a queue named after each source that wants
    outcomes, bound to `<tenant>.<topic>`."""
    amqp = configuration.amqp
    queues = [AmqpQueue(name=intake.queue) for intake in amqp.intake if not intake.partitions]
    for source in configuration.sources.values():
        if source.outcomes:
            topics = sorted({topic_of(name) for name in OUT if family(name) in {family(f"{one}.") for one in source.outcomes}})
            bindings = tuple(Binding(exchange=amqp.exchange, pattern=f"{source.tenant}.{topic}") for topic in topics)
            queues.append(AmqpQueue(name=source.source, bindings=bindings))
    return AmqpTopology(exchanges=(amqp.exchange,), queues=tuple(queues))


def partitions(configuration: Configuration) -> list[Partitions]:
    """What the broker must have for sources that several gateways read, and what only a command makes."""
    return [_partitions(one) for one in configuration.amqp.intake if one.partitions]


def sources(configuration: Configuration) -> list[AmqpSource]:
    """What is read: a queue, or each of its partitions."""
    found: list[AmqpSource] = []
    for one in configuration.amqp.intake:
        door, tenants = f"amqp:{one.queue}", frozenset(one.tenants)
        whole = AmqpSource(queue=one.queue, door=door, tenants=tenants, operators=one.operators)
        found += parts_of(whole, _partitions(one)) if one.partitions else [whole]
    return found


def _partitions(intake: AmqpIntake) -> Partitions:
    return Partitions(name=intake.queue, count=intake.partitions, kind=intake.exchange_type)


def broker_url(configuration: Configuration, environ: Mapping[str, str] = os.environ) -> str:
    """The broker's address with its password. Raises HubError `secret_missing`."""
    amqp = configuration.amqp
    if amqp.password is None:
        return amqp.url
    parts = urlsplit(amqp.url)
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username or 'guest'}:{quote(configuration.secret(amqp.password, environ), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{place}"))
