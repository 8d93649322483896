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
