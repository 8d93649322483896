"""A whole summer as everybody is shown it, to be compared with what was kept: tests/golden/summer, a line a thing.

Words for people and what a call wrote to the wire are left out; they are not what is kept here. After a change that was meant:
`python -m tests.engine.summer`, and a look at the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from config.settings import Configuration
from engine import cloudevents, ledger_check
from engine.dry_run_report import Explaining
from engine.explain import explain
from engine.store import listing
from engine.store.history import History
from engine.transport.contract import Arrival, Receipt
from engine.verify import verify
from tests.engine.campsite import Campsite, booking, configuration, event, eventful, payment
from tests.scenarios.standing import bare_standing

KEPT = Path(__file__).parents[1] / "golden" / "summer"
FOLIOS = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J")
_LINES = [
    {
        "line": "1",
        "trade": "outdoor",
        "arrival": "2026-07-31",
        "departure": "2026-08-07",
        "price": 20_000,
        "terms": "outdoor/flexible",
    },
    {"line": "2", "kind": "service", "trade": "outdoor", "arrival": "2026-07-31", "price": 8_000, "terms": "outdoor/firm"},
    {"line": "3", "kind": "tourist_tax", "price": 1_500},
    {"line": "4", "kind": "insurance", "price": 700},
]
_WORDS = frozenset({"text", "reason", "message", "request", "answer", "raw", "error"})
_NUMBERS = frozenset({"seq", "parent", "decision", "under", "place"})


def settings() -> Configuration:
    """Two tenants that know nothing of each other; a second person approves what is large."""
    shipped = configuration("camp-azur/2", approval_above=15_000)
    replace = msgspec.structs.replace
    camp = replace(shipped.properties["camp-azur"], property="camp-vert", tenant="vert", version="camp-vert/1")
    return replace(
        shipped,
        properties={**shipped.properties, "camp-vert": camp},
        tenants={**shipped.tenants, "vert": replace(shipped.tenants["azur"], tenant="vert", version="vert/1")},
        merchants={**shipped.merchants, "vert": replace(shipped.merchants["azur"], merchant="vert", tenant="vert")},
    )


def summer(camp: Campsite) -> Campsite:
    """Everything that happens once, and besides: what waits, what is early, what stands at the end of the season."""
    eventful(camp)
    camp.send(event("early-K", "booking.changed", {**booking("K")["data"], "revision": 2}))
    camp.send(booking("H", arrival="2026-07-28", guest={"name": "No Person"}, payment_plan="split", service_fee=1_500))
    camp.send(payment("H", "3010", 8_000, occurred_at="2026-07-25T10:00:00+00:00"))
    camp.send({**booking("I", arrival="2026-07-29"), "type": "foliohub.booking.requested.v1"})
    camp.send(event("till-I", "payment.received", {
        "actor": {"kind": "system", "id": "x"}, "folio": "I", "payment": "T-I", "amount": 4_000, "currency": "EUR", "tender": "cash",
    }))  # fmt: skip
    camp.send(event("stop", "payouts.stop", {"actor": {"kind": "operator", "id": "olga"}, "reason": "a look"}, "desk"))
    camp.send(event("all-H", "cancellation.request", {
        "actor": {"kind": "guest", "id": "x"}, "folio": "H", "request": "R-H", "confirm": True,
    }, "web"))  # fmt: skip
    camp.send(booking("J", arrival="2026-07-31", lines=_LINES, service_fee=500, client="agency", commission_rate="10 %"))
    camp.send(payment("J", "3011", 30_000))
    camp.send(event("all-J", "cancellation.request", {
        "actor": {"kind": "guest", "id": "x"}, "folio": "J", "request": "R-J", "confirm": True,
    }, "web"))  # fmt: skip
    camp.until("2026-07-26T12:00:00+00:00")
    return camp


class Neighbours(Campsite):
    """The same summer at two tenants that use the same names for everything; what is asked of the store is asked for the first."""

    def __init__(self) -> None:
        self._others = iter(_Vert().said)
        super().__init__(settings=settings())

    def send(self, said: dict[str, Any] | bytes) -> Receipt:
        other = next(self._others, None)
        if other is not None:
            self._neighbour(other)
        return super().send(said)

    def _neighbour(self, said: dict[str, Any]) -> None:
        self.ogone.learn("vert", said["type"], json.dumps(said["data"]).encode())
        self.hub.intake.append([_of_vert(said)])
        self.settle()

    def one(self, statement: str, *values: object) -> Any:
        return super().one(statement.replace("WHERE", "WHERE tenant = 'azur' AND"), *values)


class _Vert(Campsite):
    """The neighbour alone, to know what it says."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        super().__init__(settings=settings())
        summer(self)
        self.close()

    def send(self, said: dict[str, Any] | bytes) -> Receipt | None:  # type: ignore[override]  # nobody asks for it
        if isinstance(said, bytes):
            return None
        text = json.dumps({**said, "tenant": "vert"}).replace('"camp-azur"', '"camp-vert"').replace('"azur"', '"vert"')
        beside = json.loads(text.replace('": "30', '": "40'))  # the provider's own names are one account's
        if "order" in beside["data"]:
            beside["data"]["order"] += "-vert"
        self.said.append(beside)
        theirs = json.loads(text)
        self.ogone.learn("vert", theirs["type"], json.dumps(theirs["data"]).encode())
        (receipt,) = self.hub.intake.append([_of_vert(theirs)])
        self.settle()
        return receipt

    def one(self, statement: str, *values: object) -> Any:
        return "" if "undecodable" in statement else super().one(statement, *values)


