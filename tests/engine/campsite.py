"""A campsite's store for the tests of what reads it: bookings, payments, refunds with every fate, people, defects; on a clock by hand."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from config.loader import load
from config.settings import Configuration
from connectors.psp.ogone.simulator.script import Script
from engine.clock import ManualClock, micros
from engine.hub import Hub
from engine.scripted_ogone import ScriptedOgone
from engine.transport.contract import Arrival, Receipt

START = "2026-05-01T08:00:00+00:00"
SILENT_SCRIPT = {
    "rules": [
        {"when": {"order": "A-1", "operation": ["RFD", "RFS"]}, "answer": "silence", "callbacks": {"repeat": 2, "delay_s": 30}},
        {"when": {"order": "B-1", "operation": ["RFD", "RFS"]}, "act": "never", "answer": "silence"},
        {"when": {"order": "D-1", "operation": ["RFD", "RFS"]}, "ncerror": "50001218", "ncerrorplus": "no refunds allowed"},
    ]
}
GUEST, SYSTEM, HOUSE = ({"kind": kind, "id": "x"} for kind in ("guest", "system", "merchant"))


def configuration(version: str = "camp-azur/1", **changes: Any) -> Configuration:
    """The shipped one, with knobs of the property changed under another version."""
    shipped = load(None, {})
    changed = msgspec.structs.replace(shipped.properties["camp-azur"], version=version, **changes)
    return msgspec.structs.replace(shipped, properties={"camp-azur": changed})


def event(id_: str, name: str, data: dict[str, Any], source: str = "pms.thais", tenant: str = "azur") -> dict[str, Any]:
    return {"specversion": "1.0", "id": id_, "source": source, "type": f"foliohub.{name}.v1", "tenant": tenant, "data": data}


def booking(folio: str, prices: tuple[int, ...] = (12_000, 8_000), arrival: str = "2026-07-24", **more: Any) -> dict[str, Any]:
    lines = [
        {"line": str(n), "trade": "outdoor", "arrival": arrival, "departure": "2026-07-31", "price": price,
         "terms": "outdoor/flexible"}
        for n, price in enumerate(prices, 1)
    ]  # fmt: skip
    data = {
        "actor": SYSTEM, "folio": folio, "references": [{"namespace": "pms:thais", "value": f"no-{folio}"},
        {"namespace": "ogone:azur:order", "value": f"{folio}-1"}], "revision": 1, "property": "camp-azur", "currency": "EUR",
        "booked_at": "2026-05-01T10:00:00+02:00", "guest": {"person": f"p-{folio}", "name": f"Guest Of {folio}"}, "lines": lines,
        **more,
    }  # fmt: skip
    return event(f"booking-{folio}", "booking.confirmed", data)


def payment(folio: str, payid: str, minor: int = 20_000, **more: Any) -> dict[str, Any]:
    data = {
        "actor": SYSTEM, "references": [{"namespace": "ogone:azur:order", "value": f"{folio}-1"}], "payment": f"P-{folio}",
        "amount": minor, "currency": "EUR", "provider": "ogone", "merchant": "azur", "provider_reference": payid,
        "order": f"{folio}-1", "tender": "card", **more,
    }  # fmt: skip
    return event(f"payment-{folio}", "payment.received", data)


def asked(folio: str, *, id_: str = "", confirm: bool = False, actor: dict[str, str] = GUEST, **more: Any) -> dict[str, Any]:
    data = {"actor": actor, "folio": folio, "request": f"R-{folio}", "confirm": confirm, **more}
    return event(id_ or f"ask-{folio}", "cancellation.request", data, "web")


def word(id_: str, name: str, subject: str = "", **more: Any) -> dict[str, Any]:
    """An operator's."""
    data = {"actor": {"kind": "operator", "id": "olga"}, "subject": subject, "reason": "test", **more}
    return event(id_, name, {name: value for name, value in data.items() if value != ""}, "desk")


