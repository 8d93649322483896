"""Several workers on one PostgreSQL store, each with lanes of its own, at the same time: folios hear of themselves under their id and
under names of other lanes, twice and in disorder, and two runners carry their requests. Afterwards the store is as if one had done it.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.effects import EffectsRunner
from engine.lane import Lanes
from engine.ledger_check import check
from engine.store.contract import StoreAway
from engine.store.opening import effects_of, lanes_of
from engine.store.postgresql.database import Database
from engine.transport.contract import Arrival
from engine.verify import verify
from tests.engine.sandbox import Sandbox, arrival, booking
from tests.services.stores import Stores

LANES = 8
FOLIOS = 300
SHARES = ((0, 3, 6), (1, 4, 7), (2, 5))


class Works:
    """Workers and runners of one store, each a thread with a connection of its own."""

    def __init__(self, address: str) -> None:
        self.box = Sandbox(store=Database(address), begins="2026-07-01T08:00:00+00:00")
        self.box.hub.shelf.bound = lambda names: {}  # type: ignore[method-assign]  # as if sent before any name was bound
        self._address = address
        self._stores: list[Database] = []
        self._threads: list[threading.Thread] = []
        self._busy: set[str] = set()
        self.over = threading.Event()
        self.failures: list[BaseException] = []

    def store(self) -> Database:
        """One that is somebody's own."""
        self._stores.append(Database(self._address))
        return self._stores[-1]

    def lanes(self, owned: tuple[int, ...], chunk: int = 50) -> Lanes:
        """The owner of these lanes."""
        return Lanes(lanes_of(self.store()), self.box.hub.settled, self.box.clock, lanes=owned, chunk=chunk)

    def start(self, name: str, step: Callable[[], bool]) -> None:
        """Do this again and again; it says whether there was something to do."""

        def work() -> None:
            try:
                while not self.over.is_set():
                    self._busy.add(name)
                    try:
                        done = step()
                    except StoreAway:
                        done = True
                    if not done:
                        self._busy.discard(name)
                        self.over.wait(0.02)
            except BaseException as failure:
                self.failures.append(failure)
                self.over.set()
            finally:
                self._busy.discard(name)

        self._threads.append(threading.Thread(target=work, name=name))
        self._threads[-1].start()

    def start_all(self, chunk: int = 50) -> None:
        """Three workers and two runners."""
        for owned in SHARES:
            lanes = self.lanes(owned, chunk)
            self.start(f"lanes {owned}", lambda lanes=lanes: bool(lanes.run().decided))
        hub = self.box.hub
        for number in range(2):
            runner = EffectsRunner(
                effects_of(self.store()), self.box.connectors, hub.settled.tenants, hub.clock, owners=hub.settled.merchants
            )
            self.start(f"effects {number}", lambda runner=runner: self._carried(runner))

    @staticmethod
    def _carried(runner: EffectsRunner) -> bool:
        due = runner.due(20)
        runner.work(due)
        return bool(due)

    def settle(self, within_s: float = 120) -> None:
        """Until nobody has anything to do."""
        for _ in range(int(within_s / 0.05)):
            waiting = self.box.hub.store.waiting_count()
            if self.over.wait(0.05) or (not waiting and not self._busy and not self.box.hub.effects.due()):
                break
        assert not self.failures, self.failures
        assert not self.box.hub.store.waiting_count()

    def close(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        for store in (*self._stores, self.box.database):
            store.close()


@pytest.fixture
def works(postgres_stores: Stores) -> Iterator[Works]:
    made = Works(postgres_stores.address(LANES))
    yield made
    made.close()
    postgres_stores.back()


def names_of(number: int) -> list[dict[str, str]]:
    """Four names of a folio, which lie in any lanes."""
    return [{"namespace": f"pms:{kind}", "value": f"{kind}-{number}"} for kind in "abcd"]


def stay(box: Sandbox, luck: random.Random, number: int) -> list[Arrival]:
    """All that is said of a folio, in disorder, some of it twice."""
    folio, names, order = f"B-{number}", names_of(number), f"O-{number}"
    payid = box.provider.create(order, 20_000, "EUR", box.now(), callback=False)

    def by(**more: Any) -> dict[str, Any]:
        """By the folio's id or by some of its names."""
        if luck.random() < 0.3:
            return {"folio": folio, **more}
        return {"references": luck.sample(names, luck.randint(1, 3)), **more}

    said = booking(folio, arrives="2026-09-24")
    said["references"] = names
    paid = {
        "payment": f"P-{order}", "amount": 20_000, "currency": "EUR", "provider": "ogone", "merchant": "azur", "provider_reference": payid,
        "order": order, "occurred_at": box.now().isoformat(),
    }  # fmt: skip
    cash = {"amount": 100, "currency": "EUR", "tender": "cash", "occurred_at": box.now().isoformat()}
    news = {"provider": "ogone", "merchant": "azur", "provider_reference": payid, "status": "9"}
    messages = [
        arrival(f"book-{number}", "booking.confirmed", said),
        arrival(f"paid-{number}", "payment.received", by(**paid)),
        arrival(f"told-{number}", "provider.notified", news),
        *(arrival(f"cash-{number}-{n}", "payment.received", by(payment=f"C-{number}-{n}", **cash)) for n in range(4)),
    ]
    luck.shuffle(messages)
    at = luck.randrange(len(messages) + 1)
    if luck.random() < 0.6:
        ask = by(request=f"R-{number}", confirm=True)
        messages.insert(max(at, 3), arrival(f"ask-{number}", "cancellation.request", ask, actor="guest"))
    return [*messages, *luck.sample(messages, 2)]


def hold(works: Works) -> None:
    """Nothing lost, nothing twice, gapless, balanced, as the provider has it, and as the log says."""
    box = works.box
    roots = Counter((row["lane"], row["place"]) for row in box.rows(
        "SELECT lane, place FROM decision WHERE parent = 0 AND origin = 'intake'"))  # fmt: skip
    arrived = {(row["lane"], row["offset"]) for row in box.rows('SELECT lane, "offset" FROM intake')}
    assert (set(roots), set(roots.values())) == (arrived, {1})
    assert box.rows("SELECT count(*) AS n FROM internal WHERE decision = 0") == [{"n": 0}]
    assert box.rows("SELECT reason FROM dead_letter") == []
    sequences: dict[tuple[str, str], list[int]] = {}
    for row in box.rows("SELECT kind, key, sequence FROM outbox ORDER BY seq"):
        sequences.setdefault((row["kind"], row["key"]), []).append(row["sequence"])
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())
    assert check(box.database).findings == ()
    assert verify(box.database).differences == ()


