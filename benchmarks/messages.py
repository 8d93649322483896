"""What both sides are fed: bookings, payments, cancellation requests and confirmations, 1:1:1:1, random ids, interleaved."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

LAG = 40  # stays between a booking and its payment, and so on
_TYPES = ("booking.confirmed", "payment.received", "cancellation.request", "cancellation.confirm")


def stream(stays: int, seed: int) -> Iterator[bytes]:
    """4 × `stays` CloudEvents JSON objects; each stay's four in their order."""
    luck = random.Random(seed)
    ids = [f"{luck.getrandbits(64):016x}" for _ in range(stays)]
    for place in range(stays + 3 * LAG):
        for step, type_ in enumerate(_TYPES):
            stay = place - step * LAG
            if 0 <= stay < stays:
                id_ = ids[stay]
                yield msgspec.json.encode(
                    {
                        "specversion": "1.0",
                        "id": f"{step}-{id_}",
                        "source": "pms.thais",
                        "type": f"foliohub.{type_}.v1",
                        "time": "2026-05-01T08:00:00Z",
                        "tenant": "azur",
                        "datacontenttype": "application/json",
                        "data": _data(step, id_),
                    }
                )


def _data(step: int, id_: str) -> dict[str, Any]:
    folio = f"B-{id_}"
    if step == 0:
        line = {"trade": "outdoor", "arrival": "2026-07-24", "departure": "2026-07-31", "accommodation_type": "pitch"}
        return {
            "actor": {"kind": "system", "id": "thais"},
            "folio": folio,
            "references": [{"namespace": "pms:thais", "value": id_}, {"namespace": "ogone:azur:order", "value": f"{id_}-1"}],
            "revision": 1,
            "property": "camp-azur",
            "channel": "web",
            "currency": "EUR",
            "booked_at": "2026-05-01T10:00:00+02:00",
            "language": "fr",
            "guest": {"person": f"p-{id_}", "name": "Camille Exemple", "email": "camille@example.org"},
            "payment_plan": "full",
            "service_fee": 500,
            "lines": [
                {"line": "1", "price": 12000, "terms": "outdoor/flexible", "accommodation": "pitch-12", **line},
                {"line": "2", "kind": "service", "price": 8000, "terms": "outdoor/nanr", **line},
            ],
        }
    if step == 1:
        return {
            "actor": {"kind": "system", "id": "thais"},
            "references": [{"namespace": "ogone:azur:order", "value": f"{id_}-1"}],
            "payment": f"P-{id_}",
            "tender": "card",
            "amount": 20500,
            "currency": "EUR",
            "provider": "ogone",
            "merchant": "azur",
            "provider_reference": f"30{id_}",
            "order": f"{id_}-1",
            "occurred_at": "2026-05-01T10:05:00+02:00",
        }
    return {"actor": {"kind": "guest", "id": "camille"}, "folio": folio, "request": f"R-{id_}"}