def arrival(said: dict[str, Any] | bytes) -> Arrival:
    """As it comes in by a door of the tenant."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return Arrival(door="test", body=body, content_type="application/cloudevents+json", tenants=frozenset({"azur"}))


class Campsite:
    """A hub by hand, with a scripted provider that learns of payments from the messages."""

    def __init__(self, store: str | Path = ":memory:", settings: Configuration | None = None, at: str = START) -> None:
        self.configuration = settings or configuration()
        self.clock = ManualClock(micros(datetime.fromisoformat(at)))
        self.ogone = ScriptedOgone(msgspec.convert(SILENT_SCRIPT, Script), self.configuration, self.clock)
        master = bytes(32) if str(store) == ":memory:" else None
        self.hub = Hub(self.configuration, str(store), self.ogone, clock=self.clock, master=master)

    def send(self, said: dict[str, Any] | bytes) -> Receipt:
        """One message, and everything that follows at this instant."""
        if isinstance(said, dict):
            self.ogone.learn(said["tenant"], said["type"], json.dumps(said["data"]).encode())
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        (receipt,) = self.hub.intake.append([arrival(body)])
        self.settle()
        return receipt

    def settle(self) -> None:
        """Decisions, requests and callbacks until nothing is left at this instant."""
        self.hub.drain()
        while callbacks := self.ogone.callbacks():
            self.hub.intake.append(callbacks)
            self.hub.drain()

    def until(self, at: str) -> None:
        """Let time go on, everything at its own time."""
        end = micros(datetime.fromisoformat(at))
        while True:
            dues = [due for due in (self.hub.next_due(), self.ogone.next_due()) if due is not None and due <= end]
            if not dues:
                break
            self.clock.advance(min(dues))
            self.settle()
        self.clock.advance(end)
        self.settle()

    def one(self, statement: str, *values: object) -> Any:
        """The first value of a statement's first row."""
        return next(iter(self.hub.reading.rows(statement, values)[0].values()))

    def close(self) -> None:
        self.hub.close()


def eventful(camp: Campsite) -> None:
    """A summer in which everything happens once.

    A: its payment comes first, the provider refunds in silence. B: the provider never acts, a person settles it. C: part of it is
    cancelled, a back office refunds besides. D: refused by the provider, then given back by hand. E: a quote that expires, a
    no-show. F: a second person approves, if the settings want one. G: a storm comes. Besides: repeats, a conflict, a body that
    is none, a person who is forgotten, a payment of nobody's.
    """
    camp.send(payment("A", "3001"))
    camp.send(booking("A"))
    camp.send(booking("A"))
    camp.send({**booking("A"), "data": {**booking("A")["data"], "revision": 2}})
    camp.send(b"{not json")
    for folio, payid in (("B", "3002"), ("C", "3003"), ("D", "3004"), ("E", "3005"), ("F", "3006")):
        camp.send(booking(folio))
        camp.send(payment(folio, payid))
    camp.send(booking("G", arrival="2026-07-30"))
    camp.until("2026-07-21T08:00:00+00:00")
    camp.send(asked("A"))
    camp.send(event("yes-A", "cancellation.confirm", {"actor": GUEST, "folio": "A", "request": "R-A"}, "web"))
    camp.send(asked("B", confirm=True))
    camp.send(asked("C", confirm=True, lines=[{"line": "2"}]))
    camp.send(asked("D", confirm=True))
    camp.send(asked("E"))
    camp.send(asked("F", confirm=True, actor=HOUSE, cause="owner"))
    camp.send(asked("Z"))
    camp.until("2026-07-21T12:00:00+00:00")
    camp.ogone.provider.back_office("3003", "RFD", 1_000, datetime.fromisoformat("2026-07-21T12:00:00+00:00"))
    camp.until("2026-07-22T12:00:00+00:00")
    camp.send(word("settle-B", "effect.settle", camp.one("SELECT id FROM effect WHERE folio = 'B'"), result="confirmed"))
    effect = camp.one("SELECT id FROM effect WHERE folio = 'F'")
    camp.send(word("grant-F", "approval.grant", effect))
    refund = camp.one("SELECT refund FROM effect WHERE folio = 'D'")
    by_hand = {"actor": SYSTEM, "folio": "D", "refund": refund, "amount": camp.one("SELECT minor FROM effect WHERE folio = 'D'"),
               "currency": "EUR", "occurred_at": "2026-07-22T11:00:00+00:00"}  # fmt: skip
    camp.send(event("hand-D", "refund.executed_externally", by_hand))
    camp.send(
        event("storm", "force_majeure.declare", {
            "actor": {"kind": "platform", "id": "p"}, "event": "storm", "area": "cote-d-azur", "from": "2026-07-29", "to": "2026-07-31",
        })
    )  # fmt: skip
    camp.send(word("discard", "dead_letter.discard", camp.one("SELECT id FROM dead_letter WHERE why = 'undecodable'")))
    camp.send(word("forget-A", "person.forget", "p-A"))
    camp.send(payment("Y", "3009"))
    camp.send(asked("G", confirm=True, cause="force_majeure"))
    camp.until("2026-07-25T12:00:00+00:00")
    camp.send(asked("E", id_="no-show-E", confirm=True, actor=HOUSE, cause="no_show"))
