"""What became of the sample day, from the store: one row for each thing that came in and what was decided of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from console.command import sample_day as the
from console.command.showing import money
from engine.hub import Hub
from engine.store.history import History
from engine.store.rows import Key, OutboxRow
from schemas.folio import Folio, ReferenceState

Data = dict[str, Any]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` as money of its currency, empty where there is none."""

    folio: str
    came: str
    decided: str
    amount: str
    rules: str


def _amount(name: str) -> Callable[[Data], tuple[str, int]]:
    return lambda data: (data.get("currency", ""), data.get(name, 0))


_SAYS: Final[Mapping[str, tuple[str, Callable[[Data], tuple[str, int]] | None]]] = {
    "booking.accepted": ("booking accepted, ordered", _amount("ordered")),
    "payment.captured": ("payment collected", _amount("amount")),
    "cancellation.quoted": ("quote: refund", _amount("refund")),
    "cancellation.confirmed": ("cancelled: kept", _amount("kept")),
    "refund.decided": ("refund decided", _amount("amount")),
    "refund.unknown": ("provider silent: asked, not sent again", _amount("amount")),
    "refund.executed": ("refund executed", _amount("amount")),
    "refund.refused_by_provider": ("provider refused", _amount("amount")),
    "refund.manual_required": ("refund by hand", _amount("amount")),
    "receipt.unapplied": ("receipt without a home", _amount("amount")),
    "message.parked": ("early: waits for its booking", None),
}
"""The outcomes that a row tells; the others are in `explain`."""
_CAME: Final = {
    "reply.arrived": "the provider's answer",
    "provider.notified": "the provider's callback",
    "payment_record.seen": "the provider's history",
    "timer.fired": "time",
}


def told(hub: Hub) -> list[Told]:
    """Everything decided about the day's folios, in order."""
    history = History(hub.reading)
    keys = [Key(the.TENANT, "folio", folio) for folio in the.FOLIOS]
    for bound in history.folios_of_name(the.NAMESPACE, the.RESERVATION):
        keys.append(Key(the.TENANT, "folio", msgspec.json.decode(bound.key, type=ReferenceState).folio))
    rows = [row for key in keys for row in history.decisions_of(key)]
    rows += [row for row in history.decisions_of(_order_key()) if row["result"] == "parked" and row["name"] == "payment.received"]
    rows += [row for row in history.decisions_of(_payment_key(hub)) if row["result"] == "duplicate"]
    found = []
    for row in sorted(rows, key=lambda row: int(row["seq"])):
        found += _rows(row, history.reading.outcomes_of((row["seq"],)))
    return found


def _order_key() -> Key:
    """The name under which the first payment waited."""
    return Key(the.TENANT, "reference", f"ogone:{the.MERCHANT}:order\x1fB2001-1")


def _payment_key(hub: Hub) -> Key:
    """The name under which the provider's callbacks about it come."""
    row = hub.reading.state(Key(the.TENANT, "folio", the.SILENT))
    folio = msgspec.json.decode(row["body"], type=Folio) if row and row["body"] else None
    reference = folio.payments[0].reference if folio is not None and folio.payments else ""
    return Key(the.TENANT, "reference", f"ogone:{the.MERCHANT}:pay\x1f{reference}")


def _rows(decision: Data, outcomes: Iterable[OutboxRow]) -> list[Told]:
    folio = str(decision["key"]) if decision["kind"] == "folio" else the.SILENT
    folio = folio if len(folio) < 12 else the.RESERVATION
    came = str(_CAME.get(decision["name"], decision["name"]))
    if decision["origin"] == "internal" and came.startswith("payment."):
        came = "the provider's history"
    rules = " ".join(dict.fromkeys(rule for rule, _ in msgspec.json.decode(decision["record"]).get("trace", ())))
    told_ = []
    for outcome in outcomes:
        data = msgspec.json.decode(outcome.body)
        if outcome.name.endswith(".refused"):
            told_.append((f"refused: {data['code']}", ""))
        elif outcome.name in _SAYS:
            words, amount = _SAYS[outcome.name]
            currency, minor = amount(data) if amount else ("", 0)
            told_.append((words, money(minor, currency) if currency else ""))
    if not told_:
        told_.append((_nothing(decision), ""))
    first, *rest = told_
    rows = [Told(folio=folio, came=came, decided=first[0], amount=first[1], rules=rules)]
    return rows + [Told(folio="", came="", decided=words, amount=amount, rules="") for words, amount in rest]


def _nothing(decision: Data) -> str:
    words = {
        "duplicate": "seen before: dropped",
        "stale": "known already: nothing changes",
        "parked": "early: waits for its booking",
    }
    return words.get(str(decision["result"]), "noted")
