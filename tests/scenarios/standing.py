"""How everything stands when a scenario has ended: folios as people and doors read them, names, areas, timers, requests, and what the
store adds up about payments.

Kept beside what came of it, since a state that nobody told of yet is what the next message meets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.hub import Hub
from engine.standing import standing

_FOLIOS = "SELECT tenant, key FROM state WHERE kind = 'folio' ORDER BY tenant, key"
_BESIDE = {
    "aggregate": "SELECT tenant, kind, key, sequence, body FROM state WHERE kind <> 'folio' AND version > 0 ORDER BY tenant, kind, key",
    "timer": "SELECT tenant, kind, key, name, due, what, subject FROM timer ORDER BY tenant, kind, key, name",
    "request": (
        "SELECT tenant, folio, business_key, kind, provider, merchant, payment, reference, order_ref, minor, currency, refund,"
        " property, last, needs_approval, state FROM effect ORDER BY tenant, folio, business_key"
    ),
    "payment": "SELECT tenant, folio, payment, currency, captured, given_back FROM payment_total ORDER BY tenant, folio, payment",
    "part": "SELECT tenant, folio, payment, number, refund, minor FROM refund_part ORDER BY tenant, folio, payment, number",
    "notice": (
        "SELECT tenant, folio, kind, attempt, audience, language, property, state, body FROM notice ORDER BY tenant, folio, kind, attempt"
    ),
    "parked": "SELECT tenant, kind, key, waits_for, since, id, name FROM parked ORDER BY seq",
}
_ANEW = frozenset({"not_yet_collected", "recoverable", "transactions", "balance_requests", "vouchers", "notices"})
"""Views of payments, refunds, state and outcomes, which are kept: tests/engine/test_standing.py is about them."""
_WORDS = frozenset({"arithmetic", "message", "outcomes", "reason"})
"""What is written for people, and what is kept with the outcomes."""


def standings(hub: Hub) -> Iterator[dict[str, Any]]:
    """One object for each thing that stands."""
    for row in hub.reading.rows(_FOLIOS):
        yield {"folio": row["key"], "standing": _bare(bare_standing(hub, row["tenant"], row["key"]))}
    for what, statement in _BESIDE.items():
        for row in hub.reading.rows(statement):
            body = {"body": msgspec.json.decode(row["body"])} if row.get("body") else {}
            yield {what: {**row, **body}}


def bare_standing(hub: Hub, tenant: str, folio: str) -> dict[str, Any] | None:
    """How a folio stands, as JSON, without what is only told anew of what stands there already."""
    stands: dict[str, Any] | None = msgspec.json.decode(msgspec.json.encode(standing(hub, tenant, folio)))
    return stands if stands is None else {name: value for name, value in stands.items() if name not in _ANEW}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if name not in _WORDS}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value
