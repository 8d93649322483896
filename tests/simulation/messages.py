"""Messages of a world, as senders write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from engine.transport.contract import Arrival

TENANT = "azur"


def arrival(source: str, id_: str, name: str, data: dict[str, Any], at: datetime, *, actor: str = "system") -> Arrival:
    """One message at a door, in binary mode."""
    body = {"actor": {"kind": actor, "id": f"{actor}-1"}, **data}
    attributes = {
        "specversion": "1.0", "id": id_, "source": source, "type": f"foliohub.{name}.v1", "time": at.isoformat(), "tenant": TENANT,
    }  # fmt: skip
    return Arrival(door="simulation", body=msgspec.json.encode(body), attributes=attributes)


def slip(number: int, at: datetime) -> Arrival:
    """An operator's word about nothing."""
    return arrival("house", f"slip-{number}", "approval.grant", {"subject": "nobody", "reason": "a slip"}, at, actor="operator")


def told_again(number: int, reference: str, order: str, at: datetime) -> Arrival:
    """A callback about a payment, by the provider's id or by our order, that says nothing of what became of it."""
    data = {"provider": "ogone", "merchant": "azur", "provider_reference": reference, "order": order, "status": "8", "raw": {}}
    return arrival("psp.ogone.azur", f"again-{number}", "provider.notified", data, at)
