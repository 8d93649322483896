"""A hub in memory with the simulated provider beside it, one clock that stands still, and the messages that tests send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from config.loader import load
from config.settings import Configuration
from connectors.psp.contract import PaymentConnector
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.accounts import SANDBOX, merchant_account
from connectors.psp.ogone.simulator.books import Books
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Script, parse
from engine.clock import ManualClock, instant, micros
from engine.hub import Hub
from engine.post import Post
from engine.spans import Tracer
from engine.store.contract import Store
from engine.store.opening import open_store
from engine.store.rows import OutboxRow
from engine.transport.contract import Arrival, Receipt
from schemas.folio import Folio

MASTER = b"a master key of 32 bytes, public"
URL = "http://127.0.0.1/ncol/test/"
CONFIGURATION: Configuration = load(None)


def arrival(id_: str, name: str, data: dict[str, Any], *, actor: str = "system", source: str = "pms.thais") -> Arrival:
    """One message in binary mode."""
    body = msgspec.json.encode({"actor": {"kind": actor, "id": f"{actor}-1"}, **data})
    attributes = {"specversion": "1.0", "id": id_, "source": source, "type": f"foliohub.{name}.v1", "tenant": "azur"}
    return Arrival(door="test", body=body, attributes=attributes)


def booking(
    folio: str = "B-1", *, price: int = 20_000, arrives: str = "2026-07-24", references: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """A stay with flexible terms: free four days before, half the day before."""
    line = {
        "line": "1", "price": price, "trade": "outdoor", "terms": "outdoor/flexible", "arrival": "2026-07-24", "departure": "2026-07-31",
    }  # fmt: skip
    names = [{"namespace": "pms:thais", "value": value} for value in references]
    return {"folio": folio, "references": names, "property": "camp-azur", "currency": "EUR", "lines": [line], **more}


def in_memory(lanes: int) -> Store:
    """A throw-away store."""
    return open_store(":memory:", lanes=lanes)


fresh_store: Callable[[int], Store] = in_memory
"""Makes the store of a sandbox that is not given one; tests/conftest.py puts another one here."""


class Sandbox:
    """One hub, one provider. `rules` and `script` are the simulator's; `open` makes another hub on the same store. `store`: its address,
    one that is open, or None: an empty one of the kind under test."""

    def __init__(
        self,
        *rules: dict[str, Any],
        store: str | Store | None = None,
        chunk: int = 500,
        lanes: int = 1,
        configuration: Configuration = CONFIGURATION,
        books: Books | None = None,
        tracer: Tracer | None = None,
        post: Post | None = None,
        begins: str = "2026-05-01T08:00:00+00:00",
        **script: Any,
    ) -> None:
        self.clock = ManualClock(micros(datetime.fromisoformat(begins)))
        self.provider = Provider(books or Books(":memory:"), self._script(rules, script), (SANDBOX,))
        wire = InProcessWire(self.provider, self.now)
        self.connector = OgoneConnector(merchant_account(SANDBOX, "azur", URL), wire)
        if store is None:
            self.database: Store = fresh_store(lanes)
        else:
            self.database = open_store(store, lanes=lanes) if isinstance(store, str) else store
        self.chunk, self.configuration, self.tracer, self.post = chunk, configuration, tracer, post
        self.connectors: dict[str, PaymentConnector] = {"azur": self.connector}
        self.hub = self.open()
        self.number = 0

    @staticmethod
    def _script(rules: Sequence[dict[str, Any]], script: dict[str, Any]) -> Script:
        return parse(msgspec.json.encode({"rules": list(rules), **script}))

    def open(self) -> Hub:
        """A hub on this sandbox's store."""
        return Hub(
            self.configuration,
            self.database,
            self.connectors,
            clock=self.clock,
            chunk=self.chunk,
            master=MASTER,
            tracer=self.tracer,
            post=self.post,
        )

    def now(self) -> datetime:
        """The time that stands still."""
        return instant(self.clock.now())

    def wait(self, seconds: float) -> None:
        """Time goes on; nothing is done."""
        self.clock.advance(self.clock.now() + int(seconds * 1_000_000))

    def until(self, when: str) -> None:
        """Time goes on to an instant."""
        self.clock.advance(micros(datetime.fromisoformat(when)))

    def append(self, *arrivals: Arrival) -> list[Receipt]:
        """At the door; nothing is decided yet."""
        return list(self.hub.intake.append(arrivals))

    def say(self, name: str, data: dict[str, Any], *, actor: str = "system", id_: str = "") -> list[tuple[str, dict[str, Any]]]:
        """One message, decided at once with everything it leads to now; its outcomes and those of others, in order."""
        self.number += 1
        self.append(arrival(id_ or f"m-{self.number}", name, data, actor=actor))
        return self.drain()

    def drain(self) -> list[tuple[str, dict[str, Any]]]:
        """All that can be done at this instant."""
        return [told(row) for row in self.hub.drain()]

    def pass_time(self, seconds: float) -> list[tuple[str, dict[str, Any]]]:
        """Time goes on from one due instant to the next; everything that it brings."""
        end = self.clock.now() + int(seconds * 1_000_000)
        outcomes = self.drain()
        while (due := self.hub.next_due()) is not None and due <= end:
            self.clock.advance(due)
            outcomes += self.drain()
        self.clock.advance(end)
        return outcomes + self.drain()

    # -- a stay ----------------------------------------------------------------------------------------------------------------

    def paid(self, folio: str = "B-1", *, price: int = 20_000, amount: int | None = None, order: str = "O-1") -> str:
        """A booking and its card payment; the PAYID."""
        self.say("booking.confirmed", booking(folio, price=price))
        return self.pay(folio, price if amount is None else amount, order)

    def pay(self, folio: str, amount: int, order: str) -> str:
        """A card payment; the PAYID."""
        payid = self.provider.create(order, amount, "EUR", self.now(), callback=False)
        data = {
            "folio": folio, "payment": f"P-{order}", "amount": amount, "currency": "EUR", "provider": "ogone", "merchant": "azur",
            "provider_reference": payid, "order": order, "occurred_at": self.now().isoformat(),
        }  # fmt: skip
        self.say("payment.received", data)
        return payid

    def cancel(self, folio: str = "B-1", request: str = "C-1", **more: Any) -> list[tuple[str, dict[str, Any]]]:
        """Quote and confirmation at once."""
        return self.say("cancellation.request", {"folio": folio, "request": request, "confirm": True, **more}, actor="guest")

    def notified(self, payid: str, status: str = "8", *, id_: str = "") -> list[tuple[str, dict[str, Any]]]:
        """The provider's callback, as the gateway hands it on."""
        data = {"provider": "ogone", "merchant": "azur", "provider_reference": payid, "status": status}
        return self.say("provider.notified", data, id_=id_)

    # -- what is seen ----------------------------------------------------------------------------------------------------------

    def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows of the store."""
        return self.hub.reading.rows(statement, parameters)

    def one(self, statement: str, *parameters: object) -> dict[str, Any]:
        """The only row."""
        (row,) = self.rows(statement, *parameters)
        return row

    def effect(self) -> dict[str, Any]:
        """The only effect."""
        return self.one("SELECT * FROM effect")

    def folio(self, folio: str = "B-1") -> Folio:
        """A folio as it stands."""
        return msgspec.json.decode(self.one("SELECT body FROM state WHERE kind = 'folio' AND key = ?", folio)["body"], type=Folio)

    def results(self, name: str) -> list[str]:
        """How messages of this type were decided, in order."""
        return [row["result"] for row in self.rows("SELECT result FROM decision WHERE name = ? ORDER BY seq", name)]

    def operations(self, payid: str) -> list[tuple[str, int, str]]:
        """What the provider has of a payment after the order itself: operation, minor, status."""
        return [(one.operation, one.minor, one.status) for one in self.provider.books.operations(payid)[1:]]

    def sent(self) -> int:
        """How many maintenance requests reached the provider."""
        return sum(1 for one in self.provider.books.requests() if one["endpoint"] == "maintenance")


def told(row: OutboxRow) -> tuple[str, dict[str, Any]]:
    """An outcome's name and data."""
    return row.name, msgspec.json.decode(row.body)


def names(outcomes: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """The outcomes' names."""
    return [name for name, _ in outcomes]
