"""Outcomes to a broker: in order, each until it is confirmed, and only those that somebody wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest

from config.settings import Configuration, Secret
from engine.relay import OfAll, Relay, broker_url, topology, wanted
from engine.transport.contract import Outgoing
from schemas.errors import Retryable
from schemas.policy import SourceProfile
from tests.engine.campsite import Campsite, booking, configuration, payment


class Broker:
    """Confirms what `confirms` says of each batch."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.confirms: Callable[[list[int]], Sequence[int]] = lambda rows: rows
        self.told = threading.Event()

    def publish(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        self.batches.append([one.attributes["type"] for one in messages])
        self.told.set()
        return self.confirms([one.row for one in messages])


def settings(*families: str, url: str = "amqp://127.0.0.1:1") -> Configuration:
    base = configuration()
    source = SourceProfile(source="pms.thais", tenant="azur", outcomes=families)
    return msgspec.structs.replace(base, sources={"pms.thais": source}, amqp=msgspec.structs.replace(base.amqp, url=url))


@pytest.fixture
def camp() -> Iterator[Campsite]:
    made = Campsite(settings=settings("booking", "folio"))
    yield made
    made.close()


def waiting(camp: Campsite) -> int:
    return len(camp.hub.reading.unpublished(100))


def test_what_is_wanted_goes_out_once_and_in_order(camp: Campsite) -> None:
    """The families that a source asked for; a second look has nothing to do."""
    broker = Broker()
    camp.send(booking("A"))
    camp.send(payment("A", "3001"))
    relay = Relay(OfAll(camp.hub.reading), broker, wanted(camp.hub.configuration))

    assert relay.once() == (4, 4)
    assert [name.removeprefix("foliohub.").removesuffix(".v1") for name in broker.batches[0]] == [
        "booking.accepted", "booking.payment_schedule_set", "folio.balance_changed", "folio.balance_changed",
    ]  # fmt: skip
    assert relay.once() == (0, 0)
    assert len(broker.batches) == 1
    assert [row.published for row in camp.hub.reading.outbox_of("azur", 0, 10)].count(0) == 0


def test_what_nobody_wants_any_more_is_done_with(camp: Campsite) -> None:
    """Outcomes that waited while the source changed its mind: passed over, and no call is made for them."""
    broker = Broker()
    camp.send(booking("A"))
    camp.hub.configuration = settings("refund")
    relay = Relay(OfAll(camp.hub.reading), broker, wanted(camp.hub.configuration))

    assert relay.once() == (3, 3)
    assert (broker.batches, waiting(camp)) == ([], 0)


def test_what_was_not_confirmed_stays(camp: Campsite) -> None:
    """And goes out again, beside what is new."""
    broker = Broker()
    camp.send(booking("A"))
    relay = Relay(OfAll(camp.hub.reading), broker, wanted(camp.hub.configuration))
    broker.confirms = lambda rows: rows[:1]

    assert relay.once() == (3, 1)
    assert waiting(camp) == 2
    broker.confirms = lambda rows: ()
    assert relay.once() == (2, 0)
    broker.confirms = lambda rows: rows
    assert relay.once() == (2, 2)
    assert broker.batches[0][1:] == broker.batches[1] == broker.batches[2]


def test_it_runs_until_it_is_stopped(camp: Campsite) -> None:
    """A broker that is away and comes back, then one that confirms nothing and then everything; stopped, it ends at once."""
    broker = Broker()
    moods = iter(["away", "nothing"])

    def confirms(rows: list[int]) -> Sequence[int]:
        mood = next(moods, "")
        if mood == "away":
            raise Retryable("the broker is away")
        return () if mood == "nothing" else rows

    broker.confirms = confirms
    camp.send(booking("A"))
    relay = Relay(OfAll(camp.hub.reading), broker, wanted(camp.hub.configuration))
    thread = threading.Thread(target=relay.run)
    thread.start()
    deadline = threading.Event()
    for _ in range(100):
        if not waiting(camp):
            break
        deadline.wait(0.1)
    relay.stop()
    thread.join(5)

    assert not thread.is_alive()
    assert waiting(camp) == 0
    assert len(broker.batches) == 3


def test_who_wants_what(camp: Campsite) -> None:
    """By tenant, all its sources together."""
    other = SourceProfile(source="books", tenant="azur", outcomes=("refund",))
    none = SourceProfile(source="web", tenant="vert")
    both = msgspec.structs.replace(settings("booking"), sources={**settings("booking").sources, "books": other, "web": none})

    assert wanted(both) == {"azur": {"booking", "refund"}, "vert": frozenset()}


def test_the_topology() -> None:
    """A queue for what is read, one for each source that wants outcomes, bound to its tenant's topics, each once."""
    both = settings("booking", "payment")
    silent = SourceProfile(source="web", tenant="azur")
    found = topology(msgspec.structs.replace(both, sources={**both.sources, "web": silent}))

    assert found.exchanges == ("foliohub.outcomes",)
    assert [queue.name for queue in found.queues] == ["foliohub.intake", "pms.thais"]
    assert [(one.exchange, one.pattern) for one in found.queues[1].bindings] == [
        ("foliohub.outcomes", "azur.foliohub.booking.v1"), ("foliohub.outcomes", "azur.foliohub.payment.v1"),
    ]  # fmt: skip
    assert found.queues[0].bindings == ()


@pytest.mark.parametrize(
    ("url", "said", "password"),
    [
        ("amqp://broker/", "amqp://broker/", None),
        ("amqp://hub@broker:5671/v", "amqp://hub:a%2Fb%40c@broker:5671/v", "a/b@c"),
        ("amqp://broker/v", "amqp://guest:secret@broker/v", "secret"),
        ("amqp://hub:old@broker", "amqp://hub:new@broker", "new"),
    ],
)
def test_the_brokers_address(url: str, said: str, password: str | None) -> None:
    """With the password in its place, and only there."""
    base = settings(url=url)
    amqp = msgspec.structs.replace(base.amqp, password=Secret(env="BROKER") if password else None)

    assert broker_url(msgspec.structs.replace(base, amqp=amqp), {"BROKER": password or ""}) == said