def _of_vert(said: dict[str, Any]) -> Arrival:
    body = json.dumps(said).encode()
    return Arrival(door="test", body=body, content_type="application/cloudevents+json", tenants=frozenset({"vert"}))


def shown(camp: Campsite, tenant: str = "azur") -> Mapping[str, list[Any]]:
    """Everything that a tenant's people and doors are shown, by face."""
    reading, vault = camp.hub.reading, camp.hub.vault
    history = History(reading)
    effects = [row["id"] for row in reading.rows("SELECT id FROM effect WHERE tenant = ? ORDER BY id", (tenant,))]
    subjects = [*FOLIOS, *effects, "pms:thais=no-C", "ask-D", "storm", "payment-Y", "early-K"]
    told = {subject: explain(history, vault, subject, tenant=tenant, personal=subject == "B") for subject in subjects}
    return {
        "folios": [bare_standing(camp.hub, tenant, folio) for folio in (*FOLIOS, "nobody")],
        "explained": [
            {
                "subject": subject, **msgspec.structs.asdict(found), "policies": sorted(found.policies),
                "decisions": [one.name for one in found.decisions],
            }
            for subject, found in told.items()
        ],
        "decisions": [one for subject in FOLIOS for one in told[subject].decisions],
        "outcomes": [cloudevents.event(row) for row in reading.outbox_of(tenant, 0, 10_000)],
        "lists": [
            listing.payouts_waiting(reading, tenant),
            *listing.dead_letters(reading, tenant=tenant, every=True),
            *ledger_check.balances(reading, tenant=tenant),
            *ledger_check.balances(reading, tenant=tenant, folio="C"),
        ],
    }  # fmt: skip


def alone(camp: Campsite) -> Mapping[str, list[Any]]:
    """What is shown of a store as a whole."""
    reading = camp.hub.reading
    lines = Explaining(reading).lines(reading.outbox_of("azur", 0, 10_000))
    verified = verify(camp.hub.database)
    return {
        "report": [msgspec.json.decode(line) for line in lines if b'"decision":' in line[:13]],
        "store": [
            *listing.effects(reading), *listing.effects(reading, every=True, folio="A"), *listing.effects(reading, state="planned"),
            {state: count for state, (count, _) in listing.effects_open(reading).items()},
            *listing.approvals(reading), *listing.dead_letters(reading),
            listing.histories_waiting(reading), ledger_check.check(camp.hub.database), verified.compared, verified.differences,
            reading.unsettled(),
        ],
    }  # fmt: skip


def lines(things: list[Any], *, numbers: bool = True) -> Iterator[str]:
    """Each thing as a line, without words; `numbers` False: without the store's own numbers too."""
    for thing in things:
        plain = msgspec.json.decode(msgspec.json.encode(thing, enc_hook=lambda other: other.hex()))
        yield json.dumps(_without(plain, _WORDS if numbers else _WORDS | _NUMBERS), ensure_ascii=False, sort_keys=True)


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(one, names) for name, one in value.items() if name not in names}
    if isinstance(value, list):
        return [_without(one[:1] if _step(one) else one, names) for one in value]
    return value


def _step(value: Any) -> bool:
    """A rule and its arithmetic: the rule is kept."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value) and " " in value[1]


def main() -> None:
    """Keep what is shown now."""
    camp = summer(Campsite(settings=settings()))
    KEPT.mkdir(parents=True, exist_ok=True)
    for name, things in {**shown(camp), **alone(camp)}.items():
        (KEPT / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines(things)), encoding="utf-8")
    camp.close()


if __name__ == "__main__":
    main()
