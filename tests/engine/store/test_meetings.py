"""Two workers of one PostgreSQL store who meet at an aggregate: whoever has read what the other has changed since reads it again, and
the log of both verifies. Timers of a folio keep their place among messages of other lanes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import pytest

from config.loader import load
from config.settings import Configuration
from engine import routes
from engine.address import lane_of
from engine.lane import Lanes
from engine.store.chunk_write import ChunkWrite
from engine.store.opening import lanes_of
from engine.store.postgresql.database import Database
from engine.store.rows import Key
from engine.verify import verify
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking
from tests.scenarios.play import FOLDERS
from tests.services.stores import Stores

LANES = 8
HERE = lane_of(Key("azur", "folio", "B-1"), LANES)
HOUR = 3_600


class Interrupted:
    """A store of lanes in whose first transaction others come in between reading and writing."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.meanwhile: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def chunk(self, claim: Any) -> Iterator[Any]:
        with self._store.chunk(claim) as transaction:
            write = transaction.write

            def late(rows: ChunkWrite) -> None:
                meanwhile, self.meanwhile = self.meanwhile, None
                if meanwhile is not None:
                    meanwhile()
                write(rows)

            transaction.write = late
            yield transaction


class Two:
    """The worker of the lane of folio B-1, and the one of all others."""

    def __init__(self, address: str, configuration: Configuration = CONFIGURATION) -> None:
        self.address = address
        self.box = Sandbox(store=Database(address), configuration=configuration)
        self.box.hub.shelf.bound = lambda names: {}  # type: ignore[method-assign]  # as if sent before the names were bound
        self._stores = [Database(address), Database(address)]
        self.slow = Interrupted(lanes_of(self._stores[0]))
        self.here = self._lanes(self.slow, [HERE])
        self.there = self._lanes(lanes_of(self._stores[1]), [lane for lane in range(LANES) if lane != HERE])

    def _lanes(self, store: Any, owned: list[int]) -> Lanes:
        return Lanes(store, self.box.hub.settled, self.box.clock, lanes=owned)

    def run(self, lanes: Lanes) -> list[str]:
        """Everything that waits there; the outcomes' names."""
        told: list[str] = []
        while (ran := lanes.run()).decided:
            told += [row.name for row in ran.outbox]
        return told

    def say(self, lanes: Lanes, name: str, data: dict[str, Any], actor: str = "system") -> list[str]:
        """One message, decided there."""
        self.box.number += 1
        self.box.append(arrival(f"m-{self.box.number}", name, data, actor=actor))
        return self.run(lanes)

    def meet(self, meanwhile: Callable[[], None]) -> list[str]:
        """`here` decides what waits; before it writes, this happens there."""
        self.slow.meanwhile = meanwhile
        return self.run(self.here)

    def close(self) -> None:
        for store in (self.box.database, *self._stores):
            store.close()


@pytest.fixture
def two(postgres_stores: Stores) -> Iterator[Two]:
    made = Two(postgres_stores.address(LANES))
    made.say(made.here, "booking.confirmed", {**booking(), "references": [name()]})
    yield made
    assert verify(made.box.database).differences == ()
    made.close()
    postgres_stores.back()


def name(first: str = "n") -> dict[str, str]:
    """A name in a lane that is not the folio's."""
    values = (f"{first}-{number}" for number in range(99))
    return next(
        {"namespace": "pms:x", "value": value}
        for value in values
        if lane_of(Key("azur", "reference", f"pms:x\x1f{value}"), LANES) != HERE
    )


def cash(id_: str, **more: Any) -> dict[str, Any]:
    return {"payment": id_, "amount": 1_000, "currency": "EUR", "tender": "cash", **more}


