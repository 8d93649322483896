"""What is measured with: stays as CloudEvents, a booking, a payment, a cancellation request and its confirmation each, random ids."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

LAG = 40  # stays between a booking and its payment, and so on
PAID = 20500  # minor units of every stay, all by card
REFUND = 6000  # of it, three days before arrival: half of line 1
FEE = 500
TODAY = date(2026, 7, 21)  # where a measurement has a clock of its own
MERCHANT, TENANT = "azur", "azur"
_TYPES = ("booking.confirmed", "payment.received", "cancellation.request", "cancellation.confirm")
_encode = msgspec.json.Encoder().encode


def ids(stays: int, seed: int) -> list[str]:
    """Names of stays, the same for the same seed."""
    luck = random.Random(seed)
    return [f"{luck.getrandbits(64):016x}" for _ in range(stays)]


def stream(names: Sequence[str], lag: int = LAG, today: date = TODAY) -> Iterator[bytes]:
    """Four CloudEvents JSON objects for each of these stays, 1:1:1:1 but at the ends; each stay's in their order, `lag` stays apart."""
    stays = len(names)
    for place in range(stays + 3 * lag):
        for step in range(len(_TYPES)):
            stay = place - step * lag
            if 0 <= stay < stays:
                yield message(step, names[stay], today)


def message(step: int, id_: str, today: date = TODAY) -> bytes:
    """One of a stay's four messages; `today` is three days before its arrival, when half of line 1 goes back."""
    return _encode(
        {
            "specversion": "1.0",
            "id": f"{step}-{id_}",
            "source": "pms.thais",
            "type": f"foliohub.{_TYPES[step]}.v1",
            "time": f"{_booked(today)}T08:00:00Z",
            "tenant": TENANT,
            "datacontenttype": "application/json",
            "data": _data(step, id_, today),
        }
    )


def payid(id_: str) -> str:
    """What the provider calls the stay's payment."""
    return f"30{id_}"


def order(id_: str) -> str:
    """Under which order the stay was paid."""
    return f"{id_}-1"


def _booked(today: date) -> date:
    return today - timedelta(days=81)


def _data(step: int, id_: str, today: date) -> dict[str, Any]:
    folio = f"B-{id_}"
    if step == 0:
        dates = {"arrival": today + timedelta(days=3), "departure": today + timedelta(days=10)}
        line = {"trade": "outdoor", "accommodation_type": "pitch", **dates}
        return {
            "actor": {"kind": "system", "id": "thais"},
            "folio": folio,
            "references": [{"namespace": "pms:thais", "value": id_}, {"namespace": "ogone:azur:order", "value": order(id_)}],
            "revision": 1,
            "property": "camp-azur",
            "channel": "web",
            "currency": "EUR",
            "booked_at": f"{_booked(today)}T10:00:00+02:00",
            "language": "fr",
            "guest": {"person": f"p-{id_}", "name": "Camille Exemple", "email": "camille@example.org"},
            "payment_plan": "full",
            "service_fee": FEE,
            "lines": [
                {"line": "1", "price": 2 * REFUND, "terms": "outdoor/flexible", "accommodation": "pitch-12", **line},
                {"line": "2", "kind": "service", "price": PAID - FEE - 2 * REFUND, "terms": "outdoor/nanr", **line},
            ],
        }
    if step == 1:
        return {
            "actor": {"kind": "system", "id": "thais"},
            "references": [{"namespace": "ogone:azur:order", "value": order(id_)}],
            "payment": f"P-{id_}",
            "tender": "card",
            "amount": PAID,
            "currency": "EUR",
            "provider": "ogone",
            "merchant": MERCHANT,
            "provider_reference": payid(id_),
            "order": order(id_),
            "occurred_at": f"{_booked(today)}T10:05:00+02:00",
        }
    return {"actor": {"kind": "guest", "id": "camille"}, "folio": folio, "request": f"R-{id_}"}
