"""What must not leave, looked at from outside as each request goes: one under a lapsed lease, one that waits for approval, a refund
while payouts stand still or above a brake (X-27), or of a payment that is disputed (X-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from engine.calls import Call
from engine.clock import instant
from engine.hub import Hub
from handlers.dispute_record import open_disputes
from schemas.effect import EffectKind
from schemas.folio import Folio

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR_US: Final = 3_600_000_000


class Holds:
    """Asked by the owners at each mark, and by a call at its first byte. `broken`: what left all the same."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.broken: list[str] = []

    def refused(self) -> set[str]:
        """Effects that have moved no money, before a transaction may find that they have."""
        return {effect for effect, stands in self._world.disk.standing.items() if stands.state == "refused"}

    def marked(self, hub: Hub, effects: Sequence[str], refused: set[str]) -> None:
        """These were marked at this instant by one transaction of `hub`; `refused` before it."""
        for row in self._rows(effects):
            self._approved(row)
            if row["kind"] == EffectKind.REFUND:
                self._running(row)
                self._undisputed(row)
                self._below_the_brakes(hub, row, refused)

    def written(self, call: Call) -> None:
        """The first byte of this request goes out."""
        (row,) = self._rows([call.item.id])
        if call.until <= self._world.clock.now():
            self.broken.append(f"effect {row['id']} is {row['state']} and its lease is over, and it is sent")
        self._approved(row)
        if row["kind"] == EffectKind.REFUND:
            self._running(row)

    def _rows(self, effects: Sequence[str]) -> list[dict[str, Any]]:
        return [self._world.rows("SELECT * FROM effect WHERE id = ?", (effect,))[0] for effect in effects]

    def _approved(self, row: Mapping[str, Any]) -> None:
        if row["needs_approval"]:
            self.broken.append(f"effect {row['id']} waits for approval, and is sent")

    def _running(self, row: Mapping[str, Any]) -> None:
        if self._world.rows("SELECT 1 FROM payout_switch WHERE tenant = ? AND stopped", (row["tenant"],)):
            self.broken.append(f"refund {row['id']} is sent while payouts stand still")

    def _undisputed(self, row: Mapping[str, Any]) -> None:
        (found,) = self._world.rows("SELECT body FROM state WHERE kind = 'folio' AND key = ?", (row["folio"],))
        if open_disputes(msgspec.json.decode(found["body"], type=Folio), row["payment"]):
            self.broken.append(f"refund {row['id']} is sent while its payment is disputed")

    def _below_the_brakes(self, hub: Hub, row: Mapping[str, Any], refused: set[str]) -> None:
        policy, now = hub.settled.tenants[row["tenant"]], row["sent_at"]
        zone = ZoneInfo(policy.zone or "UTC")
        gone = [
            one
            for one in self._world.rows(
                "SELECT id, minor, sent_at FROM effect WHERE tenant = ? AND kind = 'refund' AND sent_at > 0"
                " AND state NOT IN ('planned', 'refused')",
                (row["tenant"],),
            )
            if one["id"] not in refused
        ]
        today = sum(one["minor"] for one in gone if _day(one["sent_at"], zone) == _day(now, zone))
        if policy.day_sum is not None and today > policy.day_sum:
            self.broken.append(f"refund {row['id']} makes {today} of {policy.day_sum} today")
        last_hour = sum(one["sent_at"] >= now - HOUR_US for one in gone)
        if policy.velocity_per_hour is not None and last_hour > policy.velocity_per_hour:
            self.broken.append(f"refund {row['id']} is number {last_hour} of {policy.velocity_per_hour} an hour")


def _day(at: int, zone: ZoneInfo) -> date:
    return instant(at).astimezone(zone).date()