def as_the_provider_has_it(works: Works) -> None:
    """What was captured and given back there is what the folios say."""
    folios = [
        works.box.folio(row["key"]) for row in works.box.rows("SELECT key FROM state WHERE kind = 'folio' AND body IS NOT NULL")
    ]
    ours = {one.reference: one for folio in folios for one in folio.payments if one.provider}
    for payid, payment in ours.items():
        back = [minor for operation, minor, status in works.box.operations(payid) if operation in ("RFD", "RFS") and status == "8"]
        assert (payid, payment.captured, payment.refunded) == (payid, 20_000, sum(back))
    assert len(ours) == FOLIOS
    assert sum(payment.refunded for payment in ours.values())


def test_three_workers_and_two_runners(works: Works) -> None:
    """Hundreds of folios."""
    luck = random.Random(7)
    box = works.box
    messages = [one for number in range(FOLIOS) for one in stay(box, luck, number)]
    works.start_all()
    at = 0
    while at < len(messages):
        size = luck.randint(1, 120)
        box.append(*messages[at : at + size])
        at += size
        box.wait(luck.randint(0, 30))
    works.settle()

    hold(works)
    as_the_provider_has_it(works)


def test_one_folio_that_everybody_talks_about(works: Works) -> None:
    """By names of all lanes, message by message and in large chunks: everybody comes to an end."""
    luck = random.Random(3)
    box = works.box
    names = [{"namespace": "pms:many", "value": f"n-{number}"} for number in range(24)]
    messages = [arrival("book", "booking.confirmed", {**booking("B-1"), "references": names})]
    for number in range(240):
        cash = {
            "payment": f"C-{number}", "amount": 10, "currency": "EUR", "tender": "cash", "occurred_at": box.now().isoformat(),
            "references": [luck.choice(names)],
        }  # fmt: skip
        messages.append(arrival(f"cash-{number}", "payment.received", cash))
    works.start_all(chunk=20)
    for place in range(0, len(messages), 40):
        box.append(*messages[place : place + 40])
    works.settle()

    hold(works)
    assert len(box.folio().payments) == 240
