"""A hub behind real HTTP for the tests: two tenants, their keys, a provider that accepts, and a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import requests

from config.loader import load
from config.settings import Configuration
from connectors.psp.accepting import AcceptingProviders
from console.gateway.server import Gateway
from engine.clock import ManualClock, micros
from engine.hub import Hub
from engine.keys import DoorKeys
from engine.serving import Serving
from schemas.policy import TenantPolicy

START = "2026-05-01T08:00:00+00:00"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
STAY = {
    "actor": {"kind": "system", "id": "thais"},
    "revision": 1,
    "property": "camp-azur",
    "currency": "EUR",
    "booked_at": "2026-05-01T10:00:00+02:00",
    "service_fee": 500,
    "payment_plan": "full",
    "guest": {"person": "p-77", "name": "Ada Lovelace", "email": "ada@example.org"},
    "lines": [
        {
            "line": "1",
            "kind": "stay",
            "trade": "outdoor",
            "arrival": "2026-07-24",
            "departure": "2026-07-31",
            "price": 12_000,
            "terms": "outdoor/flexible",
        }
    ],
}


def event(
    id_: str, name: str = "booking.confirmed", tenant: str = "azur", source: str = "pms.thais", **data: Any
) -> dict[str, Any]:
    """A CloudEvent; a booking of folio `id_` unless told otherwise."""
    said = {**STAY, "folio": id_, **data} if name.startswith("booking.") else {"actor": STAY["actor"], **data}
    return {"specversion": "1.0", "id": id_, "source": source, "type": f"foliohub.{name}.v1", "tenant": tenant, "data": said}


def payment(id_: str, folio: str, amount: int = 12_500, **data: Any) -> dict[str, Any]:
    """A card payment by Ogone."""
    more = {"payment": id_, "amount": amount, "currency": "EUR", "provider": "ogone", "merchant": "azur", **data}
    return event(id_, "payment.received", folio=folio, **more)


def configuration() -> Configuration:
    """The shipped one, with a second tenant beside; its channel is one whose repeats have new tokens."""
    shipped = load(None, {})
    tenants = {**shipped.tenants, "dunes": TenantPolicy(tenant="dunes", version="dunes/1")}
    demo = msgspec.structs.replace(shipped.channels["demo"], identity="unique_id")
    return msgspec.structs.replace(shipped, tenants=tenants, channels={**shipped.channels, "demo": demo})


class World:
    """What a test talks to."""

    def __init__(self, hub: Hub, serving: Serving, gateway: Gateway) -> None:
        self.hub, self.serving, self.gateway = hub, serving, gateway
        keys = DoorKeys(hub.database, hub.clock)
        self.key_ids: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        for name, tenant, scope in (
            ("azur", "azur", "messages"), ("reader", "azur", "read"), ("operator", "azur", "operator"),
            ("channel", "azur", "channel:demo"), ("dunes", "dunes", "messages"), ("dunes-reader", "dunes", "read"),
            ("dunes-channel", "dunes", "channel:demo"), ("dunes-operator", "dunes", "operator"),
        ):  # fmt: skip
            key, self.keys[name] = keys.add(tenant, scope, name)
            self.key_ids[name] = key.id
        self.session = requests.Session()

    def url(self, path: str) -> str:
        return self.gateway.address + path

    def post(self, path: str, body: bytes | str, content_type: str, key: str = "azur", **headers: str) -> requests.Response:
        """POST raw bytes under a key; no key: an empty name."""
        data = body.encode() if isinstance(body, str) else body
        told = {"content-type": content_type, **headers}
        if key:
            told["authorization"] = f"Bearer {self.keys[key]}"
        return self.session.post(self.url(path), data=data, headers=told, timeout=20)

    def send(self, message: dict[str, Any], wait: str = "5s", key: str = "azur") -> requests.Response:
        """One structured event; waits for its outcomes unless `wait` is empty."""
        return self.post(f"/messages{'?wait=' + wait if wait else ''}", json.dumps(message), STRUCTURED, key)

    def get(self, path: str, key: str = "reader") -> requests.Response:
        headers = {"x-api-key": self.keys[key]} if key else {}
        return self.session.get(self.url(path), headers=headers, timeout=20)

    def dead_letter(self, id_: str) -> dict[str, Any]:
        """A kept dead letter, its bytes opened."""
        row = self.hub.reading.rows("SELECT * FROM dead_letter WHERE id = ?", (id_,))[0]
        month = datetime.fromisoformat(START).strftime("%Y-%m")
        row["opened"] = self.hub.vault.open_bytes(row["tenant"], f"dead-letters/{month}", row["bytes"])
        return row

    def everything_stored(self) -> bytes:
        """The raw bytes of the store, write-ahead log included: what is not in there was never stored."""
        path = Path(self.hub.database.path)
        return b"".join(Path(f"{path}{end}").read_bytes() for end in ("", "-wal") if Path(f"{path}{end}").exists())


@contextmanager
def world(folder: Path, *, start_lanes: bool = True, settled: Configuration | None = None, store: str = "") -> Iterator[World]:
    """A hub with its threads and its gateway on a free port; its store is a file of the folder, or the one named."""
    clock = ManualClock(micros(datetime.fromisoformat(START)))
    hub = Hub(settled or configuration(), store or str(folder / "hub.sqlite"), AcceptingProviders(), clock=clock)
    try:
        serving = Serving(hub, {})
        if start_lanes:
            serving.start()
        with Gateway(hub, serving, port=0) as gateway:
            made = World(hub, serving, gateway)
            yield made
            made.session.close()
        serving.stop()
        assert serving.failure is None
    finally:
        hub.close()