def test_what_queues_while_the_queue_is_drained(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drained as well: nothing stays behind a defect that is no more."""

    def broken(*_: object) -> Any:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(routes, "ROUTES", {**routes.ROUTES, "payment.received": broken})
        two.say(two.here, "payment.received", cash("p-1", folio="B-1"))
    two.box.append(arrival("late", "payment.received", cash("p-2", references=[name()])))
    letter = two.box.one("SELECT id FROM dead_letter")["id"]
    two.box.append(arrival("mend", "dead_letter.replay", {"subject": letter, "reason": "mended"}, actor="operator"))

    two.meet(lambda: two.run(two.there) and None)
    two.run(two.there)

    assert two.box.rows("SELECT 1 FROM blocked") == []
    assert [one.payment for one in two.box.folio().payments] == ["p-1", "p-2"]


@pytest.mark.parametrize("known", [pytest.param(False, id="its first"), pytest.param(True, id="one more")])
def test_an_event_is_declared_while_a_cancellation_asks_for_it(two: Two, known: bool) -> None:
    """Whether the area was known before or not."""
    two.box.until("2026-07-23T10:00:00+00:00")
    event = {"area": "cote-d-azur", "from": "2026-07-20", "to": "2026-08-05"}
    if known:
        old = {"area": "cote-d-azur", "from": "2026-01-20", "to": "2026-01-21", "event": "old"}
        two.say(two.there, "force_majeure.declare", old, actor="platform")
    two.box.append(
        arrival("ask", "cancellation.request", {"folio": "B-1", "request": "C", "cause": "force_majeure"}, actor="guest")
    )
    assert lane_of(Key("azur", "area", "cote-d-azur"), LANES) != HERE

    told = two.meet(lambda: two.say(two.there, "force_majeure.declare", {**event, "event": "storm"}, actor="platform") and None)

    assert "cancellation.quoted" in told  # and not refused for want of an event


def test_a_property_is_suspended_while_a_balance_is_asked_for(postgres_stores: Stores) -> None:
    """The settings that a timer was shown have changed before it is stored: it is decided again, and puts its mail off (S1-36)."""
    two = Two(postgres_stores.address(LANES), load(FOLDERS / "asking", {}))
    two.say(two.here, "booking.confirmed", {**booking(payment_plan="split"), "property": "camp-strict"})
    assert lane_of(Key("azur", "property", "camp-strict"), LANES) != HERE
    two.box.until("2026-06-30T07:00:00+00:00")
    until = {"until": "2026-07-05", "scope": "property", "property": "camp-strict"}

    told = two.meet(lambda: two.say(two.there, "balance.suspend", until, actor="operator") and None)

    assert told == ["balance.suspended"]
    assert verify(two.box.database).differences == ()
    two.close()
    postgres_stores.back()


def test_a_name_is_bound_while_somebody_asks_for_it(two: Two) -> None:
    """A cancellation by two names, neither of which is known yet, is not refused when one of them is known as its turn comes."""
    first = next(
        {"namespace": "pms:x", "value": f"h-{number}"}
        for number in range(99)
        if lane_of(Key("azur", "reference", f"pms:x\x1fh-{number}"), LANES) == HERE
    )
    folio = next(f"C-{number}" for number in range(99) if lane_of(Key("azur", "folio", f"C-{number}"), LANES) != HERE)
    ask = {"references": [first, name("second")], "request": "C"}
    two.box.append(arrival("ask", "cancellation.request", ask, actor="guest"))

    told = two.meet(lambda: two.say(two.there, "booking.confirmed", {**booking(folio), "references": [name("second")]}) and None)

    assert "cancellation.quoted" in told


def test_a_new_slice_of_time_waits_for_nobody_who_has_read_the_inbox(two: Two) -> None:
    """A backup reads for hours: the first message of a week comes in all the same."""
    with closing(Database(two.address)) as other, other.read() as reader:
        reader.execute("SELECT count(*) FROM inbox")
        two.box.wait(8 * 24 * HOUR)
        two.box.append(arrival("late", "payment.received", cash("p-1", folio="B-1")))
        began = time.monotonic()
        assert "payment.captured" in two.run(two.here)
        assert time.monotonic() - began < 10


def test_who_follows_the_outcomes_passes_over_nothing(two: Two) -> None:
    """What was numbered first and is stored last: its reader waits for it, and then has it."""
    folios = (f"D-{number}" for number in range(99))
    there = next(folio for folio in folios if lane_of(Key("azur", "folio", folio), LANES) != HERE)
    reading = two.box.hub.reading
    seen: list[str] = []
    at = 0

    def follow() -> None:
        nonlocal at
        rows, at = reading.stream_of("azur", at, 100)
        seen.extend(row.key for row in rows)

    def meanwhile() -> None:
        two.say(two.there, "booking.confirmed", booking(there))
        follow()

    follow()
    two.box.append(arrival("mine", "payment.received", cash("p-1", folio="B-1")))
    two.meet(meanwhile)
    follow()

    assert len(seen) == two.box.one("SELECT count(*) AS n FROM outbox")["n"]


def test_an_offer_runs_out_before_a_later_word_by_another_name(two: Two) -> None:
    """Though the timer is another worker's, who has not come to it."""
    two.say(two.here, "payment.received", cash("p-1", folio="B-1"))
    two.say(two.here, "cancellation.request", {"folio": "B-1", "request": "C"}, actor="guest")
    two.box.wait(HOUR)

    told = two.say(two.there, "cancellation.confirm", {"references": [name()], "request": "C"}, actor="guest")

    assert [one for one in told if one.startswith("cancellation")][:2] == ["cancellation.quote_expired", "cancellation.refused"]


def test_an_offer_does_not_run_out_before_an_earlier_word_by_another_name(two: Two) -> None:
    """Which came in time and waits in another lane."""
    two.say(two.here, "payment.received", cash("p-1", folio="B-1"))
    two.say(two.here, "cancellation.request", {"folio": "B-1", "request": "C"}, actor="guest")
    two.box.append(arrival("yes", "cancellation.confirm", {"references": [name()], "request": "C"}, actor="guest"))
    two.box.wait(HOUR)
    here = next(f"D-{number}" for number in range(99) if lane_of(Key("azur", "folio", f"D-{number}"), LANES) == HERE)

    assert "cancellation.quote_expired" not in two.say(two.here, "booking.confirmed", booking(here))
    assert "cancellation.confirmed" in two.run(two.there)
    assert "cancellation.quote_expired" not in two.run(two.here)


def test_two_doors_make_a_key_for_the_same_person(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two is kept, and both have sealed with it; neither door is the worse for it."""
    other = Sandbox(store=Database(two.address))
    append, guest = two.box.hub.store.append, {"person": "p-1", "name": "Anna Andersson"}

    def late(*rows: Any) -> None:
        monkeypatch.undo()
        other.append(arrival("b", "booking.confirmed", booking("D-1", guest=guest)))
        append(*rows)

    monkeypatch.setattr(two.box.hub.store, "append", late)
    two.box.append(arrival("a", "booking.confirmed", booking("D-2", guest=guest)))
    two.box.append(arrival("c", "booking.confirmed", booking("D-3", guest=guest)))

    other.drain()  # its hub has claimed all lanes
    stored = two.box.rows("SELECT body FROM intake WHERE key LIKE 'D-%'")
    sealed = [msgspec.json.decode(row["body"])["guest"]["name"] for row in stored]
    assert {box.hub.vault.open("azur", "p-1", one) for box in (two.box, other) for one in sealed} == {"Anna Andersson"}
    assert len(sealed) == 3
    other.database.close()
