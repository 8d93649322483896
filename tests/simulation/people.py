"""People who look at what waits for them: approvals, effects that nobody can tell, refunds by hand."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from connectors.psp.ogone.simulator.answers import stands
from handlers.refund_parts import BY_HAND
from schemas.folio import Folio
from tests.simulation.messages import arrival

if TYPE_CHECKING:
    from tests.simulation.world import World


_OPERATIONS: Final = {"refund": ("RFD", "RFS"), "capture": ("SAL", "SAS"), "void": ("DEL", "DES")}
"""What the provider calls it."""


class People:
    """The house of one world. Each look brings other messages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(f"people {world.seed}")
        self._number = 0
        self.last = False  # nothing is left for another day
        self._granted: set[str] = set()
        self._taken: dict[tuple[str, int], str] = {}  # operations that were said to be a request's, on this day or an earlier one

    def act(self) -> None:
        """One look at everything that is open."""
        if self._world.rows("SELECT 1 FROM payout_switch WHERE stopped = 1"):
            self._say("payouts.start", {"reason": "nobody said why not"})
        for row in self._world.rows("SELECT id FROM dead_letter WHERE why = 'defect' AND status = 'open' ORDER BY id"):
            self._say("dead_letter.replay", {"subject": row["id"], "reason": "mended"})
        for row in self._world.rows("SELECT body FROM state WHERE kind = 'folio' AND body IS NOT NULL ORDER BY tenant, key"):
            self._look(msgspec.json.decode(row["body"], type=Folio))

    def _look(self, folio: Folio) -> None:
        for effect in folio.effects:
            if effect.needs_approval and effect.state == "planned" and self._looks(0.7):
                name = self._chance.choice(("approval.grant", "approval.grant", "approval.deny"))
                self._say(name, {"subject": effect.effect, "reason": "looked at"})
            elif effect.state in ("needs_person", "unknown") and self._looks(0.6):
                self._settle(effect.effect)
        for one in folio.approvals:
            if self._looks(0.7):
                name = "approval.grant" if one.subject not in self._granted and self._chance.random() < 0.7 else "approval.deny"
                self._granted.add(one.subject)  # what cannot be carried out waits on, and is denied
                self._say(name, {"subject": one.subject, "reason": "looked at"})
        for refund in folio.refunds:
            for part in refund.parts:
                if part.status in BY_HAND and self._looks(0.5):
                    data = {"folio": folio.folio, "refund": refund.refund, "payment": part.payment, "amount": part.minor}
                    self._say("refund.executed_externally", data)

    def _looks(self, chance: float) -> bool:
        return self._chance.random() < (0.95 if self.last else chance)

    def _settle(self, effect: str) -> None:
        """What the provider's own page shows: an operation of that amount that no other effect has, or none. A refund is ours; a
        capture or a void is done, whoever did it."""
        row = self._world.rows("SELECT * FROM effect WHERE id = ?", (effect,))[0]
        owned = {
            one["level"]
            for one in self._world.rows(
                "SELECT level FROM provider_record WHERE reference = ? AND owner LIKE 'effect:%' AND owner <> ?",
                (row["reference"], f"effect:{effect}"),
            )
        }
        shown = [
            one
            for one in self._world.provider.provider.books.operations(row["reference"])
            if one.operation in _OPERATIONS[row["kind"]] and (one.source == "merchant" or row["kind"] != "refund")
            and one.minor == row["minor"] and str(one.level) not in owned
            and self._taken.get((row["reference"], one.level), effect) == effect
        ]  # fmt: skip
        standing = [one for one in shown if stands(one)]
        self._taken.update({(row["reference"], one.level): effect for one in standing[:1]})
        data: dict[str, Any] = {
            "subject": effect,
            "reason": "the provider's page",
            "result": "confirmed" if standing else "refused",
        }
        if standing and row["kind"] == "refund" and self._chance.random() < 0.5:
            data["provider_record"] = f"{row['reference']}/{standing[0].level}"
        self._say("effect.settle", data)

    def _say(self, name: str, data: dict[str, Any]) -> None:
        self._number += 1
        self._world.deliver(arrival("house", f"people-{self._number}", name, data, self._world.now(), actor="operator"))
        self._world.deliver(arrival("house", f"people-{self._number}", name, data, self._world.now(), actor="operator"))
