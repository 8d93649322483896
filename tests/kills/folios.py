"""The senders of one folio each: a guest pays, the PMS books and tells of the payment, the guest cancels line by line.

A sender that gets no answer says the same again, with the same id, for as long as it takes: that is all it knows of the hub's deaths.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import requests

from schemas.envelope import type_of
from tests.kills.stage import Stage
from tests.services.amqp_tools import send

ANSWER_S = 2.0
PATIENCE_S = 60.0


class Told(NamedTuple):
    """A message that somebody acknowledged."""

    id: str
    by: str  # http | amqp


def worded(stage: Stage, id_: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
    """One CloudEvents object."""
    return {
        "specversion": "1.0", "id": id_, "source": f"{stage.name}.pms", "type": type_of(name), "tenant": "azur",
        "datacontenttype": "application/json", "data": data,
    }  # fmt: skip


def bearer(stage: Stage, scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.keys[scope]}"}


def post(stage: Stage, session: requests.Session, event: dict[str, Any], scope: str, wait: str = "") -> bool:
    """Whether it was acknowledged. Raises RequestException when nobody answers."""
    headers = {"Content-Type": "application/cloudevents+json", **bearer(stage, scope)}
    params = {"wait": wait} if wait else None
    answer = session.post(f"{stage.url}/messages", params=params, json=event, headers=headers, timeout=ANSWER_S)
    assert answer.status_code in (200, 202, 503), f"{answer.status_code} {answer.text}"
    return answer.status_code != 503


def say(stage: Stage, id_: str, name: str, data: dict[str, Any]) -> None:
    """An operator's word, to a hub that runs."""
    with requests.Session() as session:
        actor = {"actor": {"kind": "operator", "id": "olga"}}
        assert post(stage, session, worded(stage, f"say/{id_}", name, {**actor, **data}), "operator", "1s")


class Stay(threading.Thread):
    """One folio from its payment to its last cancellation. `told`: what was acknowledged; `failed`: why it could not go on."""

    def __init__(self, stage: Stage, name: str, prices: Sequence[int], *, over: str) -> None:
        """`over`: the door by which the PMS speaks, `http` or `amqp`; guests speak by HTTP. Each price is a line's."""
        super().__init__(name=name, daemon=True)
        self.stage, self.prices, self.over = stage, tuple(prices), over
        self.told: list[Told] = []
        self.failed = ""
        self.payid = ""
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def refunds(self) -> int:
        """How many requests to the provider it leads to."""
        return len(self.prices)

    def run(self) -> None:
        try:
            self._live()
        except Exception as error:
            self.failed = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            self._session.close()

    def _live(self) -> None:
        self.payid = self._pay()
        booked = (self._booking(), self._payment())
        for event in reversed(booked) if self.over == "amqp" else booked:  # the payment may come first
            self._say(event, self.over)
        self._say(booked[0], "http")  # and the booking twice
        self._until(lambda: self._folio().get("sums", {}).get("collected") == sum(self.prices), "the payment is on the folio")
        for line in range(1, len(self.prices) + 1):
            self._say(self._cancellation(line), "http", wait="500ms" if line == 1 else "")

    # -- words -----------------------------------------------------------------------------------------------------------------

    def _booking(self) -> dict[str, Any]:
        arrival = datetime.now(UTC).date() + timedelta(days=20)
        lines = [
            {"line": str(place), "trade": "outdoor", "arrival": str(arrival), "price": price, "terms": "outdoor/flexible"}
            for place, price in enumerate(self.prices, 1)
        ]
        data = {
            "folio": self.name, "revision": 1, "property": "camp-azur", "currency": "EUR", "booked_at": "2026-05-01T10:00:00Z",
            "guest": {"person": f"p-{self.name}", "name": "Camille Exemple"}, "lines": lines,
        }  # fmt: skip
        return self._event("booking", "booking.confirmed", data)

    def _payment(self) -> dict[str, Any]:
        data = {
            "folio": self.name, "payment": f"P-{self.name}", "tender": "card", "amount": sum(self.prices), "currency": "EUR",
            "provider": "ogone", "merchant": "azur", "provider_reference": self.payid, "order": self.name,
        }  # fmt: skip
        return self._event("payment", "payment.received", data)

    def _cancellation(self, line: int) -> dict[str, Any]:
        data = {"folio": self.name, "request": f"R-{self.name}-{line}", "lines": [{"line": str(line)}], "confirm": True}
        return self._event(f"cancel-{line}", "cancellation.request", data, {"kind": "guest", "id": "camille"})

    def _event(self, id_: str, name: str, data: dict[str, Any], actor: dict[str, str] | None = None) -> dict[str, Any]:
        return worded(self.stage, f"{self.name}/{id_}", name, {"actor": actor or {"kind": "system", "id": "pms"}, **data})

    # -- doors -----------------------------------------------------------------------------------------------------------------

    def _pay(self) -> str:
        order = {"order": self.name, "minor": sum(self.prices), "callback": False}
        made = self._session.post(f"{self.stage.provider}/admin/payments", json=order, timeout=10)
        made.raise_for_status()
        return str(made.json()["payid"])

    def _say(self, event: dict[str, Any], door: str, wait: str = "") -> None:
        if door == "amqp":
            attributes = {f"cloudEvents:{key}": value for key, value in event.items() if key not in ("data", "datacontenttype")}
            body = json.dumps(event["data"]).encode()
            send(self.stage.amqp, f"{self.stage.name}.intake", body, headers=attributes, content_type=event["datacontenttype"])
        else:
            self._until(lambda: self._posted(event, wait), f"{event['id']} is acknowledged")
        self.told.append(Told(event["id"], door))

    def _posted(self, event: dict[str, Any], wait: str) -> bool:
        return post(self.stage, self._session, event, "messages", wait)

    def _folio(self) -> dict[str, Any]:
        answer = self._session.get(f"{self.stage.url}/folios/{self.name}", headers=bearer(self.stage, "read"), timeout=ANSWER_S)
        return dict(answer.json()) if answer.status_code == 200 else {}

    def _until(self, true: Callable[[], bool], what: str) -> None:
        """Asks again for as long as it takes, whatever the hub's doors do meanwhile."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                if true():
                    return
            except requests.RequestException:
                pass
            assert time.monotonic() < until, f"not within {PATIENCE_S:.0f} s: {what}"
            time.sleep(0.03)
